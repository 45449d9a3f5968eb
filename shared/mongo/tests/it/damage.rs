//! Invalid documents: a key whose record cannot be read grants nothing before it is read from the upstream again.

use stint_core::clock::{Clock, after};
use stint_core::ledger::{CallEnd, KeyState, Reading};
use stint_core::points::Points;
use stint_core::ports::KeyPool;
use stint_mongo::mongodb::bson::{Document, doc};
use stint_mongo::testing::{TestDatabase, on_each_server};
use stint_mongo::{Mongo, MongoKeyPool};

use crate::clock::FrozenClock;
use crate::{WINDOW, key, open, pool, read_key, reserve};

/// Returns a pool with one key and one hold of 10 points, whose document was changed directly in the database.
async fn damaged(database: &TestDatabase, change: Document) -> (Mongo, MongoKeyPool) {
    let pool = pool(database, 100).await;
    reserve(&pool, 10).await.unwrap();
    let mongo = database.connect().await;
    mongo.collection("keys").update_one(doc! { "_id": &key().0 }, change).await.unwrap();
    (mongo, pool)
}

/// The fields, with the revision that another process would have written with them.
fn with_revision(fields: &Document) -> Document {
    let mut fields = fields.clone();
    fields.insert("revision", "another process's");
    fields
}

#[test]
fn an_unreadable_account_is_closed_until_it_is_read() {
    for record in [doc! { "record": r#"{"limit": "much"}"# }, doc! { "record": 5 }] {
        on_each_server(async |database| {
            let (_, pool) = damaged(&database, doc! { "$set": with_revision(&record) }).await;
            let status = pool.keys().await.unwrap().remove(0);
            assert_eq!((status.state, status.held), (KeyState::Stale, Points::whole(10)));
            assert!(reserve(&pool, 1).await.is_none());
            read_key(&pool, 100).await;
            let grant = reserve(&pool, 90).await.unwrap();
            assert!(grant.hold.sequence > 1_000_000, "a number that the lost record cannot have used");
            assert!(reserve(&pool, 1).await.is_none(), "the hold is still there");
        });
    }
}

#[test]
fn an_unreadable_hold_closes_its_key_until_it_is_read() {
    for holds in ["[[2,-10,0,null]]", "[[2,10", "{}", "5"] {
        on_each_server(async |database| {
            let (_, pool) = damaged(&database, doc! { "$set": with_revision(&doc! { "holds": holds }) }).await;
            assert_eq!(pool.keys().await.unwrap()[0].state, KeyState::Stale, "{holds}");
            assert!(reserve(&pool, 1).await.is_none());
            read_key(&pool, 100).await;
            assert!(reserve(&pool, 1).await.is_some());
        });
    }
}

#[test]
fn an_invalid_revision_is_replaced() {
    for change in [doc! { "$set": { "revision": "seven" } }, doc! { "$unset": { "revision": "" } }] {
        on_each_server(async |database| {
            let (_, pool) = damaged(&database, change.clone()).await;
            assert!(reserve(&pool, 90).await.is_some());
            assert!(reserve(&pool, 1).await.is_none());
        });
    }
}

#[test]
fn a_deleted_key_is_dropped_at_the_next_write() {
    on_each_server(async |database| {
        let pool = pool(&database, 100).await;
        let mongo = database.connect().await;
        mongo.collection("keys").delete_one(doc! {}).await.unwrap();
        assert!(reserve(&pool, 10).await.is_none());
        assert_eq!(pool.keys().await.unwrap(), []);
    });
}

#[test]
fn a_window_is_recorded_whichever_process_crashes() {
    on_each_server(async |database| {
        let (clock, mongo) = (FrozenClock::new(), database.connect().await);
        let pool = MongoKeyPool::open(&mongo, crate::LEDGER, std::sync::Arc::new(clock.clone())).await.unwrap();
        pool.configure(&[key()]).await.unwrap();
        for spent in [0, 20, 30] {
            let claim = pool.claim_reading(Points::ZERO, WINDOW / 2).await.unwrap().unwrap();
            let reading = Reading {
                limit: Points::whole(100),
                spent: Points::whole(spent),
                resets_in: WINDOW,
                received_at: clock.now(),
            };
            pool.observe(&claim, CallEnd::Answered(reading)).await.unwrap();
            clock.0.advance_to(after(clock.now(), WINDOW * 2));
        }
        // The last one is still in the key's document; a newly opened pool finds both.
        assert_eq!(mongo.collection("windows").count_documents(doc! {}).await.unwrap(), 1);
        let windows = open(&mongo).await.windows(&key(), 10).await.unwrap();
        let seen: Vec<_> = windows.iter().map(|window| (window.window, window.spent)).collect();
        assert_eq!(seen, [(2, Points::whole(20)), (1, Points::ZERO)]);
        let nonsense = doc! { "_id": "a/9", "key": "a", "number": 9_i64, "record": "nonsense" };
        mongo.collection("windows").insert_one(nonsense).await.unwrap();
        assert_eq!(open(&mongo).await.windows(&key(), 10).await.unwrap().len(), 2);
    });
}
