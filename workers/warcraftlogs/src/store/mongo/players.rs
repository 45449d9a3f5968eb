//! Players and dropped players in MongoDB: `players` as in the design, and `dropped {_id, reason, at}`.

use async_trait::async_trait;
use futures::future::try_join;
use jiff::Timestamp;
use stint_core::ports::{PortError, PortResult};
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{delete, upsert};

use super::MongoStore;
use super::documents::{above, id, id_of, own_id, page, read, write};
use super::standings::{Covered, StandingUpdate};
use crate::model::{Player, PlayerId, RaidsToScrap, Unit};
use crate::store::{
    Dropped, FetchedPlayer, ImportCounts, Page, PlayerCounts, PlayerKey, PlayerResults, Players, RefusedPlayer,
    StoredResults, UnitResult,
};

pub(super) const PLAYERS: &str = "players";
pub(super) const DROPPED: &str = "dropped";

/// The order in which the generator reads players, and the index that supports it.
pub(super) fn in_order() -> Document {
    ORDER.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect()
}

const ORDER: [&str; 5] = ["region", "server.slug", "server.name", "server.normalizedName", "_id"];

#[async_trait]
impl Players for MongoStore {
    async fn upsert(&self, players: &[Player]) -> PortResult<()> {
        self.store(&players.iter().cloned().map(FetchedPlayer::from).collect::<Vec<FetchedPlayer>>()).await
    }

    /// Players are written first: if the process exits after them, their standings still say that they are due.
    /// Refusals and successes are counted last: if the process exits before that, one batch is not counted, and later
    /// ones are. In the other order each retry would count the same players again, until a correct rule looks at fault.
    async fn store(&self, fetched: &[FetchedPlayer]) -> PortResult<()> {
        let refused = self.newly_refused(fetched).await?;
        self.write_players(fetched).await?;
        let players = fetched.iter().map(|fetched| &fetched.player);
        let returned: Vec<Document> = players.map(|player| delete(doc! { "_id": id(player.id) })).collect();
        self.mongo.delete_all(DROPPED, &returned, "restore dropped players").await?;
        self.record_fetched(fetched.iter().map(came)).await?;
        self.count_refusals(&refused, fetched).await
    }

    /// Drops are written first: if the process exits after them, the players have no standing yet, and both are
    /// recorded again.
    async fn refuse(&self, refused_players: &[RefusedPlayer], at: Timestamp) -> PortResult<()> {
        let dropped: Vec<Dropped> = refused_players.iter().filter_map(|player| player.dropped(at)).collect();
        self.keep_dropped(&dropped).await?;
        let came = |player: &RefusedPlayer| StandingUpdate {
            player: player.id,
            complete: Some(at),
            covered: Covered::Only(player.refused.iter().map(|(unit, _)| *unit).collect()),
            unit_results: player.refused.iter().map(refusal).collect(),
        };
        self.record_fetched(refused_players.iter().map(came)).await
    }

    /// Reads both collections concurrently.
    async fn known(&self, ids: &[PlayerId]) -> PortResult<StoredResults> {
        let (standings, refusals) = try_join(self.standings(ids), self.refusals()).await?;
        let fetched = standings.into_iter().map(|(player, standing)| {
            let (dropped_at, complete_at) = (standing.dropped_at(), standing.fetched_at);
            (player, PlayerResults { dropped_at, complete_at, unit_results: standing.unit_results })
        });
        Ok(StoredResults { players: fetched.collect(), refusals })
    }

    async fn import(&self, players: &[Player]) -> PortResult<ImportCounts> {
        self.import_all(players).await
    }

    /// Reasons are written first: if the process exits after them, the players are due, and are dropped again.
    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()> {
        self.keep_dropped(dropped).await?;
        let came = |player: &Dropped| StandingUpdate {
            player: player.id,
            complete: Some(player.at),
            covered: Covered::Everything,
            unit_results: Vec::new(),
        };
        self.record_fetched(dropped.iter().map(came)).await
    }

    async fn page(&self, after: Option<&PlayerKey>, max: usize) -> PortResult<Page<Player, PlayerKey>> {
        let filter = after.map_or_else(Document::new, behind);
        let documents = self.mongo.find(PLAYERS, filter, in_order(), max, "read players").await?;
        let next = documents.last().map(key_of).filter(|_| documents.len() == max);
        let Page { documents, damaged, .. } = page(documents, max, read);
        Ok(Page { documents, damaged, next })
    }

    async fn documents(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<(PlayerId, String), PlayerId>> {
        let documents = self.mongo.find(PLAYERS, above(after), doc! { "_id": 1 }, max, "read players").await?;
        let text = |document: Document| {
            let player = read::<Player>(document)?;
            serde_json::to_string(&player).map(|text| (player.id, text)).map_err(|error| error.to_string())
        };
        Ok(page(documents, max, text))
    }

    async fn get(&self, player: PlayerId) -> PortResult<Option<Player>> {
        let found = self.mongo.find_one(PLAYERS, doc! { "_id": id(player) }, "read a player").await?;
        let unreadable = |reason: String| PortError::backend(format!("cannot read player {player}"), reason);
        found.map(read).transpose().map_err(unreadable)
    }

    async fn dropped_page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Dropped, PlayerId>> {
        let documents = self.mongo.find(DROPPED, above(after), doc! { "_id": 1 }, max, "read dropped players").await?;
        Ok(page(documents, max, read))
    }

    async fn counts(&self) -> PortResult<PlayerCounts> {
        let count = async |collection| self.mongo.estimated_count(collection, "count players").await;
        Ok(PlayerCounts { ranked: count(PLAYERS).await?, dropped: count(DROPPED).await? })
    }
}

impl MongoStore {
    async fn keep_dropped(&self, dropped: &[Dropped]) -> PortResult<()> {
        let statement = |player: &Dropped| {
            let Bson::Document(mut fields) = write(player)? else { return Err(no_document()) };
            fields.remove("_id");
            Ok(upsert(doc! { "_id": own_id(player.id)? }, doc! { "$set": fields }))
        };
        let statements = dropped.iter().map(statement).collect::<PortResult<Vec<Document>>>()?;
        self.mongo.update_all(DROPPED, &statements, "record dropped players").await
    }

