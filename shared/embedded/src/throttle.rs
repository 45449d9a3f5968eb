//! Throttles on SQLite. The local host reads them before it starts an invocation.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::ports::{Concurrency, PortResult, Throttle};
use stint_core::worker::WorkerId;

use crate::database::Database;

/// The throttles of a [`Database`].
pub struct SqliteThrottle {
    database: Database,
}

impl SqliteThrottle {
    /// Creates the throttles of a database that has their table.
    pub fn new(database: &Database) -> SqliteThrottle {
        SqliteThrottle { database: database.clone() }
    }

    async fn set_paused(&self, what: &'static str, worker: &WorkerId, paused: bool) -> PortResult<()> {
        let WorkerId { fleet, name } = worker.clone();
        let write = self.database.write(what, move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO throttles (fleet, worker, paused) VALUES (?1, ?2, ?3)
                 ON CONFLICT (fleet, worker) DO UPDATE SET paused = excluded.paused WHERE paused <> excluded.paused",
            )?;
            statement.execute(params![fleet, name, paused]).map(|_| ())
        });
        write.await
    }
}

#[async_trait]
impl Throttle for SqliteThrottle {
    async fn read(&self, worker: &WorkerId) -> PortResult<Concurrency> {
        let WorkerId { fleet, name } = worker.clone();
        let read = self.database.read("read a throttle", move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT concurrency, paused FROM throttles WHERE fleet = ?1 AND worker = ?2")?;
            let row =
                statement.query_row([fleet, name], |row| Ok(Concurrency { limit: row.get(0)?, paused: row.get(1)? }));
            row.optional()
        });
        Ok(read.await?.unwrap_or(Concurrency { limit: None, paused: false }))
    }

    async fn set(&self, worker: &WorkerId, concurrency: u32) -> PortResult<()> {
        let WorkerId { fleet, name } = worker.clone();
        let write = self.database.write("set a throttle", move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO throttles (fleet, worker, concurrency) VALUES (?1, ?2, ?3) ON CONFLICT (fleet, worker)
                 DO UPDATE SET concurrency = excluded.concurrency WHERE concurrency IS NOT excluded.concurrency",
            )?;
            statement.execute(params![fleet, name, concurrency]).map(|_| ())
        });
        write.await
    }

    async fn pause(&self, worker: &WorkerId) -> PortResult<()> {
        self.set_paused("pause a worker", worker, true).await
    }

    async fn resume(&self, worker: &WorkerId) -> PortResult<()> {
        self.set_paused("resume a worker", worker, false).await
    }
}
