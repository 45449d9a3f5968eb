//! Players and dropped players in SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::{PortError, PortResult};
use stint_embedded::rusqlite::types::Value;
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, params, params_from_iter};

use super::import_counts::{Relation, missing};
use super::sqlite::{SqliteStore, count, id_and_text, page, sql_after, sql_count, sql_id, to_json};
use super::sqlite_refusals::{RefusalCounts, known, refuse};
use super::sqlite_standings::{Standing, record_fetched, standing, was_dropped};
use super::{
    Damaged, Dropped, FetchedPlayer, ImportCounts, Page, PlayerCounts, PlayerKey, Players, RefusedPlayer, StoredResults,
};
use crate::model::{Player, PlayerId, RaidsToScrap};

#[async_trait]
impl Players for SqliteStore {
    async fn upsert(&self, players: &[Player]) -> PortResult<()> {
        if players.is_empty() {
            return Ok(());
        }
        let fetched: Vec<FetchedPlayer> = players.iter().cloned().map(FetchedPlayer::from).collect();
        self.store(&fetched).await
    }

    async fn store(&self, fetched: &[FetchedPlayer]) -> PortResult<()> {
        let fetched = fetched.to_vec();
        let store = move |connection: &Connection| {
            let mut refused = RefusalCounts::new();
            fetched.into_iter().try_for_each(|fetched| store(connection, fetched, &mut refused))?;
            refused.keep(connection)
        };
        self.database.write("store players", store).await
    }

    async fn refuse(&self, refused_players: &[RefusedPlayer], at: Timestamp) -> PortResult<()> {
        let refused_players = refused_players.to_vec();
        let record = move |connection: &Connection| {
            refused_players.iter().try_for_each(|player| {
                player.dropped(at).map_or(Ok(()), |dropped| keep_dropped(connection, &dropped))?;
                refuse(connection, player.id, &player.refused, at)
            })
        };
        self.database.write("record refusals", record).await
    }

    async fn known(&self, ids: &[PlayerId]) -> PortResult<StoredResults> {
        let ids = ids.to_vec();
        self.database.read("read the stored results of players", move |connection| known(connection, &ids)).await
    }

    async fn import(&self, players: &[Player]) -> PortResult<ImportCounts> {
        let players = players.to_vec();
        let import = move |connection: &Connection| {
            let mut taken = ImportCounts::default();
            for player in players.iter().cloned() {
                taken.count(take_over_one(connection, player)?);
            }
            Ok(taken)
        };
        self.database.write("import players", import).await
    }

    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        let dropped = dropped.to_vec();
        let record = move |connection: &Connection| {
            dropped.iter().try_for_each(|player| {
                keep_dropped(connection, player)?;
                was_dropped(connection, player.id, player.at)
            })
        };
        self.database.write("record dropped players", record).await
    }

    async fn page(&self, after: Option<&PlayerKey>, max: usize) -> PortResult<Page<Player, PlayerKey>> {
        let after = after.cloned();
        let rows = move |connection: &Connection| select_page(connection, after.as_ref(), max);
        let rows = self.database.read("read players", rows).await?;
        let next = rows.last().map(|(key, _)| key.clone()).filter(|_| rows.len() == max);
        let mut page = Page { documents: Vec::with_capacity(rows.len()), damaged: Vec::new(), next };
        for (key, text) in rows {
            match serde_json::from_str(&text) {
                Ok(player) => page.documents.push(player),
                Err(error) => page.damaged.push(Damaged { id: key.id.to_string(), reason: error.to_string() }),
            }
        }
        Ok(page)
    }

    async fn documents(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<(PlayerId, String), PlayerId>> {
        let rows = move |connection: &Connection| {
            let sql = "SELECT id, document FROM players WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![sql_after(after), sql_count(max)], id_and_text)?;
            rows.collect::<Result<Vec<_>>>()
        };
        let rows = self.database.read("read players", rows).await?;
        let documents: Vec<(PlayerId, String)> =
            rows.into_iter().map(|(id, text)| (id.cast_unsigned(), text)).collect();
        let next = documents.last().map(|(id, _)| *id).filter(|_| documents.len() == max);
        Ok(Page { documents, damaged: Vec::new(), next })
    }

    async fn get(&self, id: PlayerId) -> PortResult<Option<Player>> {
        let get = move |connection: &Connection| document(connection, id);
        let document = self.database.read("read a player", get).await?;
        let player = document.map(|text| serde_json::from_str(&text)).transpose();
        player.map_err(|error| PortError::backend(format!("cannot read player {id}"), error))
    }

    async fn dropped_page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Dropped, PlayerId>> {
        let rows = move |connection: &Connection| {
            let sql = "SELECT id, document FROM dropped WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![sql_after(after), sql_count(max)], id_and_text)?;
            rows.collect::<Result<Vec<_>>>()
        };
        let rows = self.database.read("read dropped players", rows).await?;
        Ok(page(rows, max, |_, text| serde_json::from_str(text)))
    }

    async fn counts(&self) -> PortResult<PlayerCounts> {
        let counts = |connection: &Connection| {
            Ok(PlayerCounts {
                ranked: count(connection, "SELECT count(*) FROM players")?,
                dropped: count(connection, "SELECT count(*) FROM dropped")?,
            })
        };
        self.database.read("count players", counts).await
    }
}

