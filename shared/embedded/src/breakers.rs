//! Circuit breaker records on SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::circuit::Circuit;
use stint_core::ports::{Breakers, PortError, PortResult};

use crate::database::Database;

/// The breaker records of a [`Database`].
pub struct SqliteBreakers {
    database: Database,
}

impl SqliteBreakers {
    /// Creates the breakers of a database that has their table.
    pub fn new(database: &Database) -> SqliteBreakers {
        SqliteBreakers { database: database.clone() }
    }
}

#[async_trait]
impl Breakers for SqliteBreakers {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        let name = upstream.to_owned();
        let read = self.database.read("read a breaker", move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT version, record FROM breakers WHERE upstream = ?1")?;
            statement.query_row([name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()
        });
        let Some((version, record)) = read.await? else { return Ok((0, Circuit::default())) };
        let circuit = serde_json::from_str(&record)
            .map_err(|error| PortError::backend(format!("could not read the breaker of {upstream}"), error))?;
        Ok((version.unsigned_abs(), circuit))
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        let (name, seen) = (upstream.to_owned(), version.cast_signed());
        let record = serde_json::to_string(circuit)
            .map_err(|error| PortError::backend(format!("could not store the breaker of {upstream}"), error))?;
        let write = self.database.write("keep a breaker", move |connection| {
            let mut statement = connection.prepare_cached(if seen == 0 {
                "INSERT INTO breakers (upstream, version, record) VALUES (?1, ?2 + 1, ?3) ON CONFLICT (upstream) DO NOTHING"
            } else {
                "UPDATE breakers SET version = ?2 + 1, record = ?3 WHERE upstream = ?1 AND version = ?2"
            })?;
            statement.execute(params![name, seen, record]).map(|changed| changed > 0)
        });
        write.await
    }
}
