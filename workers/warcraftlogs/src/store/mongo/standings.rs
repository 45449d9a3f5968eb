//! When each player was last fetched and queued, and what its ranks cover: `standings {_id, fetchedAt, queuedAt,
//! dropped, raids, answers}`. Existing deployments do not have this collection; their players have no standing, and so
//! count as never fetched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::clock::to_millis;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, date, instant, update, update_each, upsert};

use super::MongoStore;
use super::documents::{id, id_of, read};
use crate::model::{PlayerId, RaidsToScrap, Unit};
use crate::store::{Freshness, Frozen, UnitResult, UnitResults};

pub(super) const STANDINGS: &str = "standings";

/// The standing of a player.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) fetched_at: Option<Timestamp>,
    queued_at: Option<Timestamp>,
    covered: Covered,
    pub(super) unit_results: UnitResults,
}

/// What was fetched of a player.
#[derive(Clone, Debug)]
pub(super) struct StandingUpdate {
    pub(super) player: PlayerId,
    /// When everything that its message asks for had come; `None` while the player still waits.
    pub(super) complete: Option<Timestamp>,
    pub(super) covered: Covered,
    pub(super) unit_results: Vec<(Unit, UnitResult)>,
}

/// What was fetched of a player.
#[derive(Clone, Debug)]
pub(super) enum Covered {
    /// It has ranks in these, and may have others elsewhere.
    Only(RaidsToScrap),
    /// It was dropped.
    Everything,
}

/// The kind of a player; [`Freshness`] defines the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BacklogKind {
    Due,
    Waiting,
    Fresh,
}

impl Default for Covered {
    fn default() -> Covered {
        Covered::Only(RaidsToScrap::default())
    }
}

impl Standing {
    /// The kind of a player who was discovered in `raids`; `None` if those cannot be decoded.
    pub(super) fn kind(&self, raids: Option<&RaidsToScrap>, freshness: &Freshness, frozen: &Frozen) -> BacklogKind {
        let [forgotten_at, stale_at] = [freshness.forgotten_at, freshness.stale_at].map(to_millis);
        let (fetched_at, queued_at) = (self.fetched_at.map(to_millis), self.queued_at.map(to_millis));
        if queued_at > Some(forgotten_at).max(fetched_at) {
            return BacklogKind::Waiting;
        }
        let covered = match &self.covered {
            Covered::Everything => true,
            Covered::Only(covered) => raids.is_some_and(|raids| covered.covers(raids)),
        };
        let settled = raids.is_some_and(|raids| frozen.settles(raids, self.covered(), self.fetched_at));
        if fetched_at > Some(stale_at) && covered || settled { BacklogKind::Fresh } else { BacklogKind::Due }
    }

    /// The part of `raids` that is still to be fetched, considering frozen raids.
    pub(super) fn still_wanted(&self, frozen: &Frozen, raids: &RaidsToScrap) -> RaidsToScrap {
        frozen.still_wanted(raids, self.covered(), self.fetched_at)
    }

    /// `None` stands for everything.
    fn covered(&self) -> Option<&RaidsToScrap> {
        match &self.covered {
            Covered::Everything => None,
            Covered::Only(covered) => Some(covered),
        }
    }

    /// When the player was dropped, if that was the latest event.
    pub(super) fn dropped_at(&self) -> Option<Timestamp> {
        self.fetched_at.filter(|_| matches!(self.covered, Covered::Everything))
    }

    fn of(document: &Document) -> Standing {
        let covered = if document.get_bool("dropped").unwrap_or_default() {
            Covered::Everything
        } else {
            // An undecodable value covers nothing: fetching once too often loses no player.
            let raids = document.get_document("raids").cloned().unwrap_or_default();
            Covered::Only(read(raids).unwrap_or_default())
        };
        let (fetched_at, queued_at) = (instant(document.get("fetchedAt")), instant(document.get("queuedAt")));
        Standing { fetched_at, queued_at, covered, unit_results: unit_results(document) }
    }
}

impl MongoStore {
    /// The standings of these players, where there are any.
    pub(super) async fn standings(&self, ids: &[PlayerId]) -> PortResult<BTreeMap<PlayerId, Standing>> {
        let ids: Vec<i64> = ids.iter().copied().map(id).collect();
        let (count, filter) = (ids.len(), doc! { "_id": { "$in": ids } });
        let found = self.mongo.find(STANDINGS, filter, doc! {}, count, "read the players' standings").await?;
        Ok(found.iter().filter_map(|document| Some((id_of(document)?, Standing::of(document)))).collect())
    }

