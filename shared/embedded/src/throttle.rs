//! Throttles on SQLite. The local host reads them before it starts an invocation.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::ports::{Concurrency, PortResult, Throttle};

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

    async fn set_paused(&self, what: &'static str, worker: &str, paused: bool) -> PortResult<()> {
        let worker = worker.to_owned();
        let write = self.database.write(what, move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO throttles (worker, paused) VALUES (?1, ?2)
                 ON CONFLICT (worker) DO UPDATE SET paused = excluded.paused WHERE paused <> excluded.paused",
            )?;
            statement.execute(params![worker, paused]).map(|_| ())
        });
        write.await
    }
}

#[async_trait]
impl Throttle for SqliteThrottle {
    async fn read(&self, worker: &str) -> PortResult<Concurrency> {
        let worker = worker.to_owned();
        let read = self.database.read("read a throttle", move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT concurrency, paused FROM throttles WHERE worker = ?1")?;
            let row = statement.query_row([worker], |row| Ok(Concurrency { set: row.get(0)?, paused: row.get(1)? }));
            row.optional()
        });
        Ok(read.await?.unwrap_or(Concurrency { set: None, paused: false }))
    }

    async fn set(&self, worker: &str, concurrency: u32) -> PortResult<()> {
        let worker = worker.to_owned();
        let write = self.database.write("set a throttle", move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO throttles (worker, concurrency) VALUES (?1, ?2) ON CONFLICT (worker)
                 DO UPDATE SET concurrency = excluded.concurrency WHERE concurrency IS NOT excluded.concurrency",
            )?;
            statement.execute(params![worker, concurrency]).map(|_| ())
        });
        write.await
    }

    async fn pause(&self, worker: &str) -> PortResult<()> {
        self.set_paused("pause a worker", worker, true).await
    }

    async fn resume(&self, worker: &str) -> PortResult<()> {
        self.set_paused("resume a worker", worker, false).await
    }
}
