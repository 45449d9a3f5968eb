//! Wake-ups on SQLite. They are stored here, and fired by the local host, which claims the due ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_core::clock::{Clock, from_millis};
use stint_core::ports::{Firing, PortError, PortResult, Wakeup, WakeupSource, Wakeups};

use crate::database::Database;
use crate::set_back;
use crate::time::{deadline_millis, millis_after, now_millis};

/// The wake-ups of a [`Database`].
///
/// Races, and their outcomes:
/// * A wake-up is replaced while it fires: the replacement clears the lease, and completing the old firing finds
///   nothing to complete.
/// * A lease ends while the host is still working: the wake-up is leased to a second host and runs twice, which workers
///   tolerate. The first completion completes it for both.
pub struct SqliteWakeups {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteWakeups {
    /// Creates the wake-ups of a database that has their table.
    pub fn new(database: &Database, clock: Arc<dyn Clock>) -> SqliteWakeups {
        SqliteWakeups { database: database.clone(), clock }
    }
}

#[async_trait]
impl Wakeups for SqliteWakeups {
    async fn once(&self, name: &str, worker: &str, at: Timestamp) -> PortResult<()> {
        let (name, worker, at) = (name.to_owned(), worker.to_owned(), deadline_millis(at));
        let clock = self.clock.clone();
        let write = self.database.write("set a wake-up", move |connection| {
            set_back::note(connection, now_millis(&*clock))?;
            replace(connection, &name, &worker, at, None)
        });
        write.await
    }

    async fn every(&self, name: &str, worker: &str, period: Duration) -> PortResult<()> {
        let Some(period) = i64::try_from(period.as_millis()).ok().filter(|period| *period > 0) else {
            return Err(PortError::Invalid(format!("wake-up '{name}': a period of {period:?} cannot be kept")));
        };
        let (name, worker, clock) = (name.to_owned(), worker.to_owned(), self.clock.clone());
        let write = self.database.write("set a recurring wake-up", move |connection| {
            let kept = connection
                .prepare_cached("UPDATE wakeups SET worker = ?2 WHERE name = ?1 AND period = ?3")?
                .execute(params![name, worker, period])?;
            if kept > 0 {
                return Ok(());
            }
            set_back::note(connection, now_millis(&*clock))?;
            let first = millis_after(&*clock, Duration::from_millis(period.unsigned_abs()));
            replace(connection, &name, &worker, first, Some(period))
        });
        write.await
    }

    async fn cancel(&self, name: &str) -> PortResult<()> {
        let name = name.to_owned();
        let write = self.database.write("cancel a wake-up", move |connection| {
            connection.prepare_cached("DELETE FROM wakeups WHERE name = ?1")?.execute([name]).map(|_| ())
        });
        write.await
    }

    async fn list(&self) -> PortResult<Vec<Wakeup>> {
        let read = self.database.read("list wake-ups", |connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, worker, at, period FROM wakeups ORDER BY at, name")?;
            statement.query_map([], read_wakeup)?.collect()
        });
        read.await
    }
}

#[async_trait]
impl WakeupSource for SqliteWakeups {
    async fn claim_due(&self, workers: &[(&str, Duration)]) -> PortResult<Vec<Firing>> {
        let clock = self.clock.clone();
        let leases: HashMap<String, Duration> =
            workers.iter().map(|(worker, lease)| ((*worker).to_owned(), *lease)).collect();
        let write = self.database.write("claim wake-ups", move |connection| {
            let now = now_millis(&*clock);
            set_back::mend(connection, now)?;
            let mut statement = connection.prepare_cached(
                "SELECT name, worker, at FROM wakeups
                 WHERE at <= ?1 AND (lent_until IS NULL OR lent_until <= ?1) ORDER BY at, name",
            )?;
            let due = statement.query_map([now], read_firing)?.collect::<rusqlite::Result<Vec<Firing>>>()?;
            let mut lend = connection.prepare_cached("UPDATE wakeups SET lent_until = ?2 WHERE name = ?1")?;
            let mut lent = Vec::new();
            for firing in due {
                if let Some(lease) = leases.get(&firing.worker) {
                    lend.execute(params![firing.name, millis_after(&*clock, *lease)])?;
                    lent.push(firing);
                }
            }
            if !lent.is_empty() {
                set_back::note(connection, now)?;
            }
            Ok(lent)
        });
        write.await
    }

    async fn complete(&self, firing: &Firing) -> PortResult<()> {
        let (name, due, clock) = (firing.name.clone(), deadline_millis(firing.due), self.clock.clone());
        let write = self.database.write("complete a wake-up", move |connection| {
            let mut lent = connection
                .prepare_cached("SELECT period FROM wakeups WHERE name = ?1 AND at = ?2 AND lent_until IS NOT NULL")?;
            let period: Option<Option<i64>> = lent.query_row(params![name, due], |row| row.get(0)).optional()?;
            match period {
                None => Ok(()),
                Some(None) => {
                    connection.prepare_cached("DELETE FROM wakeups WHERE name = ?1")?.execute([name]).map(|_| ())
                }
                Some(Some(period)) => {
                    let now = now_millis(&*clock);
                    let moved = set_back::note(connection, now)?;
                    let next = next_due(due.saturating_sub(moved), period, now);
                    connection
                        .prepare_cached("UPDATE wakeups SET at = ?2, lent_until = NULL WHERE name = ?1")?
                        .execute(params![name, next])
                        .map(|_| ())
                }
            }
        });
        write.await
    }
}

fn replace(connection: &Connection, name: &str, worker: &str, at: i64, period: Option<i64>) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO wakeups (name, worker, at, period) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![name, worker, at, period]).map(|_| ())
}

/// Returns the first instant after `now` that is a whole number of periods after `due`.
fn next_due(due: i64, period: i64, now: i64) -> i64 {
    let periods = now.saturating_sub(due).max(0) / period + 1;
    due.saturating_add(periods.saturating_mul(period))
}

fn read_wakeup(row: &Row<'_>) -> rusqlite::Result<Wakeup> {
    let period: Option<i64> = row.get(3)?;
    Ok(Wakeup {
        name: row.get(0)?,
        worker: row.get(1)?,
        at: from_millis(row.get(2)?),
        period: period.map(|period| Duration::from_millis(period.unsigned_abs())),
    })
}

fn read_firing(row: &Row<'_>) -> rusqlite::Result<Firing> {
    Ok(Firing { name: row.get(0)?, worker: row.get(1)?, due: from_millis(row.get(2)?) })
}
