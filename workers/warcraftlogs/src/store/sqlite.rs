//! The collections in a SQLite file, `warcraftlogs.db`. Documents are stored as the JSON of their model; the values
//! that queries search for are also in columns.

use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use stint_core::clock::Clock;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::types::ToSqlOutput;
use stint_embedded::rusqlite::{Connection, Error, Result, Row, ToSql};
use stint_embedded::upkeep::{FileSpec, RowRule};
use stint_embedded::{Database, Embedded};

use super::{
    Damaged, Page, sqlite_milestones, sqlite_refreshed, sqlite_refusals, sqlite_rests, sqlite_standings, sqlite_zones,
};
use super::{Dropped, Rule};
use crate::model::{Player, PlayerId, RaidsToScrap};

/// The file's name in `STINT_HOME`.
const FILE: &str = "warcraftlogs.db";

/// Numbered by position: only append, never change.
const MIGRATIONS: &[&str] = &[
    "
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
",
    sqlite_standings::MIGRATION,
    "ALTER TABLE rules ADD COLUMN listed_until INTEGER;",
    sqlite_rests::MIGRATION,
    sqlite_milestones::MIGRATION,
    sqlite_zones::MIGRATION,
    sqlite_refusals::MIGRATION,
    sqlite_refreshed::MIGRATION,
];

/// Checks on the rows. Other stored JSON is rebuilt if it cannot be decoded.
const ROWS: &[RowRule] = &[
    document("players", "id", "document", reads::<Player>),
    document("discovers", "id", "raids", reads::<RaidsToScrap>),
    document("dropped", "id", "document", reads::<Dropped>),
    document("rules", "id", "document", reads::<Rule>),
];

/// A player whose document is removed is discovered again.
const fn document(
    table: &'static str,
    key: &'static str,
    column: &'static str,
    read: fn(&str) -> std::result::Result<(), String>,
) -> RowRule {
    RowRule::Decodes { table, key, column, read, removable: true }
}

fn reads<T: DeserializeOwned>(text: &str) -> std::result::Result<(), String> {
    serde_json::from_str::<T>(text).map(drop).map_err(|error| error.to_string())
}

/// All collections of the fleet in one file.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) database: Database,
    pub(super) clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// The file, for commands that check and repair files.
    pub const FILES: [FileSpec; 1] = [FileSpec { name: FILE, migrations: MIGRATIONS, rows: ROWS }];

    /// Whether the file is in the folder `home`. Opening the collections creates it.
    pub fn is_at(home: &Path) -> bool {
        home.join(FILE).is_file()
    }

    /// Opens the fleet's file in the folder of `embedded`.
    pub fn open(embedded: &Embedded, clock: Arc<dyn Clock>) -> PortResult<SqliteStore> {
        Ok(SqliteStore { database: embedded.database(FILE, MIGRATIONS)?, clock })
    }
}

/// Makes a page of rows of id and document. A full page has a successor.
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

/// An id as a statement's parameter. An id that SQLite cannot represent is refused, with an error that names it.
pub(super) struct SqlId(PlayerId);

pub(super) fn sql_id(id: PlayerId) -> SqlId {
    SqlId(id)
}

impl ToSql for SqlId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        let id = i64::try_from(self.0).map_err(|_| {
            let reason = format!("{} is not a player's id: ids end at {}", self.0, i64::MAX);
            Error::ToSqlConversionFailure(reason.into())
        });
        id.map(ToSqlOutput::from)
    }
}

/// The position after an id; the beginning if there is none.
pub(super) fn sql_after(after: Option<PlayerId>) -> i64 {
    after.map_or(-1, |id| i64::try_from(id).unwrap_or(i64::MAX))
}

pub(super) fn sql_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| stint_embedded::rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
