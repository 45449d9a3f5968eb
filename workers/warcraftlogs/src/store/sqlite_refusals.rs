//! What the upstream refuses, to single players and to all of them, in SQLite: in the standings, and in a table of a
//! few rows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::clock::from_millis;
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::sqlite::{sql_id, to_json};
use super::sqlite_standings::{Standing, from_json, record_fetched, standing};
use super::{FetchedPlayer, PlayerResults, Refusals, StoredResults, UnitResult, UnitResults};
use crate::model::{Player, PlayerId, RaidsToScrap, Unit};

/// `answers` has the latest result of each raid and difficulty of a player.
pub(super) const MIGRATION: &str = "
    ALTER TABLE standings ADD COLUMN answers TEXT;

    CREATE TABLE refusals (
        raid INTEGER NOT NULL,
        difficulty INTEGER NOT NULL,
        in_a_row INTEGER NOT NULL,
        served INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (raid, difficulty)
    ) STRICT, WITHOUT ROWID;
";

/// The refusals and successes in several responses.
pub(super) struct RefusalCounts {
    refused: BTreeMap<Unit, Refusal>,
    served: RaidsToScrap,
}

/// The refusals and successes for one raid and difficulty.
pub(super) struct Refusal {
    players: u32,
    reason: String,
    /// Whether one of the players has earlier ranks.
    served: bool,
}

impl RefusalCounts {
    pub(super) fn new() -> RefusalCounts {
        RefusalCounts { refused: BTreeMap::new(), served: RaidsToScrap::default() }
    }

    /// Counts what is refused to a player for the first time.
    pub(super) fn take_in(&mut self, fetched: &FetchedPlayer, known: &UnitResults, stored: Option<&Player>) {
        self.served.merge(&fetched.player.ranked_in());
        let ranked = stored.map(Player::ranked_in).unwrap_or_default();
        for (unit, reason) in fetched.refused.iter().filter(|(unit, _)| !known.is_refused(*unit)) {
            let new = || Refusal { players: 0, reason: reason.clone(), served: false };
            let refusal = self.refused.entry(*unit).or_insert_with(new);
            refusal.players += 1;
            refusal.served |= ranked.covers(&RaidsToScrap::one(unit.0, unit.1));
        }
    }

    /// Stores the counts. A player who is served clears the rule.
    pub(super) fn keep(&self, connection: &Connection) -> Result<()> {
        self.refused.iter().try_for_each(|(unit, refusal)| count(connection, *unit, refusal))?;
        let mut mark_served = connection
            .prepare_cached("UPDATE refusals SET served = 1 WHERE raid = ?1 AND difficulty = ?2 AND served = 0")?;
        self.served.units().try_for_each(|(raid, difficulty)| mark_served.execute(params![raid, difficulty]).map(drop))
    }
}

fn count(connection: &Connection, unit: Unit, refusal: &Refusal) -> Result<()> {
    let (raid, difficulty) = unit;
    let mut known = connection.prepare_cached("SELECT 1 FROM refusals WHERE raid = ?1 AND difficulty = ?2")?;
    let served = if known.exists(params![raid, difficulty])? { false } else { was_served(connection, unit)? };
    let mut count = connection.prepare_cached(
        "INSERT INTO refusals (raid, difficulty, in_a_row, served, reason) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (raid, difficulty) DO UPDATE SET in_a_row = in_a_row + excluded.in_a_row,
             served = max(served, excluded.served), reason = excluded.reason",
    )?;
    let Refusal { players, reason, served: by_one } = refusal;
    count.execute(params![raid, difficulty, players, served || *by_one, reason]).map(drop)
}