fn keep_dropped(connection: &Connection, dropped: &Dropped) -> Result<()> {
    let mut write = connection.prepare_cached("INSERT OR REPLACE INTO dropped (id, document) VALUES (?1, ?2)")?;
    write.execute(params![sql_id(dropped.id), to_json(dropped)?]).map(drop)
}

/// Merges one player into the stored document, and counts what is refused for the first time. An undecodable document
/// is replaced.
fn store(connection: &Connection, fetched: FetchedPlayer, refused: &mut RefusalCounts) -> Result<()> {
    let stored = readable(connection, fetched.player.id)?;
    let mut unit_results = standing(connection, fetched.player.id)?.unit_results;
    refused.take_in(&fetched, &unit_results, stored.as_ref());
    unit_results.take_in(&fetched);
    let player = merged(fetched.player, stored);
    write(connection, &player)?;
    connection.prepare_cached("DELETE FROM dropped WHERE id = ?1")?.execute(params![sql_id(player.id)])?;
    let mut covered: RaidsToScrap = player.ranked_in();
    covered.merge(&unit_results.refused());
    let complete = fetched.complete.then_some(player.updated_at);
    record_fetched(connection, player.id, complete, &Standing { covered, unit_results })
}

/// The stored player, if its document can be decoded.
fn readable(connection: &Connection, id: PlayerId) -> Result<Option<Player>> {
    Ok(document(connection, id)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The player, with its stored ranks in other raids and difficulties.
fn merged(mut player: Player, stored: Option<Player>) -> Player {
    if let Some(mut stored) = stored {
        for (raid, difficulties) in std::mem::take(&mut player.raids) {
            stored.raids.entry(raid).or_default().extend(difficulties);
        }
        player.raids = stored.raids;
    }
    player
}

/// Writes a player's document, in place of an older one.
fn write(connection: &Connection, player: &Player) -> Result<()> {
    let mut write = connection.prepare_cached(
        "INSERT OR REPLACE INTO players (id, region, server_slug, server_name, server_normalized, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let server = &player.server;
    let document = to_json(player)?;
    write.execute(params![
        sql_id(player.id),
        player.region,
        server.slug,
        server.name,
        server.normalized_name,
        document
    ])?;
    Ok(())
}

/// Merges one player from elsewhere into the stored document. An undecodable document is replaced.
fn take_over_one(connection: &Connection, player: Player) -> Result<Relation> {
    let stored = readable(connection, player.id)?;
    let relation = Relation::of(player.updated_at, stored.as_ref().map(|stored| stored.updated_at));
    match stored {
        Some(stored) if relation == Relation::Older => {
            if missing(&player, &stored).next().is_some() {
                write(connection, &merged(stored, Some(player)))?;
            }
        }
        // It was dropped since: it stays dropped, and has ranks.
        stored if dropped_at(connection, player.id)?.is_some_and(|at| at > player.updated_at) => {
            write(connection, &merged(player, stored))?;
        }
        _ => store(connection, FetchedPlayer::from(player), &mut RefusalCounts::new())?,
    }
    Ok(relation)
}

fn dropped_at(connection: &Connection, id: PlayerId) -> Result<Option<Timestamp>> {
    let mut select = connection.prepare_cached("SELECT document FROM dropped WHERE id = ?1")?;
    let text: Option<String> = select.query_row(params![sql_id(id)], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str::<Dropped>(&text).ok()).map(|dropped| dropped.at))
}

fn document(connection: &Connection, id: PlayerId) -> Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT document FROM players WHERE id = ?1")?;
    select.query_row(params![sql_id(id)], |row| row.get(0)).optional()
}

fn select_page(connection: &Connection, after: Option<&PlayerKey>, max: usize) -> Result<Vec<(PlayerKey, String)>> {
    let columns = "region, server_slug, server_name, server_normalized, id";
    let condition = if after.is_some() { format!("WHERE ({columns}) > (?2, ?3, ?4, ?5, ?6)") } else { String::new() };
    let sql = format!("SELECT {columns}, document FROM players {condition} ORDER BY {columns} LIMIT ?1");
    let mut values = vec![Value::from(sql_count(max))];
    if let Some(PlayerKey { region, server: (slug, name, normalized), id }) = after {
        values.extend([region, slug, name, normalized].map(|text| Value::from(text.clone())));
        values.push(Value::from(sql_after(Some(*id))));
    }
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        let id: i64 = row.get(4)?;
        let key =
            PlayerKey { region: row.get(0)?, server: (row.get(1)?, row.get(2)?, row.get(3)?), id: id.cast_unsigned() };
        Ok((key, row.get(5)?))
    })?;
    rows.collect()
}
