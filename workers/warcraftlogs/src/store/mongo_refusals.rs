//! What the upstream refuses to every player: `refusals {_id: "99:1", raid, difficulty, inARow, served, reason}`, a few
//! documents. What it refuses to one player stands in its standing.

use std::collections::BTreeMap;

use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{delete, explain, upsert};

use super::mongo::MongoStore;
use super::mongo_players::PLAYERS;
use super::mongo_standings::{STANDINGS, field};
use super::{Answered, Refusals};
use crate::model::{PlayerId, Unit};

const REFUSALS: &str = "refusals";

impl MongoStore {
    /// The raids and difficulties that were refused, and that no player is known to have been served.
    pub(super) async fn refusals(&self) -> PortResult<BTreeMap<Unit, Refusals>> {
        let filter = doc! { "served": false };
        let found = self.mongo.find(REFUSALS, filter, doc! {}, usize::MAX, "read what is refused").await?;
        Ok(found.iter().filter_map(refusals).collect())
    }

    /// Counts what answers refuse; who is served acquits the rule.
    pub(super) async fn count_refusals(&self, answered: &[Answered]) -> PortResult<()> {
        let mut players: BTreeMap<Unit, Vec<(PlayerId, &str)>> = BTreeMap::new();
        for Answered { player, refused, .. } in answered {
            refused.iter().for_each(|(unit, reason)| players.entry(*unit).or_default().push((player.id, reason)));
        }
        if players.is_empty() {
            return Ok(());
        }
        let mut statements = Vec::new();
        for (unit, players) in &players {
            let served = self.was_served(*unit).await?;
            statements.push(count(*unit, players, served));
        }
        self.mongo.update_all(REFUSALS, &statements, "count what is refused").await
    }

    /// Whether any player has ranks in a raid and difficulty. Only looked up when it is refused.
    async fn was_served(&self, unit: Unit) -> PortResult<bool> {
        let (raid, difficulty) = unit;
        let what = "look whether anyone was served";
        let served = doc! { field(unit): { "$type": "date" } };
        let ranked = doc! { format!("raids.{raid}.{difficulty}"): { "$exists": true } };
        for (collection, filter) in [(STANDINGS, served), (PLAYERS, ranked)] {
            if !self.mongo.find(collection, filter, doc! {}, 1, what).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A rule is new: what the upstream refused of its raid and difficulty is asked for again. First the players: cut off
    /// behind them, the count is still there for the next try.
    pub(super) async fn forget_refusals(&self, unit: Unit) -> PortResult<()> {
        let what = "forget what was refused";
        let key = doc! { "_id": key(unit) };
        if self.mongo.find(REFUSALS, key.clone(), doc! {}, 1, what).await?.is_empty() {
            return Ok(());
        }
        let refused = doc! { field(unit): { "$type": "string" } };
        let forgive =
            doc! { "$unset": { field(unit): "" }, "$pull": { format!("raids.{}", unit.0): i64::from(unit.1) } };
        let forgiven = self.mongo.collection(STANDINGS).update_many(refused, forgive).await;
        forgiven.map_err(|error| explain(what, &error))?;
        self.mongo.delete_all(REFUSALS, &[delete(key)], what).await
    }
}

fn key((raid, difficulty): Unit) -> String {
    format!("{raid}:{difficulty}")
}

fn count(unit: Unit, players: &[(PlayerId, &str)], served: bool) -> Document {
    let reason = players.last().map(|(_, reason)| *reason).unwrap_or_default();
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
