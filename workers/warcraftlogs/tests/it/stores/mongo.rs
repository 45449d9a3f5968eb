//! The suites on a real server that speaks MongoDB's protocol, and documents as the original deployment wrote them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, before};
use stint_core::ports::PortError;
use stint_mongo::mongodb::bson::oid::ObjectId;
use stint_mongo::mongodb::bson::{Bson, DateTime, Document, doc};
use stint_mongo::testing::{TestDatabase, block_on, run, run_race};
use stint_warcraftlogs::model::{Player, RaidsToScrap};
use stint_warcraftlogs::store::{
    Backlog, Claim, Directory, Discovered, Discovers, Due, Freshness, Milestones, MongoStore, Pass, Players,
    RefreshResults, Rules, Zones,
};

use super::StoreBackend;
use super::players::{player, ranks};
use crate::world::rule;

const LEASE: Duration = Duration::from_secs(300);

/// A database with two handles that have separate connections, like two processes.
struct MongoStores {
    database: TestDatabase,
    clock: ManualClock,
    ways: Vec<MongoStore>,
    turn: AtomicUsize,
}

fn world() -> MongoStores {
    let (database, turn) = (TestDatabase::new(), AtomicUsize::new(0));
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let ways = if TestDatabase::is_there() { block_on(open(&database, &clock, 2)) } else { Vec::new() };
    MongoStores { database, clock, ways, turn }
}

async fn open(database: &TestDatabase, clock: &ManualClock, ways: usize) -> Vec<MongoStore> {
    let way = async || MongoStore::open(&database.connect().await, Arc::new(clock.clone())).await.unwrap();
    join_all((0..ways).map(|_| way())).await
}

impl MongoStores {
    fn way(&self) -> Arc<MongoStore> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        Arc::new(self.ways[turn % self.ways.len()].clone())
    }

    /// Stores documents without the adapter.
    async fn insert(&self, collection: &str, documents: &[Document]) {
        let mongo = self.database.connect().await;
        mongo.collection(collection).insert_many(documents).await.unwrap();
    }

    async fn documents(&self, collection: &str) -> Vec<Document> {
        let mongo = self.database.connect().await;
        mongo.find(collection, doc! {}, doc! { "_id": 1 }, 1_000, "look").await.unwrap()
    }
}

impl StoreBackend for MongoStores {
    fn rules(&self) -> Arc<dyn Rules> {
        self.way()
    }

    fn discovers(&self) -> Arc<dyn Discovers> {
        self.way()
    }

    fn players(&self) -> Arc<dyn Players> {
        self.way()
    }

    fn directory(&self) -> Arc<dyn Directory> {
        self.way()
    }

    fn milestones(&self) -> Arc<dyn Milestones> {
        self.way()
    }

    fn zones(&self) -> Arc<dyn Zones> {
        self.way()
    }

