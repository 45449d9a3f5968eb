//! The index in SQLite: tables for the user's own queries, in a file of their own.

mod page;
mod schema;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::to_millis;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, Result};
use stint_embedded::upkeep::FileSpec;
use stint_embedded::{Database, Folder, RowSize};

use super::{Changes, Index, IndexCounts, Snapshot};
use schema::{MIGRATIONS, ROWS};

/// The file's name in `STINT_HOME`.
const FILE: &str = "poe-index.db";

/// The index of one realm's stashes.
pub struct SqliteIndex {
    database: Database,
}

impl SqliteIndex {
    /// The specification of the file, for checks, repairs and backups.
    pub const SPEC: FileSpec = FileSpec { name: FILE, migrations: MIGRATIONS, rows: ROWS };

    /// Opens `poe-index.db`. It is here whatever the fleet's queues are, and needs no other file.
    pub fn open(folder: &Folder) -> PortResult<SqliteIndex> {
        Ok(SqliteIndex { database: folder.database_for(RowSize::Large, FILE, MIGRATIONS)? })
    }
}

#[async_trait]
impl Index for SqliteIndex {
    async fn apply(&self, snapshot: Snapshot) -> PortResult<Changes> {
        self.database.write("apply a page", move |connection| page::apply(connection, &snapshot)).await
    }

    async fn delete_events(&self, before: Timestamp) -> PortResult<()> {
        let before = to_millis(before);
        let forget = self.database.write("delete events", move |connection| {
            connection.prepare_cached("DELETE FROM events WHERE at < ?1")?.execute([before]).map(|_| ())
        });
        forget.await
    }

    async fn counts(&self) -> PortResult<IndexCounts> {
        let count = |connection: &Connection, statement| -> Result<u64> {
            let count: i64 = connection.query_row(statement, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let counts = self.database.read("count stashes and items", move |connection| {
            let stashes = count(connection, "SELECT count(*) FROM stashes WHERE listed = 1")?;
            Ok(IndexCounts { stashes, items: count(connection, "SELECT count(*) FROM items")? })
        });
        counts.await
    }
}
