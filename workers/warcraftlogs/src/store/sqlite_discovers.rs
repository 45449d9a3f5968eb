//! Discovered players in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::from_millis;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, params};

use super::sqlite::{SqliteStore, count, id_and_text, page, sql_after, sql_count, sql_id, to_json};
use super::sqlite_standings::{KINDS, lines, queued};
use super::sqlite_zones::frozen;
use super::{Backlog, Damaged, Discovered, Discovers, Due, Freshness, Frozen, Page};
use crate::model::{PlayerId, RaidsToScrap};

#[async_trait]
impl Discovers for SqliteStore {
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()> {
        let seen = seen.to_vec();
        let merge = move |connection: &Connection| seen.iter().try_for_each(|player| merge(connection, player));
        self.database.write("merge discovered players", merge).await
    }

    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>> {
        let rows = move |connection: &Connection| {
            let mut select =
                connection.prepare_cached("SELECT id, raids FROM discovers WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let rows = select.query_map(params![sql_after(after), sql_count(max)], id_and_text)?;
            rows.collect::<Result<Vec<_>>>()
        };
        let rows = self.database.read("read discovered players", rows).await?;
        Ok(page(rows, max, discovered))
    }

    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>> {
        let freshness = *freshness;
        let due = move |connection: &Connection| due(connection, after, max, &freshness);
        self.database.read("find due players", due).await
    }

    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>> {
        let ids = ids.to_vec();
        let rows = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT id, raids FROM discovers WHERE id = ?1")?;
            let rows = ids.iter().map(|id| select.query_row(params![sql_id(*id)], id_and_text).optional());
            rows.filter_map(Result::transpose).collect::<Result<Vec<_>>>()
        };
        let rows = self.database.read("read discovered players", rows).await?;
        Ok(page(rows, usize::MAX, discovered))
    }

    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>> {
        let players = players.to_vec();
        let still_wanted = move |connection: &Connection| still_wanted(connection, players);
        self.database.read("find the ranks still to be fetched", still_wanted).await
    }

    async fn mark_sent(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()> {
        let sent = sent.to_vec();
        let mark_sent = move |connection: &Connection| {
            let mut delete = connection.prepare_cached("DELETE FROM discovers WHERE id = ?1 AND raids = ?2")?;
            for player in &sent {
                delete.execute(params![sql_id(player.id), to_json(&player.raids_to_scrap)?])?;
                queued(connection, player.id, queued_at)?;
            }
            Ok(())
        };
        self.database.write("mark players as sent", mark_sent).await
    }

    async fn forget_queued(&self) -> PortResult<()> {
        let forget = |connection: &Connection| {
            connection.execute("UPDATE standings SET queued_at = NULL WHERE queued_at IS NOT NULL", []).map(drop)
        };
        self.database.write("clear queued players", forget).await
    }

    async fn count(&self) -> PortResult<u64> {
        let count = |connection: &Connection| count(connection, "SELECT count(*) FROM discovers");
        self.database.read("count discovered players", count).await
    }

    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog> {
        let freshness = *freshness;
        let backlog = move |connection: &Connection| backlog(connection, &freshness);
        self.database.read("count due players", backlog).await
    }
}

fn merge(connection: &Connection, player: &Discovered) -> Result<()> {
    let mut read = connection.prepare_cached("SELECT raids FROM discovers WHERE id = ?1")?;
    let known = read.query_row(params![sql_id(player.id)], |row| row.get::<_, String>(0)).optional()?;
    // An undecodable document is replaced: otherwise its player would never be queued.
    let known: Option<RaidsToScrap> = known.and_then(|raids| serde_json::from_str(&raids).ok());
    let mut raids = known.clone().unwrap_or_default();
    raids.merge(&player.raids_to_scrap);
    if known.as_ref() != Some(&raids) {
        let mut write = connection.prepare_cached("INSERT OR REPLACE INTO discovers (id, raids) VALUES (?1, ?2)")?;
        write.execute(params![sql_id(player.id), to_json(&raids)?])?;
    }
    Ok(())
}

fn discovered(id: PlayerId, raids: &str) -> serde_json::Result<Discovered> {
    Ok(Discovered { id, raids_to_scrap: serde_json::from_str(raids)? })
}

/// A page of the players who are due. It is full, and has a successor, if that many rows had to be read.
fn due(
    connection: &Connection,
    after: Option<PlayerId>,
    max: usize,
    freshness: &Freshness,
) -> Result<Page<Due, PlayerId>> {
    let (forgotten_at, stale_at) = lines(freshness);
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, raids, fetched_at, covered, kind FROM ({KINDS})
         WHERE id > ?3 AND kind IN ('due', 'unlike') ORDER BY id LIMIT ?4"
    ))?;
    let mut rows = select.query(params![forgotten_at, stale_at, sql_after(after), sql_count(max)])?;
    let mut page = Page { documents: Vec::new(), damaged: Vec::new(), next: None };
    let (frozen, mut looked_at, mut last) = (frozen(connection)?, 0, None);
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?.cast_unsigned();
        (looked_at, last) = (looked_at + 1, Some(id));
        let raids = row.get_ref(1)?.as_str()?;
        let unlike = row.get_ref(4)?.as_str()? == "unlike";
        match serde_json::from_str(raids) {
            Ok(raids) if unlike && is_covered(&raids, row.get_ref(3)?.as_str()?) => {}
            Ok(raids) if is_settled(&frozen, &raids, row.get(3)?, row.get(2)?) => {}
            Ok(_) => {
                page.documents.push(Due { id, fetched_at: row.get::<_, Option<i64>>(2)?.map(from_millis) });
            }
            Err(error) => page.damaged.push(Damaged { id: id.to_string(), reason: error.to_string() }),
        }
    }
    page.next = last.filter(|_| looked_at == max);
    Ok(page)
}

