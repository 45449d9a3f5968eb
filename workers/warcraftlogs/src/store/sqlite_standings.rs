//! When each player was last fetched and queued, and what its ranks cover: a narrow table beside the collections, so
//! that finding the players who are due reads no player's document.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use stint_core::clock::to_millis;
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::sqlite::{sql_id, to_json};
use super::{Freshness, UnitResults};
use crate::model::{PlayerId, RaidsToScrap};

/// Times are in milliseconds. `raids` is `NULL` for a dropped player, of whom nothing more can be fetched.
///
/// Filled from what an earlier version stored. A document without a date counts as never fetched.
pub(super) const MIGRATION: &str = r#"
    CREATE TABLE standings (
        id INTEGER PRIMARY KEY,
        fetched_at INTEGER,
        queued_at INTEGER,
        raids TEXT
    ) STRICT;

    INSERT INTO standings (id, fetched_at, raids)
    SELECT id, CAST(round(unixepoch(document ->> '$.updatedAt."$date"', 'subsec') * 1000) AS INTEGER),
        (SELECT json_group_object(raid.key, json((
            SELECT json_group_array(CAST(difficulty.key AS INTEGER)) FROM json_each(raid.value) AS difficulty
        ))) FROM json_each(players.document, '$.raids') AS raid)
    FROM players WHERE json_valid(document);

    INSERT INTO standings (id, fetched_at)
    SELECT id, CAST(round(unixepoch(document ->> '$.at."$date"', 'subsec') * 1000) AS INTEGER)
    FROM dropped WHERE json_valid(document)
    ON CONFLICT (id) DO UPDATE SET fetched_at = excluded.fetched_at, raids = NULL;
"#;

/// Discovered players with their standings: `id`, `raids` as discovered, `fetched_at`, what is `covered`, and `kind`.
/// `?1` is when messages are forgotten, `?2` when ranks are stale. Rows of kind `unlike` were fetched in time, and only
/// a comparison of both texts tells whether something is missing.
pub(super) const KINDS: &str = "
    SELECT discovers.id AS id, discovers.raids AS raids, fetched_at, standings.raids AS covered, CASE
        WHEN queued_at > max(?1, ifnull(fetched_at, ?1)) THEN 'waiting'
        WHEN fetched_at > ?2 AND ifnull(standings.raids = discovers.raids, TRUE) THEN 'fresh'
        WHEN fetched_at > ?2 THEN 'unlike'
        ELSE 'due'
    END AS kind
    FROM discovers LEFT JOIN standings ON standings.id = discovers.id";

/// The parameters of [`KINDS`].
pub(super) fn lines(freshness: &Freshness) -> (i64, i64) {
    (to_millis(freshness.forgotten_at), to_millis(freshness.stale_at))
}

/// The data on a player that is stored besides its document.
#[derive(Default)]
pub(super) struct Standing {
    /// Raids and difficulties in which nothing more is to be fetched: the player has ranks there, or is refused them.
    pub(super) covered: RaidsToScrap,
    pub(super) unit_results: UnitResults,
}

/// Reads what is stored of a player. An undecodable value covers nothing: fetching once too often loses no player.
pub(super) fn standing(connection: &Connection, id: PlayerId) -> Result<Standing> {
    let mut select = connection.prepare_cached("SELECT raids, answers FROM standings WHERE id = ?1")?;
    let row = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?));
    let (covered, unit_results) = select.query_row(params![sql_id(id)], row).optional()?.unwrap_or_default();
    Ok(Standing { covered: from_json(covered), unit_results: from_json(unit_results) })
}

/// Decodes a text, or returns the default if it cannot be decoded.
pub(super) fn from_json<T: Default + DeserializeOwned>(text: Option<String>) -> T {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Records that something came of a player: everything that its message asks for at `complete`; `None` while it waits
/// for the rest. A message that was queued later still waits too, and is not forgotten.
pub(super) fn record_fetched(
    connection: &Connection,
    id: PlayerId,
    complete: Option<Timestamp>,
    standing: &Standing,
) -> Result<()> {
    let mut write = connection.prepare_cached(
        "INSERT INTO standings (id, fetched_at, raids, answers) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET fetched_at = ifnull(excluded.fetched_at, fetched_at), raids = excluded.raids,
             answers = excluded.answers,
             queued_at = CASE WHEN excluded.fetched_at IS NULL OR queued_at > excluded.fetched_at THEN queued_at END",
    )?;
    let (covered, unit_results) = (to_json(&standing.covered)?, to_json(&standing.unit_results)?);
    write.execute(params![sql_id(id), complete.map(to_millis), covered, unit_results]).map(drop)
}

/// Records that a player was dropped: nothing more is to be fetched of it.
pub(super) fn was_dropped(connection: &Connection, id: PlayerId, at: Timestamp) -> Result<()> {
    let mut write = connection.prepare_cached(
        "INSERT INTO standings (id, fetched_at) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET fetched_at = excluded.fetched_at, raids = NULL,
             queued_at = CASE WHEN queued_at > excluded.fetched_at THEN queued_at END",
    )?;
    write.execute(params![sql_id(id), to_millis(at)]).map(drop)
}

/// Records that a player's message was sent.
pub(super) fn queued(connection: &Connection, id: PlayerId, at: Timestamp) -> Result<()> {
    let mut write = connection.prepare_cached(
        "INSERT INTO standings (id, queued_at) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET queued_at = max(ifnull(queued_at, ?2), ?2)",
    )?;
    write.execute(params![sql_id(id), to_millis(at)]).map(drop)
}