    /// Records that players were ranked or dropped. A message that was queued later still waits, and is not forgotten.
    pub(super) async fn record_fetched(&self, players: impl Iterator<Item = StandingUpdate> + Send) -> PortResult<()> {
        let statements: Vec<Document> = players.flat_map(|came| record_fetched(&came)).collect();
        self.mongo.update_all(STANDINGS, &statements, "store the players' standings").await
    }

    /// Records that players' messages were sent.
    pub(super) async fn queued(&self, ids: impl Iterator<Item = PlayerId> + Send, at: Timestamp) -> PortResult<()> {
        let queued = doc! { "$max": { "queuedAt": date(at) } };
        let statements: Vec<Document> = ids.map(|player| upsert(doc! { "_id": id(player) }, queued.clone())).collect();
        self.mongo.update_all(STANDINGS, &statements, "record queued players").await
    }

    pub(super) async fn forget_all_queued(&self) -> PortResult<()> {
        let (queued, forget) = (doc! { "queuedAt": { "$exists": true } }, doc! { "$unset": { "queuedAt": "" } });
        let statement = update_each(queued, forget);
        self.mongo.update(STANDINGS, statement, Retry::Idempotent, "clear queued players").await.map(drop)
    }
}

/// Results fetched at different times add up.
fn record_fetched(StandingUpdate { player, complete, covered, unit_results }: &StandingUpdate) -> Vec<Document> {
    let mut set: Document = unit_results.iter().map(|(unit, answer)| (field(*unit), stored(answer))).collect();
    set.extend(complete.map(|at| ("fetchedAt".to_owned(), Bson::from(date(at)))));
    let mut change = match covered {
        Covered::Everything => {
            set.insert("dropped", true);
            Document::new()
        }
        Covered::Only(raids) => {
            let mut change = doc! { "$unset": { "dropped": "" } };
            change.extend(add_raids("raids", raids));
            change
        }
    };
    if !set.is_empty() {
        change.insert("$set", set);
    }
    let mut statements = vec![upsert(doc! { "_id": id(*player) }, change)];
    if let Some(at) = complete {
        let answered = doc! { "_id": id(*player), "queuedAt": { "$lte": date(*at) } };
        statements.push(update(answered, doc! { "$unset": { "queuedAt": "" } }));
    }
    statements
}

/// The field with the result of a raid and difficulty.
pub(super) fn field((raid, difficulty): Unit) -> String {
    format!("answers.{raid}.{difficulty}")
}

fn stored(answer: &UnitResult) -> Bson {
    match answer {
        UnitResult::Served(at) => Bson::from(date(*at)),
        UnitResult::Refused(reason) => Bson::String(reason.clone()),
    }
}

/// The results of a player. Undecodable ones are left out.
fn unit_results(document: &Document) -> UnitResults {
    let mut unit_results = UnitResults::default();
    for (raid, units) in document.get_document("answers").into_iter().flatten() {
        for (difficulty, answer) in units.as_document().into_iter().flatten() {
            let (Ok(raid), Ok(difficulty)) = (raid.parse(), difficulty.parse()) else { continue };
            let answer = match answer {
                Bson::String(reason) => Some(UnitResult::Refused(reason.clone())),
                at => instant(Some(at)).map(UnitResult::Served),
            };
            answer.into_iter().for_each(|answer| unit_results.insert((raid, difficulty), answer));
        }
    }
    unit_results
}

/// Merges raids and difficulties into `field`; empty if there is nothing to merge.
pub(super) fn add_raids(field: &str, raids: &RaidsToScrap) -> Document {
    let add = |(raid, difficulties): (&u32, &std::collections::BTreeSet<u32>)| {
        let difficulties: Vec<Bson> = difficulties.iter().map(|difficulty| Bson::from(*difficulty as i32)).collect();
        (format!("{field}.{raid}"), Bson::Document(doc! { "$each": difficulties }))
    };
    let fields: Document =
        raids.by_raid().iter().filter(|(_, difficulties)| !difficulties.is_empty()).map(add).collect();
    if fields.is_empty() {
        Document::new()
    } else {
        doc! { "$addToSet": fields }
    }
}
