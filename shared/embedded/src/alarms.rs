//! Alarms' records on SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::ports::{AlarmId, AlarmRecord, AlarmRecords, PortError, PortResult};

use crate::database::Database;

/// The alarms of a [`Database`].
pub struct SqliteAlarms {
    database: Database,
}

impl SqliteAlarms {
    /// Creates the alarms of a database that has their table.
    pub fn new(database: &Database) -> SqliteAlarms {
        SqliteAlarms { database: database.clone() }
    }
}

#[async_trait]
impl AlarmRecords for SqliteAlarms {
    async fn load(&self, id: &AlarmId) -> PortResult<Option<(u64, AlarmRecord)>> {
        let key = id.key();
        let read = self.database.read("read an alarm", move |connection| {
            let mut statement = connection.prepare_cached("SELECT version, record FROM alarms WHERE alarm = ?1")?;
            statement.query_row([key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()
        });
        let Some((version, record)) = read.await? else { return Ok(None) };
        Ok(Some((version.unsigned_abs(), parse(&id.key(), &record)?)))
    }

    async fn replace(&self, version: u64, record: &AlarmRecord) -> PortResult<bool> {
        let (key, seen) = (record.id.key(), version.cast_signed());
        let text = serde_json::to_string(record)
            .map_err(|error| PortError::backend(format!("could not store the alarm '{key}'"), error))?;
        let write = self.database.write("keep an alarm", move |connection| {
            let mut statement = connection.prepare_cached(if seen == 0 {
                "INSERT INTO alarms (alarm, version, record) VALUES (?1, ?2 + 1, ?3) ON CONFLICT (alarm) DO NOTHING"
            } else {
                "UPDATE alarms SET version = ?2 + 1, record = ?3 WHERE alarm = ?1 AND version = ?2"
            })?;
            statement.execute(params![key, seen, text]).map(|changed| changed > 0)
        });
        write.await
    }

    async fn list(&self) -> PortResult<Vec<AlarmRecord>> {
        let read = self.database.read("read the alarms", |connection| {
            let mut statement = connection.prepare_cached("SELECT alarm, record FROM alarms ORDER BY alarm")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        read.await?.iter().map(|(key, record)| parse(key, record)).collect()
    }
}

fn parse(key: &str, record: &str) -> PortResult<AlarmRecord> {
    serde_json::from_str(record).map_err(|error| PortError::backend(format!("could not read the alarm '{key}'"), error))
}
