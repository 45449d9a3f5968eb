//! Wake-ups on SQLite. They are stored here, and fired by the local host, which claims the due ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_core::clock::{Clock, from_millis};
use stint_core::ports::{Firing, PortError, PortResult, Wakeup, WakeupSource, Wakeups};
use stint_core::schedule::{slot_after_millis, slot_at_millis, slot_following_millis};
use stint_core::worker::WorkerId;

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

    async fn set_recurring(&self, name: &str, worker: &WorkerId, period: Duration, aligned: bool) -> PortResult<()> {
        let Some(period) = i64::try_from(period.as_millis()).ok().filter(|period| *period > 0) else {
            return Err(PortError::Invalid(format!("wake-up '{name}': a period of {period:?} is not supported")));
        };
        let (name, worker, clock) = (name.to_owned(), worker.clone(), self.clock.clone());
        let write = self.database.write("set a recurring wake-up", move |connection| {
            let kept = connection
                .prepare_cached(
                    "UPDATE wakeups SET worker = ?3 WHERE fleet = ?1 AND name = ?2 AND period = ?4 AND aligned = ?5",
                )?
                .execute(params![worker.fleet, name, worker.name, period, aligned])?;
            if kept > 0 {
                return Ok(());
            }
            let now = now_millis(&*clock);
            set_back::record_write_time(connection, now)?;
            let at = if aligned {
                slot_after_millis(period, now)
            } else {
                millis_after(&*clock, Duration::from_millis(period.unsigned_abs()))
            };
            replace(connection, &name, &worker, &Times { at, period: Some(period), aligned })
        });
        write.await
    }
}

#[async_trait]
impl Wakeups for SqliteWakeups {
    async fn once(&self, name: &str, worker: &WorkerId, at: Timestamp) -> PortResult<()> {
        let (name, worker, at) = (name.to_owned(), worker.clone(), deadline_millis(at));
        let clock = self.clock.clone();
        let write = self.database.write("set a wake-up", move |connection| {
            set_back::record_write_time(connection, now_millis(&*clock))?;
            replace(connection, &name, &worker, &Times { at, period: None, aligned: false })
        });
        write.await
    }

    async fn every(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        self.set_recurring(name, worker, period, false).await
    }

    async fn every_aligned(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        self.set_recurring(name, worker, period, true).await
    }

    async fn cancel(&self, fleet: &str, name: &str) -> PortResult<()> {
        let (fleet, name) = (fleet.to_owned(), name.to_owned());
        let write = self.database.write("cancel a wake-up", move |connection| delete(connection, &fleet, &name));
        write.await
    }

    async fn list(&self) -> PortResult<Vec<Wakeup>> {
        let read = self.database.read("list wake-ups", |connection| {
            let mut statement = connection
                .prepare_cached("SELECT fleet, worker, name, at, period FROM wakeups ORDER BY at, name, fleet")?;
            statement.query_map([], read_wakeup)?.collect()
        });
        read.await
    }
}

#[async_trait]
impl WakeupSource for SqliteWakeups {
    async fn claim_due(&self, workers: &[(WorkerId, Duration)]) -> PortResult<Vec<Firing>> {
        let clock = self.clock.clone();
        let leases: HashMap<WorkerId, Duration> = workers.iter().cloned().collect();
        let write = self.database.write("claim wake-ups", move |connection| {
            let now = now_millis(&*clock);
            set_back::shift_deadlines(connection, now)?;
            let mut statement = connection.prepare_cached(
                "SELECT fleet, worker, name, at, period, aligned FROM wakeups
                 WHERE at <= ?1 AND (lent_until IS NULL OR lent_until <= ?1) ORDER BY at, name, fleet",
            )?;
            let due = statement.query_map([now], |row| read_firing(row, now))?;
            let due = due.collect::<rusqlite::Result<Vec<Firing>>>()?;
            let mut lease_statement = connection
                .prepare_cached("UPDATE wakeups SET lent_until = ?3, at = ?4 WHERE fleet = ?1 AND name = ?2")?;
            let mut leased = Vec::new();
            for firing in due {
                if let Some(lease) = leases.get(&firing.worker) {
                    lease_statement.execute(params![
                        firing.worker.fleet,
                        firing.name,
                        millis_after(&*clock, *lease),
                        deadline_millis(firing.due)
                    ])?;
                    leased.push(firing);
                }
            }
            if !leased.is_empty() {
                set_back::record_write_time(connection, now)?;
            }
            Ok(leased)
        });
        write.await
    }

