//! The states of the listeners that processes run in this folder.
//!
//! A process writes the row of each of its listeners when the state changes, and at each [`HEARTBEAT`](crate::HEARTBEAT).
//! A row that has not been written for as long as a process is considered gone is ignored, and deleted by the next
//! write.

use jiff::Timestamp;
use rusqlite::params;
use stint_core::clock::to_millis;
use stint_core::ports::PortResult;
use stint_core::worker::WorkerId;

use crate::database::Database;
use crate::hosts::heartbeat_range;

/// The state of a listener in one process, as text that its writer determines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerRow {
    /// The listener.
    pub listener: WorkerId,
    /// The process that runs it.
    pub process: String,
    /// The state.
    pub state: String,
}

/// The listeners of a [`Database`].
#[derive(Clone)]
pub struct SqliteListeners {
    database: Database,
}

impl SqliteListeners {
    /// Creates the list of a database that has the table of listeners.
    pub fn new(database: &Database) -> SqliteListeners {
        SqliteListeners { database: database.clone() }
    }

    /// Stores the state of a listener at `now`, and deletes the rows of processes that are gone.
    pub async fn store(&self, row: ListenerRow, now: Timestamp) -> PortResult<()> {
        let ([first, last], now) = (heartbeat_range(now), to_millis(now));
        let write = self.database.write("store the state of a listener", move |connection| {
            let mut forget = connection.prepare_cached("DELETE FROM listeners WHERE seen_at NOT BETWEEN ?1 AND ?2")?;
            forget.execute([first, last])?;
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO listeners (fleet, name, process, state, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let ListenerRow { listener, process, state } = row;
            statement.execute(params![listener.fleet, listener.name, process, state, now]).map(drop)
        });
        write.await
    }

    /// Removes a listener that has ended.
    pub async fn remove(&self, listener: &WorkerId, process: &str) -> PortResult<()> {
        let (listener, process) = (listener.clone(), process.to_owned());
        let write = self.database.write("remove the state of a listener", move |connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM listeners WHERE fleet = ?1 AND name = ?2 AND process = ?3")?;
            statement.execute(params![listener.fleet, listener.name, process]).map(drop)
        });
        write.await
    }

    /// Returns the listeners that processes run at `now`.
    pub async fn list(&self, now: Timestamp) -> PortResult<Vec<ListenerRow>> {
        let heard = heartbeat_range(now);
        let read = self.database.read("read the states of listeners", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT fleet, name, process, state FROM listeners WHERE seen_at BETWEEN ?1 AND ?2
                 ORDER BY fleet, name, process",
            )?;
            let rows = statement.query_map(heard, |row| {
                let listener = WorkerId::read(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                Ok(ListenerRow { listener, process: row.get(2)?, state: row.get(3)? })
            })?;
            rows.collect()
        });
        read.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use stint_core::clock::{Clock, ManualClock};

    use super::*;
    use crate::Embedded;

    #[test]
    fn a_listener_is_listed_until_it_ends_or_falls_silent() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let listeners = Embedded::in_memory(Arc::new(clock.clone())).unwrap().listeners();
        let row = |process: &str, state: &str| ListenerRow {
            listener: WorkerId::new("sample", "ear"),
            process: process.into(),
            state: state.into(),
        };
        futures::executor::block_on(async {
            listeners.store(row("1", "starting"), clock.now()).await.unwrap();
            listeners.store(row("1", "connected"), clock.now()).await.unwrap();
            listeners.store(row("2", "standby"), clock.now()).await.unwrap();
            assert_eq!(listeners.list(clock.now()).await.unwrap(), [row("1", "connected"), row("2", "standby")]);
            clock.advance(Duration::from_secs(31));
            listeners.store(row("2", "connected"), clock.now()).await.unwrap();
            assert_eq!(listeners.list(clock.now()).await.unwrap(), [row("2", "connected")]);
            listeners.remove(&row("2", "").listener, "2").await.unwrap();
            assert_eq!(listeners.list(clock.now()).await.unwrap(), []);
        });
    }
}