    async fn write_players(&self, fetched: &[FetchedPlayer]) -> PortResult<()> {
        let players: Vec<&Player> = fetched.iter().map(|fetched| &fetched.player).collect();
        let statements = players.iter().map(|player| store(player)).collect::<PortResult<Vec<Document>>>()?;
        let what = "store players";
        let Err(error) = self.mongo.update_all(PLAYERS, &statements, what).await else { return Ok(()) };
        // An undecodable document is replaced.
        if !self.remove_damaged(&players).await? {
            return Err(error);
        }
        self.mongo.update_all(PLAYERS, &statements, what).await
    }

    /// Removes those documents of these players that cannot be decoded. Returns whether there were any.
    pub(super) async fn remove_damaged(&self, players: &[&Player]) -> PortResult<bool> {
        let ids: Vec<i64> = players.iter().map(|player| id(player.id)).collect();
        let (count, filter) = (ids.len(), doc! { "_id": { "$in": ids } });
        let stored = self.mongo.find(PLAYERS, filter, doc! {}, count, "read players").await?;
        let mut statements = Vec::new();
        for document in stored {
            let seen = |name| document.get(name).cloned().unwrap_or(Bson::Null);
            let filter = doc! { "_id": seen("_id"), "updatedAt": seen("updatedAt"), "raids": seen("raids") };
            if read::<Player>(document).is_err() {
                statements.push(delete(filter));
            }
        }
        self.mongo.delete_all(PLAYERS, &statements, "replace documents that cannot be read").await?;
        Ok(!statements.is_empty())
    }
}

/// The change that a response makes to the player's standing.
pub(super) fn came(FetchedPlayer { player, refused, complete }: &FetchedPlayer) -> StandingUpdate {
    let served = player.ranked_in();
    let mut covered: RaidsToScrap = served.clone();
    refused.iter().for_each(|((raid, difficulty), _)| covered.insert(*raid, *difficulty));
    let at = player.updated_at;
    let served = served.units().map(|unit| (unit, UnitResult::Served(at))).collect::<Vec<_>>();
    let unit_results = served.into_iter().chain(refused.iter().map(refusal)).collect();
    StandingUpdate {
        player: player.id,
        complete: complete.then_some(at),
        covered: Covered::Only(covered),
        unit_results,
    }
}

fn refusal((unit, reason): &(Unit, String)) -> (Unit, UnitResult) {
    (*unit, UnitResult::Refused(reason.clone()))
}

/// Each given raid and difficulty is its own field, so that the others stay.
fn store(player: &Player) -> PortResult<Document> {
    Ok(upsert(doc! { "_id": own_id(player.id)? }, change(player)?))
}

/// The update that gives a stored player these values and keeps all other stored ones.
pub(super) fn change(player: &Player) -> PortResult<Document> {
    let Bson::Document(mut fields) = write(player)? else { return Err(no_document()) };
    fields.remove("_id");
    fields.remove("raids");
    let mut change = Document::new();
    for (raid, difficulties) in &player.raids {
        for (difficulty, ranks) in difficulties {
            fields.insert(format!("raids.{raid}.{difficulty}"), write(ranks)?);
        }
    }
    if player.ranked_in().is_empty() {
        change.insert("$setOnInsert", doc! { "raids": {} });
    }
    change.insert("$set", fields);
    Ok(change)
}

/// Matches the players after a position, in the order of the index.
pub(super) fn behind(key: &PlayerKey) -> Document {
    let (slug, name, normalized) = &key.server;
    let values = [&key.region, slug, name, normalized].map(|text| Bson::String(text.clone()));
    let values: Vec<Bson> = values.into_iter().chain([Bson::Int64(id(key.id))]).collect();
    let branch = |length: usize| {
        // Equal up to a field, and greater in that field.
        let mut branch: Document =
            ORDER.iter().zip(&values).take(length).map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
        branch.insert(ORDER[length], doc! { "$gt": values[length].clone() });
        branch
    };
    doc! { "$or": (0..ORDER.len()).map(branch).collect::<Vec<Document>>() }
}

/// The position of a document. A missing field sorts before all values.
pub(super) fn key_of(document: &Document) -> PlayerKey {
    let text = |document: &Document, name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let server = document.get_document("server").cloned().unwrap_or_default();
    PlayerKey {
        region: text(document, "region"),
        server: (text(&server, "slug"), text(&server, "name"), text(&server, "normalizedName")),
        id: id_of(document).unwrap_or_default(),
    }
}

pub(super) fn no_document() -> PortError {
    PortError::backend("could not write a document", "it has no fields")
}