    async fn complete(&self, firing: &Firing) -> PortResult<()> {
        let (Firing { name, worker, due }, clock) = (firing.clone(), self.clock.clone());
        let (fleet, due) = (worker.fleet, deadline_millis(due));
        let write = self.database.write("complete a wake-up", move |connection| {
            // The time of an aligned one may have been changed since, because the clock was set back.
            let mut leased = connection.prepare_cached(
                "SELECT period, aligned FROM wakeups
                 WHERE fleet = ?1 AND name = ?2 AND (at = ?3 OR aligned) AND lent_until IS NOT NULL",
            )?;
            let leased: Option<(Option<i64>, bool)> =
                leased.query_row(params![fleet, name, due], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match leased {
                None => Ok(()),
                Some((None, _)) => delete(connection, &fleet, &name),
                Some((Some(period), aligned)) => {
                    let now = now_millis(&*clock);
                    let moved = set_back::record_write_time(connection, now)?;
                    let next = if aligned {
                        slot_following_millis(period, due, now)
                    } else {
                        next_due(due.saturating_sub(moved), period, now)
                    };
                    connection
                        .prepare_cached("UPDATE wakeups SET at = ?3, lent_until = NULL WHERE fleet = ?1 AND name = ?2")?
                        .execute(params![fleet, name, next])
                        .map(|_| ())
                }
            }
        });
        write.await
    }
}

/// When a wake-up is due, in milliseconds.
struct Times {
    at: i64,
    period: Option<i64>,
    aligned: bool,
}

fn replace(connection: &Connection, name: &str, worker: &WorkerId, times: &Times) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO wakeups (fleet, worker, name, at, period, aligned) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let Times { at, period, aligned } = times;
    statement.execute(params![worker.fleet, worker.name, name, at, period, aligned]).map(|_| ())
}

fn delete(connection: &Connection, fleet: &str, name: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM wakeups WHERE fleet = ?1 AND name = ?2")?.execute([fleet, name]).map(|_| ())
}

/// Returns the first instant after `now` that is a whole number of periods after `due`.
fn next_due(due: i64, period: i64, now: i64) -> i64 {
    let periods = now.saturating_sub(due).max(0) / period + 1;
    due.saturating_add(periods.saturating_mul(period))
}

fn read_wakeup(row: &Row<'_>) -> rusqlite::Result<Wakeup> {
    let period: Option<i64> = row.get(4)?;
    Ok(Wakeup {
        name: row.get(2)?,
        worker: read_worker(row)?,
        at: from_millis(row.get(3)?),
        period: period.map(|period| Duration::from_millis(period.unsigned_abs())),
    })
}

/// Reads a wake-up that is due. An aligned one is due at its newest slot.
fn read_firing(row: &Row<'_>, now: i64) -> rusqlite::Result<Firing> {
    let (at, period, aligned): (i64, Option<i64>, bool) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let newest = period.filter(|_| aligned).map_or(at, |period| slot_at_millis(period, now).max(at));
    Ok(Firing { name: row.get(2)?, worker: read_worker(row)?, due: from_millis(newest) })
}

/// The worker in the first two columns.
fn read_worker(row: &Row<'_>) -> rusqlite::Result<WorkerId> {
    Ok(WorkerId::read(row.get::<_, String>(0)?, row.get::<_, String>(1)?))
}
