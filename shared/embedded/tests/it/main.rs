//! The embedded adapters, tested through their public interface.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod conformance;
mod damage;
mod database;
mod migrations;
mod order;
mod processes;
mod released;
mod upkeep;

use std::time::Duration;

use stint_core::clock::ManualClock;
use stint_core::ledger::{Ask, CallEnd, Grant, KeyId, LedgerSettings, Reading, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, QueueSettings};

const SETTINGS: QueueSettings = QueueSettings { visibility_timeout: Duration::from_secs(60), max_receives: 3 };
const WINDOW: Duration = Duration::from_secs(3_600);
const LEDGER: LedgerSettings = LedgerSettings::without_reserve(WINDOW);

/// Returns a clock that stands still, at the same instant in each process.
fn clock() -> ManualClock {
    ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap())
}

fn key() -> KeyId {
    KeyId("a".into())
}

fn ask(points: u64) -> Ask {
    Ask { messages: vec![vec![Points::whole(points)]], call_timeout: Duration::from_secs(30), priority: false }
}

/// Reads the key: nothing is spent, and the window has an hour left.
async fn read_key(pool: &dyn KeyPool, limit: u64) {
    let claim = pool.claim_reading(Points::ZERO, Duration::from_secs(60)).await.unwrap().unwrap();
    let received_at = stint_core::clock::Clock::now(&clock());
    let reading = Reading { limit: Points::whole(limit), spent: Points::ZERO, resets_in: WINDOW, received_at };
    pool.observe(&claim, CallEnd::Answered(reading)).await.unwrap();
}

async fn reserve(pool: &dyn KeyPool, points: u64) -> Option<Grant> {
    match pool.reserve(&ask(points)).await.unwrap() {
        Reservation::Granted(grant) => Some(grant),
        _ => None,
    }
}