    fn refresh_results(&self) -> Arc<dyn RefreshResults> {
        self.way()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

super::store_suite!(stint_mongo::testing::run, crate::stores::mongo::world());

/// Runs a test that is only about MongoDB.
fn with_world(test: impl AsyncFnOnce(&MongoStores)) {
    let world = world();
    run(test(&world));
}

#[test]
fn rules_of_the_original_deployment_are_read_in_both_forms() {
    with_world(async |world| {
        let ids = [1, 2, 3].map(|number| ObjectId::parse_str(format!("{number:024x}")).unwrap());
        let fields = doc! { "raid": 26, "difficulty": 3.0, "startPage": 1_i64, "endPage": 600 };
        let [mut with_date, mut with_seconds, mut never] = ids.map(|id| doc! { "_id": id });
        with_date.insert("lastRun", DateTime::from_millis(1_669_438_300_480));
        with_seconds.insert("lastRun", 1_669_438_300.48);
        never.insert("lastRun", Bson::Null);
        let documents = [with_date, with_seconds, never].map(|mut document| {
            document.extend(fields.clone());
            document
        });
        world.insert("discovery_schedules", &documents).await;
        let listed = world.rules().list().await.unwrap();
        assert_eq!(listed.damaged, []);
        let ran = |index: usize| listed.documents[index].rule.last_run.map(|date| date.as_millisecond());
        assert_eq!([ran(0), ran(1), ran(2)], [Some(1_669_438_300_480), Some(1_669_438_300_480), None]);
        let claim = world.rules().claim_due(world.now(), LEASE).await.unwrap().unwrap();
        assert_eq!((claim.rule.id.as_str(), claim.rule.end_page), ("000000000000000000000003", 600));
        let pass = Pass::begin(&claim.rule, 200, world.now());
        assert!(world.rules().finish(&claim, &pass, world.now()).await.unwrap());
        // Existing fields are unchanged, and Stint adds none.
        let finished = world.documents("discovery_schedules").await.remove(2);
        let mut expected = doc! { "_id": ids[2], "lastRun": DateTime::from_millis(world.now().as_millisecond()) };
        expected.extend(fields);
        assert_eq!(finished, expected);
    });
}

#[test]
fn a_rule_with_fields_of_others_is_read_and_stays_as_it_is() {
    with_world(async |world| {
        let id = ObjectId::parse_str(format!("{:024x}", 1)).unwrap();
        let mut stored = doc! {
            "_id": id, "raid": 26, "difficulty": 3, "startPage": 1, "endPage": 600, "size": Bson::Null, "partition": 2.0,
            "owner": ObjectId::parse_str("638190fc00bc58421e002c99").unwrap(), "since": DateTime::from_millis(5),
            "enabled": true, "share": 1.5, "notes": [{ "by": "me", "times": 3_i64 << 40 }],
        };
        world.insert("discovery_schedules", &[stored.clone()]).await;
        let claim = world.rules().claim_due(world.now(), LEASE).await.unwrap().unwrap();
        assert_eq!((claim.rule.partition, claim.rule.size, claim.rule.unknown.len()), (Some(2), None, 5));
        let pass = Pass::begin(&claim.rule, 200, world.now());
        assert!(world.rules().finish(&claim, &pass, world.now()).await.unwrap());
        stored.insert("lastRun", DateTime::from_millis(world.now().as_millisecond()));
        assert_eq!(world.documents("discovery_schedules").await, [stored.clone()]);
        let listed = world.rules().list().await.unwrap();
        assert_eq!(listed.damaged, []);
        // After an export and an import, the values are the same, with Stint's types.
        world.rules().put(&listed.documents[0].rule).await.unwrap();
        stored.insert("partition", 2);
        stored.remove("size");
        assert_eq!(world.documents("discovery_schedules").await, [stored]);
    });
}

#[test]
fn a_pass_is_not_finished_for_a_rule_whose_options_were_changed_by_hand() {
    with_world(async |world| {
        world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
        let claim = world.rules().claim_due(world.now(), LEASE).await.unwrap().unwrap();
        let mongo = world.database.connect().await;
        let change = doc! { "$set": { "partition": 2 } };
        mongo.collection("discovery_schedules").update_one(doc! {}, change).await.unwrap();
        let pass = Pass::begin(&claim.rule, 200, world.now());
        assert!(!world.rules().finish(&claim, &pass, world.now()).await.unwrap());
        assert_eq!(world.rules().list().await.unwrap().documents[0].rule.last_run, None);
    });
}

#[test]
fn discovered_players_of_the_original_deployment_are_read_in_both_forms() {
    with_world(async |world| {
        let documents = [
            doc! { "_id": 5, "raidsToScrap": { "26": [5, 3.0] } },
            doc! { "_id": 6.0, "raids": { "26": [3_i64] } },
            doc! { "_id": 7_i64, "raidsToScrap": { "26": [3] }, "raids": { "28": [4] } },
        ];
        world.insert("discovers", &documents).await;
        let (discovers, seen) = (world.discovers(), super::discovers::seen);
        let known = [seen(5, &[(26, 3), (26, 5)]), seen(6, &[(26, 3)]), seen(7, &[(26, 3), (28, 4)])];
        assert_eq!(super::discovers::all(&*discovers).await, known);
        discovers.mark_sent(&known[..2], world.now()).await.unwrap();
        discovers.merge(&[seen(7, &[(26, 4)])]).await.unwrap();
        // It contains more by now than what is marked as sent.
        discovers.mark_sent(&known, world.now()).await.unwrap();
        assert_eq!(super::discovers::all(&*discovers).await, [seen(7, &[(26, 3), (26, 4), (28, 4)])]);
    });
}

#[test]
fn a_player_is_stored_as_the_design_has_it() {
    with_world(async |world| {
        let mut ann = player(world, "EU", "tarren-mill", 57_147_396);
        ann.raids.entry(26).or_default().insert(4, ranks(91.25));
        world.players().upsert(&[ann]).await.unwrap();
        let ranks = doc! {
            "metric": "dps", "best": 91.25, "median": 0.1 + 0.2,
            "encounters": { "2398": { "best": 91.25, "median": Bson::Null, "kills": 3, "spec": "Fire" } },
        };
        let stored = world.documents("players").await.remove(0);
        assert_eq!(stored.get_document("raids").unwrap(), &doc! { "26": { "4": ranks } });
        assert_eq!(stored.get("_id").and_then(|id| id.as_i64().or(id.as_i32().map(i64::from))), Some(57_147_396));
        assert_eq!(stored.get("classId"), Some(&Bson::Int32(4)));
        assert_eq!(stored.get_datetime("updatedAt").unwrap().timestamp_millis(), world.now().as_millisecond());
        assert_eq!(stored.get_document("server").unwrap().get_str("normalizedName").unwrap(), "tarrenmill");
    });
}

#[test]
fn damaged_documents_are_told_and_replaced() {
    with_world(async |world| {
        let damaged = [
            doc! { "_id": 1, "raidsToScrap": { "twenty": [3] } },
            doc! { "_id": 2, "raidsToScrap": "all of them" },
            doc! { "_id": 3, "raidsToScrap": { "26": [3] } },
        ];
        world.insert("discovers", &damaged).await;
        world.insert("players", &[doc! { "_id": 1, "region": "EU", "raids": "none" }]).await;
        world.insert("discovery_schedules", &[doc! { "_id": ObjectId::new(), "raid": "Nathria" }]).await;
        let freshness = Freshness::at(world.now(), Duration::from_secs(3_600));
        let page = world.discovers().due(None, 10, &freshness).await.unwrap();
        assert_eq!((page.documents, page.damaged.len()), (vec![Due { id: 3, fetched_at: None }], 2));
        let backlog = world.discovers().backlog(&freshness).await.unwrap();
        assert_eq!(backlog, Backlog { due: 3, waiting: 0, fresh: 0 });
        let page = world.players().page(None, 10).await.unwrap();
        assert_eq!((page.documents.len(), page.damaged.len()), (0, 1));
        assert!(world.rules().list().await.unwrap().damaged[0].reason.contains("raid: invalid type"));
        assert!(world.rules().claim_due(world.now(), LEASE).await.is_err(), "it is told once for each lease");
        assert_eq!(world.rules().claim_due(world.now(), LEASE).await.unwrap(), None);
        let seen = [2, 3].map(|id| Discovered { id, raids_to_scrap: RaidsToScrap::one(28, 5) });
        world.discovers().merge(&seen).await.unwrap();
        let page = world.discovers().get(&[2]).await.unwrap();
        assert_eq!(page.documents, [seen[0].clone()]);
        let mut ann: Player = player(world, "EU", "a", 1);
        ann.raids.entry(26).or_default().insert(4, ranks(1.0));
        world.players().upsert(std::slice::from_ref(&ann)).await.unwrap();
        assert_eq!(world.players().get(1).await.unwrap(), Some(ann));
    });
}

#[test]
fn what_a_stored_document_has_no_place_for_is_rejected_and_others_are_stored() {
    with_world(async |world| {
        world.insert("standings", &[doc! { "_id": 1, "raids": { "26": "all" } }]).await;
        let [first, second] = [1, 2].map(|id| {
            let mut player = player(world, "EU", "a", id);
            player.raids.entry(26).or_default().insert(4, ranks(1.0));
            player
        });
        let rejected = world.players().upsert(&[first]).await.unwrap_err();
        assert!(matches!(rejected, PortError::Invalid(_)), "{rejected:?}");
        world.players().upsert(&[second]).await.unwrap();
    });
}

#[test]
fn many_who_claim_at_once_never_win_the_same_rule() {
    let world = world();
    run_race(async {
        let world = &world;
        let ran_at = before(world.now(), 2 * LEASE);
        for number in 1..=5 {
            let mut rule = rule(number, (26, 4), (1, 9));
            rule.last_run = Some(ran_at);
            world.rules().put(&rule).await.unwrap();
        }
        for round in 1..=5 {
            let claims = join_all((0..20).map(|_| {
                let (rules, now) = (world.rules(), world.now());
                async move { rules.claim_due(before(now, LEASE), LEASE).await.unwrap() }
            }));
            let mut won: Vec<String> = claims.await.into_iter().flatten().map(|Claim { rule, .. }| rule.id).collect();
            won.sort();
            assert_eq!(won, (1..=5).map(|number| format!("{number:024x}")).collect::<Vec<_>>(), "round {round}");
            world.pass(LEASE);
        }
    });
}
