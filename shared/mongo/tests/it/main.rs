//! Tests of the adapters' public interface on a real server that speaks MongoDB's protocol.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod clock;
mod conformance;
mod damage;
mod failover;
mod processes;
mod proxy;
mod race;
mod records;

use std::sync::Arc;
use std::time::Duration;

use stint_core::ledger::{Ask, CallEnd, Grant, KeyId, LedgerSettings, Reading, Reservation};
use stint_core::points::Points;
use stint_core::ports::KeyPool;
use stint_mongo::testing::TestDatabase;
use stint_mongo::{Mongo, MongoKeyPool};

use clock::FrozenClock;

const WINDOW: Duration = Duration::from_secs(3_600);
const LEDGER: LedgerSettings = LedgerSettings::without_reserve(WINDOW);

fn key() -> KeyId {
    KeyId("a".into())
}

async fn open(mongo: &Mongo) -> MongoKeyPool {
    MongoKeyPool::open(mongo, LEDGER, Arc::new(FrozenClock::new())).await.unwrap()
}

/// Returns a pool with one key that was read and has `limit` points.
async fn pool(database: &TestDatabase, limit: u64) -> MongoKeyPool {
    let pool = open(&database.connect().await).await;
    pool.configure(&[key()]).await.unwrap();
    read_key(&pool, limit).await;
    pool
}

/// Reads the key, whose window has all its points and an hour to go.
async fn read_key(pool: &dyn KeyPool, limit: u64) {
    let claim = pool.claim_reading(Points::ZERO, Duration::from_secs(60)).await.unwrap().unwrap();
    let received_at = stint_core::clock::Clock::now(&FrozenClock::new());
    let reading = Reading { limit: Points::whole(limit), spent: Points::ZERO, resets_in: WINDOW, received_at };
    pool.observe(&claim, CallEnd::Answered(reading)).await.unwrap();
}

async fn reserve(pool: &dyn KeyPool, points: u64) -> Option<Grant> {
    let ask =
        Ask { messages: vec![vec![Points::whole(points)]], call_timeout: Duration::from_secs(30), priority: false };
    match pool.reserve(&ask).await.unwrap() {
        Reservation::Granted(grant) => Some(grant),
        _ => None,
    }
}