fn backlog(connection: &Connection, freshness: &Freshness) -> Result<Backlog> {
    let (forgotten_at, stale_at) = lines(freshness);
    let mut select = connection.prepare_cached(&format!("SELECT kind, raids, covered, fetched_at FROM ({KINDS})"))?;
    let mut rows = select.query(params![forgotten_at, stale_at])?;
    let (frozen, mut backlog) = (frozen(connection)?, Backlog::default());
    while let Some(row) = rows.next()? {
        match row.get_ref(0)?.as_str()? {
            "waiting" => backlog.waiting += 1,
            "fresh" => backlog.fresh += 1,
            "unlike" => {
                let raids = serde_json::from_str(row.get_ref(1)?.as_str()?);
                let covered = row.get_ref(2)?.as_str()?;
                let fresh = raids.is_ok_and(|raids: RaidsToScrap| is_covered(&raids, covered));
                *if fresh { &mut backlog.fresh } else { &mut backlog.due } += 1;
            }
            _ => {
                let settled = !frozen.0.is_empty()
                    && serde_json::from_str(row.get_ref(1)?.as_str()?).is_ok_and(|raids| {
                        is_settled(&frozen, &raids, row.get(2).unwrap_or_default(), row.get(3).ok().flatten())
                    });
                *if settled { &mut backlog.fresh } else { &mut backlog.due } += 1;
            }
        }
    }
    Ok(backlog)
}

/// Whether everything is frozen and was fetched since. Undecodable text covers nothing; `None` covers everything, since
/// the player was dropped.
fn is_settled(frozen: &Frozen, raids: &RaidsToScrap, covered: Option<String>, fetched_at: Option<i64>) -> bool {
    if frozen.0.is_empty() {
        return false;
    }
    let covered = covered.map(|covered| serde_json::from_str(&covered).unwrap_or_default());
    frozen.settles(raids, covered.as_ref(), fetched_at.map(from_millis))
}

/// Removes what is frozen and was fetched since.
fn still_wanted(connection: &Connection, mut players: Vec<Discovered>) -> Result<Vec<Discovered>> {
    let frozen = frozen(connection)?;
    if frozen.0.is_empty() {
        return Ok(players);
    }
    let mut select = connection.prepare_cached("SELECT fetched_at, raids FROM standings WHERE id = ?1")?;
    for player in &mut players {
        let standing = select.query_row(params![sql_id(player.id)], |row| {
            Ok((row.get::<_, Option<i64>>(0)?.map(from_millis), row.get::<_, Option<String>>(1)?))
        });
        let Some((fetched_at, covered)) = standing.optional()? else { continue };
        let covered = covered.map(|covered| serde_json::from_str(&covered).unwrap_or_default());
        player.raids_to_scrap = frozen.still_wanted(&player.raids_to_scrap, covered.as_ref(), fetched_at);
    }
    Ok(players)
}

/// Undecodable text covers nothing: fetching once too often loses no player.
fn is_covered(raids: &RaidsToScrap, covered: &str) -> bool {
    serde_json::from_str::<RaidsToScrap>(covered).is_ok_and(|covered| covered.covers(raids))
}
