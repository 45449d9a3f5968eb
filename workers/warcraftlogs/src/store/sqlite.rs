//! The collections in a SQLite file, `warcraftlogs.db`. Documents are kept as the JSON of their model; what is searched
//! for stands beside them in columns.

use std::sync::Arc;

use async_trait::async_trait;
use stint_core::clock::Clock;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, Result, Row, params};
use stint_embedded::{Database, Embedded};

use super::{Damaged, Discovered, Discovers, Page};
use crate::model::{PlayerId, RaidsToScrap};

/// The file's name in `STINT_HOME`.
const FILE: &str = "warcraftlogs.db";

/// Numbered by their place: append, never change.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE rules (
        id TEXT PRIMARY KEY,
        document TEXT NOT NULL,
        last_run INTEGER,
        lease INTEGER NOT NULL DEFAULT 0,
        leased_until INTEGER,
        rest TEXT,
        resting_until INTEGER,
        pass TEXT
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE discovers (id INTEGER PRIMARY KEY, raids TEXT NOT NULL) STRICT;

    CREATE TABLE players (
        id INTEGER PRIMARY KEY,
        region TEXT NOT NULL,
        server_slug TEXT NOT NULL,
        server_name TEXT NOT NULL,
        server_normalized TEXT NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX players_by_server ON players (region, server_slug, server_name, server_normalized, id);

    CREATE TABLE dropped (id INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
"];

/// All collections of the fleet in one file.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) database: Database,
    pub(super) clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the fleet's file in the folder of `embedded`.
    pub fn open(embedded: &Embedded, clock: Arc<dyn Clock>) -> PortResult<SqliteStore> {
        Ok(SqliteStore { database: embedded.database(FILE, MIGRATIONS)?, clock })
    }
}

#[async_trait]
impl Discovers for SqliteStore {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        let seen = seen.to_vec();
        let merge = move |connection: &Connection| {
            let mut read = connection.prepare_cached("SELECT raids FROM discovers WHERE id = ?1")?;
            let mut write =
                connection.prepare_cached("INSERT OR REPLACE INTO discovers (id, raids) VALUES (?1, ?2)")?;
            for player in &seen {
                let mut stored = read.query(params![sql_id(player.id)])?;
                // What cannot be read is replaced by what can: it would never be queued otherwise.
                let known = stored.next()?.map(|row| row.get::<_, String>(0)).transpose()?;
                let known: Option<RaidsToScrap> = known.and_then(|raids| serde_json::from_str(&raids).ok());
                let mut raids = known.clone().unwrap_or_default();
                raids.merge(&player.raids_to_scrap);
                if known.as_ref() != Some(&raids) {
                    write.execute(params![sql_id(player.id), to_json(&raids)?])?;
                }
            }
            Ok(())
        };
        self.database.write("merge discovered players", merge).await
    }

    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>> {
        let rows = move |connection: &Connection| {
            let mut select =
                connection.prepare_cached("SELECT id, raids FROM discovers WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let rows = select.query_map(params![after.map_or(-1, sql_id), sql_count(max)], id_and_text)?;
            rows.collect::<Result<Vec<_>>>()
        };
        let rows = self.database.read("read discovered players", rows).await?;
        Ok(page(rows, max, |id, raids| Ok(Discovered { id, raids_to_scrap: serde_json::from_str(raids)? })))
    }

    async fn delete_unchanged(&self, sent: &[Discovered]) -> PortResult<()> {
        let sent = sent.to_vec();
        let delete = move |connection: &Connection| {
            let mut delete = connection.prepare_cached("DELETE FROM discovers WHERE id = ?1 AND raids = ?2")?;
            for player in &sent {
                delete.execute(params![sql_id(player.id), to_json(&player.raids_to_scrap)?])?;
            }
            Ok(())
        };
        self.database.write("delete queued players from the discovered ones", delete).await
    }

    async fn count(&self) -> PortResult<u64> {
        let count = |connection: &Connection| count(connection, "SELECT count(*) FROM discovers");
        self.database.read("count discovered players", count).await
    }
}

/// Turns rows of id and document into a page. A full page has a successor.
pub(super) fn page<T>(
    rows: Vec<(i64, String)>,
    max: usize,
    read: impl Fn(PlayerId, &str) -> serde_json::Result<T>,
) -> Page<T, PlayerId> {
    let last = rows.last().map(|(id, _)| id.cast_unsigned());
    let mut page = Page { documents: Vec::new(), damaged: Vec::new(), next: last.filter(|_| rows.len() == max) };
    for (id, text) in rows {
        match read(id.cast_unsigned(), &text) {
            Ok(document) => page.documents.push(document),
            Err(error) => page.damaged.push(Damaged { id: id.to_string(), reason: error.to_string() }),
        }
    }
    page
}

pub(super) fn id_and_text(row: &Row<'_>) -> Result<(i64, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

pub(super) fn count(connection: &Connection, sql: &str) -> Result<u64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Ids are read as SQLite has them and written the same way: signed, bit for bit.
pub(super) fn sql_id(id: PlayerId) -> i64 {
    id.cast_signed()
}

pub(super) fn sql_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| stint_embedded::rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
