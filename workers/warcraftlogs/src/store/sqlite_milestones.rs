//! When the fleet last passed its stages, in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, params};

use super::sqlite::SqliteStore;
use super::{Milestone, MilestoneTimes, Milestones};

/// Times are in milliseconds.
pub(super) const MIGRATION: &str =
    "CREATE TABLE milestones (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

#[async_trait]
impl Milestones for SqliteStore {
    async fn reached(&self) -> PortResult<MilestoneTimes> {
        let read = |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT name, at FROM milestones")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            rows.collect::<stint_embedded::rusqlite::Result<Vec<(String, i64)>>>()
        };
        let mut reached = MilestoneTimes::default();
        for (name, at) in self.database.read("read the fleet's milestones", read).await? {
            if let Some(milestone) = Milestone::ALL.into_iter().find(|milestone| milestone.name() == name) {
                reached.set(milestone, from_millis(at));
            }
        }
        Ok(reached)
    }

    async fn pass(&self, milestone: Milestone, at: Timestamp) -> PortResult<()> {
        let (name, at) = (milestone.name(), to_millis(at));
        let write = move |connection: &Connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO milestones (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            )?;
            upsert.execute(params![name, at])
        };
        self.database.write("keep a milestone of the fleet", write).await.map(drop)
    }
}