/// Whether any player has ranks in a raid and difficulty. Queried once, when it is refused for the first time.
fn was_served(connection: &Connection, unit: Unit) -> Result<bool> {
    let mut select = connection.prepare_cached("SELECT raids, answers FROM standings WHERE raids LIKE ?1")?;
    let mut rows = select.query(params![format!("%\"{}\":%", unit.0)])?;
    while let Some(row) = rows.next()? {
        let Standing { covered, unit_results } = read(row, 0)?;
        if covered.covers(&RaidsToScrap::one(unit.0, unit.1)) && !unit_results.is_refused(unit) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(row: &Row<'_>, first: usize) -> Result<Standing> {
    Ok(Standing { covered: from_json(row.get(first)?), unit_results: from_json(row.get(first + 1)?) })
}

/// Records what is not requested of a player.
pub(super) fn refuse(
    connection: &Connection,
    player: PlayerId,
    refused: &[(Unit, String)],
    at: Timestamp,
) -> Result<()> {
    let Standing { mut covered, mut unit_results } = standing(connection, player)?;
    for (unit, reason) in refused {
        covered.insert(unit.0, unit.1);
        unit_results.insert(*unit, UnitResult::Refused(reason.clone()));
    }
    record_fetched(connection, player, Some(at), &Standing { covered, unit_results })
}

/// Reads the results of these players, and the refusals for all players.
pub(super) fn known(connection: &Connection, ids: &[PlayerId]) -> Result<StoredResults> {
    let mut select = connection.prepare_cached("SELECT fetched_at, raids, answers FROM standings WHERE id = ?1")?;
    let mut known = StoredResults { refusals: refusals(connection)?, ..StoredResults::default() };
    for id in ids {
        let fetched = |row: &Row<'_>| {
            let dropped = row.get::<_, Option<String>>(1)?.is_none();
            let fetched_at: Option<i64> = row.get(0)?;
            let complete_at = fetched_at.map(from_millis);
            Ok(PlayerResults {
                dropped_at: complete_at.filter(|_| dropped),
                complete_at,
                unit_results: from_json(row.get(2)?),
            })
        };
        if let Some(fetched) = select.query_row(params![sql_id(*id)], fetched).optional()? {
            known.players.insert(*id, fetched);
        }
    }
    Ok(known)
}

/// The refused raids and difficulties that no player is known to have been served.
pub(super) fn refusals(connection: &Connection) -> Result<BTreeMap<Unit, Refusals>> {
    let mut select =
        connection.prepare_cached("SELECT raid, difficulty, in_a_row, reason FROM refusals WHERE served = 0")?;
    let rows = select.query_map([], |row| {
        let refusals = Refusals { in_a_row: row.get(2)?, served: false, reason: row.get(3)? };
        Ok(((row.get(0)?, row.get(1)?), refusals))
    })?;
    rows.collect()
}

/// For a new rule: what the upstream refused of its raid and difficulty is requested again.
pub(super) fn forget(connection: &Connection, unit: Unit) -> Result<()> {
    let deleted = connection
        .prepare_cached("DELETE FROM refusals WHERE raid = ?1 AND difficulty = ?2")?
        .execute(params![unit.0, unit.1])?;
    if deleted == 0 {
        return Ok(());
    }
    let mut select = connection.prepare_cached("SELECT id, raids, answers FROM standings WHERE answers LIKE ?1")?;
    let mut rows = select.query(params![format!("%\"{}\":%", unit.0)])?;
    let mut cleared: Vec<(i64, Standing)> = Vec::new();
    while let Some(row) = rows.next()? {
        let mut standing = read(row, 1)?;
        if standing.unit_results.clear_refusal(unit) {
            standing.covered.remove(unit.0, unit.1);
            cleared.push((row.get(0)?, standing));
        }
    }
    let mut write = connection
        .prepare_cached("UPDATE standings SET raids = ?2, answers = ?3 WHERE id = ?1 AND raids IS NOT NULL")?;
    cleared.iter().try_for_each(|(id, Standing { covered, unit_results })| {
        write.execute(params![id, to_json(covered)?, to_json(unit_results)?]).map(drop)
    })
}
