//! Imports players from elsewhere into MongoDB.
//!
//! Other processes store ranks meanwhile, and each statement changes one document under its own condition: a new player
//! is only inserted, a player that was read as older is only changed while it still is, and a raid and difficulty is
//! only added where it is missing. So nothing newer is lost, whatever the order, and the import is idempotent.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{date, delete, update, upsert};

use super::MongoStore;
use super::documents::{id, id_of, read, write};
use super::players::{DROPPED, PLAYERS, came, change, no_document};
use crate::model::{Player, PlayerId};
use crate::store::import_counts::Relation;
use crate::store::{Dropped, FetchedPlayer, ImportCounts};

/// A stored player: when it was updated, and the stored value of that, for comparison.
struct Stored {
    updated_at: Timestamp,
    as_written: Bson,
}

impl MongoStore {
    /// A player that occurs twice must be compared with its first occurrence, so each round contains every player once.
    pub(super) async fn import_all(&self, players: &[Player]) -> PortResult<ImportCounts> {
        let (mut taken, mut rest) = (ImportCounts::default(), players.to_vec());
        while !rest.is_empty() {
            let mut seen = HashSet::new();
            let (first, others): (Vec<Player>, Vec<Player>) =
                rest.into_iter().partition(|player| seen.insert(player.id));
            taken.add(self.import_each(&first).await?);
            rest = others;
        }
        Ok(taken)
    }

    /// Players are written first, then the standings of those whose ranks count: if the process exits in between, they
    /// are due, which does no harm.
    async fn import_each(&self, players: &[Player]) -> PortResult<ImportCounts> {
        self.remove_damaged(&players.iter().collect::<Vec<&Player>>()).await?;
        let stored = self.stored(players).await?;
        let dropped = self.dropped_at(players).await?;
        let (mut taken, mut statements, mut counting) = (ImportCounts::default(), Vec::new(), Vec::new());
        for player in players {
            let stored = stored.get(&player.id);
            let relation = Relation::of(player.updated_at, stored.map(|stored| stored.updated_at));
            taken.count(relation);
            statements.extend(change_of(player, relation, stored)?);
            add_missing(player, &mut statements)?;
            let dropped_since = dropped.get(&player.id).is_some_and(|at| *at > player.updated_at);
            if relation != Relation::Older && !dropped_since {
                counting.push(player);
            }
        }
        self.mongo.update_all(PLAYERS, &statements, "import players").await?;
        let returned =
            |player: &&Player| delete(doc! { "_id": id(player.id), "at": { "$lte": date(player.updated_at) } });
        let returned: Vec<Document> = counting.iter().map(returned).collect();
        self.mongo.delete_all(DROPPED, &returned, "restore dropped players").await?;
        let came = counting.into_iter().map(|player| came(&FetchedPlayer::from(player.clone())));
        self.record_fetched(came).await?;
        Ok(taken)
    }

    async fn stored(&self, players: &[Player]) -> PortResult<HashMap<PlayerId, Stored>> {
        let documents = self.mongo.find(PLAYERS, one_of(players), doc! {}, players.len(), "read players").await?;
        let stored = documents.into_iter().filter_map(|document| {
            let as_written = document.get("updatedAt").cloned()?;
            let player: Player = read(document).ok()?;
            Some((player.id, Stored { updated_at: player.updated_at, as_written }))
        });
        Ok(stored.collect())
    }

    async fn dropped_at(&self, players: &[Player]) -> PortResult<HashMap<PlayerId, Timestamp>> {
        let what = "read dropped players";
        let documents = self.mongo.find(DROPPED, one_of(players), doc! {}, players.len(), what).await?;
        let at = documents.into_iter().filter_map(|document| {
            let id = id_of(&document)?;
            read::<Dropped>(document).ok().map(|dropped| (id, dropped.at))
        });
        Ok(at.collect())
    }
}

fn one_of(players: &[Player]) -> Document {
    let ids: Vec<i64> = players.iter().map(|player| id(player.id)).collect();
    doc! { "_id": { "$in": ids } }
}

/// The statement that stores a player whose ranks count.
fn change_of(player: &Player, relation: Relation, stored: Option<&Stored>) -> PortResult<Option<Document>> {
    Ok(match (relation, stored) {
        (Relation::Older, _) => None,
        (_, Some(stored)) => {
            let as_read = doc! { "_id": id(player.id), "updatedAt": stored.as_written.clone() };
            Some(update(as_read, change(player)?))
        }
        (_, None) => {
            let Bson::Document(mut fields) = write(player)? else { return Err(no_document()) };
            fields.remove("_id");
            Some(upsert(doc! { "_id": id(player.id) }, doc! { "$setOnInsert": fields }))
        }
    })
}

/// Adds the statements that add missing raids and difficulties.
fn add_missing(player: &Player, statements: &mut Vec<Document>) -> PortResult<()> {
    for (raid, difficulties) in &player.raids {
        for (difficulty, ranks) in difficulties {
            let field = format!("raids.{raid}.{difficulty}");
            let without = doc! { "_id": id(player.id), &field: { "$exists": false } };
            statements.push(update(without, doc! { "$set": { field: write(ranks)? } }));
        }
    }
    Ok(())
}
