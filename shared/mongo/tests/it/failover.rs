//! A primary that loses its place: it refuses commands, its answers are lost, and writes that no majority had are rolled
//! back. No acknowledged hold is lost, and no write is applied twice.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, after, before, between};
use stint_core::ledger::CallEnd;
use stint_core::points::Points;
use stint_core::ports::{KeyPool, Parked};
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::testing::{RealClock, TestDatabase, on_each_server};
use stint_mongo::{Mongo, MongoKeyPool, MongoRecords};

use crate::proxy::{Fault, Proxy};
use crate::{WINDOW, key, open, pool, reserve};

/// The only document of a collection, which a test puts back later as a rollback does.
async fn snapshot(mongo: &Mongo, collection: &str) -> Document {
    mongo.collection(collection).find_one(doc! {}).await.unwrap().unwrap()
}

async fn roll_back(mongo: &Mongo, collection: &str, earlier: &Document) {
    let id = doc! { "_id": earlier.get("_id").cloned().unwrap() };
    assert_eq!(mongo.collection(collection).replace_one(id, earlier).await.unwrap().matched_count, 1);
}

/// What another process sees: the points held, and the number of holds.
async fn held(database: &TestDatabase) -> (Points, usize) {
    let status = open(&database.connect().await).await.keys().await.unwrap().remove(0);
    (status.held, usize::try_from(status.in_flight).unwrap())
}

/// Returns a pool through a proxy, with one key that has 100 points.
async fn behind_proxy(database: &TestDatabase) -> (Proxy, MongoKeyPool) {
    drop(pool(database, 100).await);
    let proxy = Proxy::start(database);
    let pool = open(&proxy.connect(database).await).await;
    (proxy, pool)
}

#[test]
fn a_hold_of_another_process_after_a_rollback_is_not_overwritten() {
    on_each_server(async |database| {
        let (ours, mongo) = (pool(&database, 100).await, database.connect().await);
        reserve(&ours, 10).await.unwrap();
        let earlier = snapshot(&mongo, "keys").await;
        reserve(&ours, 10).await.unwrap();
        roll_back(&mongo, "keys", &earlier).await;
        // As many writes as ours, so that a counter would show the same number.
        let theirs = open(&database.connect().await).await;
        reserve(&theirs, 20).await.unwrap();
        reserve(&ours, 5).await.unwrap();
        assert_eq!(held(&database).await, (Points::whole(35), 3));
    });
}

#[test]
fn holds_that_were_rolled_back_are_no_longer_counted() {
    on_each_server(async |database| {
        let (ours, mongo) = (pool(&database, 100).await, database.connect().await);
        reserve(&ours, 10).await.unwrap();
        let earlier = snapshot(&mongo, "keys").await;
        reserve(&ours, 80).await.unwrap();
        roll_back(&mongo, "keys", &earlier).await;
        assert!(reserve(&ours, 80).await.is_some());
        assert_eq!(held(&database).await, (Points::whole(90), 2));
    });
}

#[test]
fn a_record_of_another_process_after_a_rollback_is_not_overwritten() {
    on_each_server(async |database| {
        let mongo = database.connect().await;
        let [ours, theirs] = [&mongo, &database.connect().await].map(|mongo| MongoRecords::new(mongo, "throttles"));
        assert!(ours.replace("work", 0, &1).await.unwrap());
        let earlier = snapshot(&mongo, "throttles").await;
        assert!(ours.replace("work", 1, &2).await.unwrap());
        roll_back(&mongo, "throttles", &earlier).await;
        assert_eq!(theirs.load::<u32>("work").await.unwrap(), Some((1, 1)));
        assert!(theirs.replace("work", 1, &20).await.unwrap());
        assert!(!ours.replace("work", 2, &3).await.unwrap(), "version 2 is another process's");
        assert_eq!(ours.load::<u32>("work").await.unwrap(), Some((2, 20)));
        assert!(ours.replace("work", 2, &3).await.unwrap());
    });
}

#[test]
fn a_hold_whose_answer_is_lost_is_held_once() {
    on_each_server(async |database| {
        let (proxy, pool) = behind_proxy(&database).await;
        for lost in [Fault::LoseAnswer, Fault::LoseCommand, Fault::NotPrimary] {
            proxy.fault("update", "keys", lost);
            let grant = reserve(&pool, 10).await.expect("granted");
            assert_eq!((proxy.left(), held(&database).await), (0, (Points::whole(10), 1)));
            proxy.fault("update", "keys", Fault::LoseAnswer);
            pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
            assert_eq!((proxy.left(), held(&database).await), (0, (Points::ZERO, 0)));
        }
    });
}

