//! What the upstream refuses to every player: `refusals {_id: "99:1", raid, difficulty, inARow, served, reason}`, a few
//! documents. What it refuses to one player is in that player's standing.

use std::collections::{BTreeMap, BTreeSet};

use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, delete, update, update_each, upsert};

use super::MongoStore;
use super::documents::{id, id_of};
use super::players::PLAYERS;
use super::standings::{STANDINGS, field};
use crate::model::{PlayerId, Unit};
use crate::store::{FetchedPlayer, Refusals};

const REFUSALS: &str = "refusals";

/// Raids and difficulties that several responses refuse for the first time.
#[derive(Debug, Default)]
pub(super) struct NewlyRefused {
    /// The refused players, and the reasons.
    players: BTreeMap<Unit, BTreeMap<PlayerId, String>>,
    /// Raids and difficulties in which one of these players has earlier ranks.
    served: BTreeSet<Unit>,
}

impl NewlyRefused {
    fn ids(&self) -> Vec<PlayerId> {
        let ids: BTreeSet<PlayerId> = self.players.values().flat_map(BTreeMap::keys).copied().collect();
        ids.into_iter().collect()
    }

    /// The raids and difficulties refused to a player.
    fn units_of(&self, id: PlayerId) -> impl Iterator<Item = Unit> {
        self.players.iter().filter(move |(_, players)| players.contains_key(&id)).map(|(unit, _)| *unit)
    }
}

impl MongoStore {
    /// The refused raids and difficulties that no player is known to have been served.
    pub(super) async fn refusals(&self) -> PortResult<BTreeMap<Unit, Refusals>> {
        let filter = doc! { "served": false };
        let found = self.mongo.find(REFUSALS, filter, doc! {}, usize::MAX, "read the refusals").await?;
        Ok(found.iter().filter_map(refusals).collect())
    }

    /// Finds what responses refuse to players for the first time. Must be called before the responses are stored.
    pub(super) async fn newly_refused(&self, fetched: &[FetchedPlayer]) -> PortResult<NewlyRefused> {
        let mut new = NewlyRefused::default();
        for FetchedPlayer { player, refused, .. } in fetched {
            for (unit, reason) in refused {
                new.players.entry(*unit).or_default().insert(player.id, reason.clone());
            }
        }
        if new.players.is_empty() {
            return Ok(new);
        }
        let standings = self.standings(&new.ids()).await?;
        let is_known =
            |id: &PlayerId, unit| standings.get(id).is_some_and(|standing| standing.unit_results.is_refused(unit));
        for (unit, players) in &mut new.players {
            players.retain(|id, _| !is_known(id, *unit));
        }
        new.players.retain(|_, players| !players.is_empty());
        let ids: Vec<i64> = new.ids().into_iter().map(id).collect();
        let (count, filter) = (ids.len(), doc! { "_id": { "$in": ids } });
        for player in self.mongo.find(PLAYERS, filter, doc! {}, count, "read players").await? {
            let ranked =
                id_of(&player).into_iter().flat_map(|id| new.units_of(id)).filter(|unit| has_ranks(&player, *unit));
            new.served.extend(ranked.collect::<Vec<Unit>>());
        }
        Ok(new)
    }

    /// Counts what is refused for the first time. A player who is served clears the rule, for good. Must be called
    /// after the responses are stored: another process that counts the first refusal then finds the players who were
    /// served.
    pub(super) async fn count_refusals(&self, refused: &NewlyRefused, fetched: &[FetchedPlayer]) -> PortResult<()> {
        let keys: Vec<String> = refused.players.keys().copied().map(key).collect();
        let (most, filter) = (keys.len(), doc! { "_id": { "$in": keys } });
        let known = self.mongo.find(REFUSALS, filter, doc! {}, most, "read the refusals").await?;
        let mut statements = Vec::new();
        for (unit, players) in &refused.players {
            let is_known = known.iter().any(|document| document.get_str("_id").is_ok_and(|id| id == key(*unit)));
            let served = refused.served.contains(unit) || (!is_known && self.was_served(*unit).await?);
            statements.push(count(*unit, players, served));
        }
        let served = fetched.iter().flat_map(|fetched| fetched.player.ranked_in().units().collect::<Vec<Unit>>());
        statements.extend(served.collect::<BTreeSet<Unit>>().into_iter().map(mark_served));
        self.mongo.update_all(REFUSALS, &statements, "count the refusals").await
    }

    /// Whether any player has ranks in a raid and difficulty. Queried once, when it is refused for the first time.
    async fn was_served(&self, unit: Unit) -> PortResult<bool> {
        let what = "check for a served player";
        let served = doc! { field(unit): { "$type": "date" } };
        let ranked = doc! { ranks(unit): { "$exists": true } };
        for (collection, filter) in [(STANDINGS, served), (PLAYERS, ranked)] {
            if !self.mongo.find(collection, filter, doc! {}, 1, what).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// For a new rule: what the upstream refused of its raid and difficulty is requested again. Players are written
    /// first: if the process exits after them, the count is still there for the next try.
    pub(super) async fn forget_refusals(&self, unit: Unit) -> PortResult<()> {
        let what = "delete the refusals";
        let key = doc! { "_id": key(unit) };
        if self.mongo.find(REFUSALS, key.clone(), doc! {}, 1, what).await?.is_empty() {
            return Ok(());
        }
        let refused = doc! { field(unit): { "$type": "string" } };
        let clear_refusal =
            doc! { "$unset": { field(unit): "" }, "$pull": { format!("raids.{}", unit.0): i64::from(unit.1) } };
        self.mongo.update(STANDINGS, update_each(refused, clear_refusal), Retry::Idempotent, what).await?;
        self.mongo.delete_all(REFUSALS, &[delete(key)], what).await
    }
}

fn key((raid, difficulty): Unit) -> String {
    format!("{raid}:{difficulty}")
}

/// The field with the ranks of a raid and difficulty.
fn ranks((raid, difficulty): Unit) -> String {
    format!("raids.{raid}.{difficulty}")
}

fn has_ranks(player: &Document, (raid, difficulty): Unit) -> bool {
    let raid = player.get_document("raids").and_then(|raids| raids.get_document(raid.to_string()));
    raid.is_ok_and(|difficulties| difficulties.contains_key(difficulty.to_string()))
}

fn count(unit: Unit, players: &BTreeMap<PlayerId, String>, served: bool) -> Document {
    let reason = players.values().next_back().map(String::as_str).unwrap_or_default();
    let mut set = doc! { "raid": i64::from(unit.0), "difficulty": i64::from(unit.1), "reason": reason };
    let mut change = doc! { "$inc": { "inARow": players.len() as i64 } };
    if served {
        set.insert("served", true);
    } else {
        change.insert("$setOnInsert", doc! { "served": false });
    }
    change.insert("$set", set);
    upsert(doc! { "_id": key(unit) }, change)
}

/// Changes nothing if nothing was ever refused.
fn mark_served(unit: Unit) -> Document {
    update(doc! { "_id": key(unit), "served": false }, doc! { "$set": { "served": true } })
}

fn refusals(document: &Document) -> Option<(Unit, Refusals)> {
    let number = |name| match document.get(name) {
        Some(Bson::Int32(number)) => u32::try_from(*number).ok(),
        Some(Bson::Int64(number)) => u32::try_from(*number).ok(),
        _ => None,
    };
    let reason = document.get_str("reason").unwrap_or_default().to_owned();
    let served = document.get_bool("served").unwrap_or_default();
    Some(((number("raid")?, number("difficulty")?), Refusals { in_a_row: number("inARow")?, served, reason }))
}