#[test]
fn a_hold_whose_answer_is_lost_while_others_write_is_held_once() {
    on_each_server(async |database| {
        let (proxy, ours) = behind_proxy(&database).await;
        let ((applied, is_applied), (go, may_go)) = (oneshot::channel(), mpsc::channel());
        proxy.fault("update", "keys", Fault::LoseAnswerLater(applied, may_go));
        let reserving = tokio::spawn(async move { reserve(&ours, 10).await.is_some() });
        is_applied.await.unwrap();
        let theirs = open(&database.connect().await).await;
        reserve(&theirs, 20).await.unwrap();
        reserve(&theirs, 30).await.unwrap();
        go.send(()).unwrap();
        assert!(reserving.await.unwrap());
        assert_eq!(held(&database).await, (Points::whole(60), 3));
    });
}

#[test]
fn a_new_key_whose_answer_is_lost_exists_once() {
    on_each_server(async |database| {
        let proxy = Proxy::start(&database);
        let pool = open(&proxy.connect(&database).await).await;
        for lost in [Fault::NotPrimary, Fault::LoseAnswer] {
            proxy.fault("insert", "keys", lost);
        }
        pool.configure(&[key()]).await.unwrap();
        assert_eq!((proxy.left(), pool.keys().await.unwrap().len()), (0, 1));
    });
}

#[test]
fn a_server_that_refuses_several_commands_is_asked_again() {
    on_each_server(async |database| {
        let (proxy, pool) = behind_proxy(&database).await;
        for command in ["find", "update"] {
            (0..3).for_each(|_| proxy.fault(command, "keys", Fault::NotPrimary));
        }
        assert!(reserve(&pool, 10).await.is_some());
        assert_eq!((proxy.left(), held(&database).await), (0, (Points::whole(10), 1)));
    });
}

#[test]
fn a_record_whose_answer_is_lost_is_replaced_once() {
    on_each_server(async |database| {
        let proxy = Proxy::start(&database);
        let records = MongoRecords::new(&proxy.connect(&database).await, "throttles");
        proxy.fault("insert", "throttles", Fault::LoseAnswer);
        assert!(records.replace("work", 0, &1).await.unwrap());
        proxy.fault("update", "throttles", Fault::LoseAnswer);
        assert!(records.replace("work", 1, &2).await.unwrap());
        assert_eq!((proxy.left(), records.load::<u32>("work").await.unwrap()), (0, Some((2, 2))));
    });
}

#[test]
fn parked_messages_survive_lost_answers() {
    on_each_server(async |database| {
        let (proxy, pool) = behind_proxy(&database).await;
        let parked_at = crate::clock::FrozenClock::new().now();
        let message = Parked { id: "1".into(), queue: "work".into(), body: "later".into(), parked_at };
        for (command, fault) in [("update", Fault::LoseAnswer), ("update", Fault::NotPrimary)] {
            proxy.fault(command, "parked", fault);
        }
        pool.park(std::slice::from_ref(&message)).await.unwrap();
        proxy.fault("update", "parked", Fault::LoseAnswer);
        let claimed = pool.claim_parked("work", 5, WINDOW).await.unwrap();
        assert_eq!(claimed, [message]);
        assert_eq!(pool.claim_parked("work", 5, WINDOW).await.unwrap(), [], "it is leased");
        proxy.fault("delete", "parked", Fault::LoseAnswer);
        pool.forget_parked(&claimed).await.unwrap();
        assert_eq!((proxy.left(), pool.count_parked("work").await.unwrap()), (0, 0));
    });
}

/// A clock that is a hundred times as fast, for tests that wait until something is given up.
#[derive(Clone)]
struct FastClock(Timestamp);

const SPEED: u32 = 100;

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        after(self.0, between(self.0, RealClock.now()) * SPEED)
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        RealClock.sleep(between(self.now(), deadline) / SPEED).boxed()
    }
}

/// Returns a pool through a proxy that gives up a hundred times as fast.
async fn hurried(database: &TestDatabase) -> (Proxy, MongoKeyPool) {
    drop(pool(database, 100).await);
    let (proxy, clock) = (Proxy::start(database), FastClock(before(RealClock.now(), Duration::from_secs(1))));
    let uri = format!("{}?serverSelectionTimeoutMS=100", proxy.uri());
    let mongo = Mongo::open(&uri, Some(database.name()), None, Arc::new(clock)).await.unwrap();
    let pool = open(&mongo).await;
    (proxy, pool)
}

#[test]
fn a_server_that_does_not_answer_is_asked_again() {
    on_each_server(async |database| {
        let (proxy, pool) = hurried(&database).await;
        proxy.fault("update", "keys", Fault::Silence);
        assert!(reserve(&pool, 10).await.is_some());
        assert_eq!((proxy.left(), held(&database).await), (0, (Points::whole(10), 1)));
    });
}

#[test]
fn a_server_that_is_gone_is_unavailable_until_it_is_back() {
    on_each_server(async |database| {
        let (proxy, pool) = hurried(&database).await;
        proxy.set_down(true);
        let error = pool.keys().await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        proxy.set_down(false);
        while pool.keys().await.is_err() {}
        assert!(reserve(&pool, 10).await.is_some());
    });
}

#[test]
fn every_command_has_a_time_limit_and_a_majority() {
    on_each_server(async |database| {
        let (proxy, pool) = behind_proxy(&database).await;
        let parked_at = crate::clock::FrozenClock::new().now();
        reserve(&pool, 1).await.unwrap();
        pool.park(&[Parked { id: "1".into(), queue: "work".into(), body: "later".into(), parked_at }]).await.unwrap();
        let claimed = pool.claim_parked("work", 5, WINDOW).await.unwrap();
        pool.forget_parked(&claimed).await.unwrap();
        pool.count_parked("work").await.unwrap();
        pool.windows(&key(), 5).await.unwrap();
        let records = MongoRecords::new(&proxy.connect(&database).await, "throttles");
        assert!(records.replace("work", 0, &1).await.unwrap() && records.load::<u32>("work").await.unwrap().is_some());
        let mut checked = 0;
        for command in proxy.seen() {
            let name = command.keys().next().unwrap();
            let is_read = ["find", "aggregate", "count"].contains(&name.as_str());
            if !is_read && !["insert", "update", "delete"].contains(&name.as_str()) {
                continue;
            }
            checked += 1;
            let number = |document: &Document, field: &str| document.get(field).and_then(millis).unwrap_or_default();
            assert_eq!(number(&command, "maxTimeMS"), 10_000, "{command}");
            if is_read {
                assert_eq!(command.get_document("readConcern").unwrap(), &doc! { "level": "majority" }, "{command}");
            } else {
                let concern = command.get_document("writeConcern").unwrap();
                assert!(concern.get_str("w").unwrap() == "majority" && concern.get_bool("j").unwrap(), "{command}");
                assert_eq!(number(concern, "wtimeout"), 10_000, "{command}");
            }
        }
        assert!(checked >= 10, "{checked} commands");
    });
}

fn millis(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

#[test]
fn a_document_with_a_counter_is_read_and_gets_a_random_revision() {
    on_each_server(async |database| {
        let mongo = database.connect().await;
        drop(pool(&database, 100).await);
        let counted = doc! { "$set": { "revision": 7_i64 }, "$unset": { "earlier": "" } };
        mongo.collection("keys").update_one(doc! {}, counted).await.unwrap();
        let pool = open(&database.connect().await).await;
        reserve(&pool, 10).await.unwrap();
        let document = snapshot(&mongo, "keys").await;
        assert_eq!(document.get_str("revision").unwrap().len(), 32, "{document}");
        assert_eq!(document.get_array("earlier").unwrap(), &vec![Bson::Int64(7)], "{document}");
        mongo
            .collection("throttles")
            .insert_one(doc! { "_id": "work", "version": 3_i64, "record": "5" })
            .await
            .unwrap();
        let records = MongoRecords::new(&mongo, "throttles");
        assert_eq!(records.load::<u32>("work").await.unwrap(), Some((3, 5)));
        assert!(records.replace("work", 3, &6).await.unwrap());
        assert_eq!(snapshot(&mongo, "throttles").await.get_str("revision").unwrap().len(), 32);
    });
}
