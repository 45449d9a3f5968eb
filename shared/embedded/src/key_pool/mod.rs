//! The key pool port on SQLite: one ledger for all processes, kept in memory beside the file.

mod batch;
mod group;
mod load;
mod parked;
mod save;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{
    Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, LedgerSettings, Reading, ReadingClaim, Reservation, WindowRecord,
};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, Parked, PortResult};

use crate::database::Database;
use crate::time::{millis_after, now_millis};
use batch::Batcher;

/// The key pool of a [`Database`]. All pools of a file are one, in this process and in others.
pub struct SqliteKeyPool {
    database: Database,
    clock: Arc<dyn Clock>,
    ledger: Batcher,
}

impl SqliteKeyPool {
    /// The key pool of a database that has the tables of the ledger.
    pub fn new(database: &Database, settings: LedgerSettings, clock: Arc<dyn Clock>) -> SqliteKeyPool {
        let ledger = Batcher::new(database, settings, clock.clone());
        SqliteKeyPool { database: database.clone(), clock, ledger }
    }
}

#[async_trait]
impl KeyPool for SqliteKeyPool {
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()> {
        let keys = keys.to_vec();
        self.ledger.step("configure the keys", move |ledger, _| ledger.configure(&keys)).await
    }

    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation> {
        let ask = ask.clone();
        self.ledger.step("reserve points", move |ledger, now| ledger.reserve(&ask, now)).await
    }

    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        let hold = hold.clone();
        self.ledger.step("settle a hold", move |ledger, now| ledger.settle(&hold, end, now)).await
    }

    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>> {
        self.ledger.step("claim a reading", move |ledger, now| ledger.claim_reading(needed, lease, now)).await
    }

    async fn observe(&self, claim: &ReadingClaim, reading: Option<Reading>) -> PortResult<Option<WindowRecord>> {
        let claim = claim.clone();
        self.ledger.step("observe a reading", move |ledger, now| ledger.observe(&claim, reading, now)).await
    }

    async fn keys(&self) -> PortResult<Vec<KeyStatus>> {
        self.ledger.step("list the keys", |ledger, now| ledger.status(now)).await
    }

    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        let key = key.clone();
        self.database.read("read a key's windows", move |connection| load::windows(connection, &key, max)).await
    }

    async fn costs(&self) -> PortResult<Costs> {
        self.ledger.step("read what calls cost", |ledger, _| ledger.costs()).await
    }

    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool> {
        let key = key.clone();
        self.ledger.step("pause a key", move |ledger, _| ledger.pause(&key, until)).await
    }

    async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        let messages = messages.to_vec();
        if messages.is_empty() {
            return Ok(());
        }
        self.database.write("park messages", move |connection| parked::park(connection, &messages)).await
    }

    async fn lend_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        let (queue, clock) = (queue.to_owned(), self.clock.clone());
        let write = self.database.write("lend parked messages", move |connection| {
            let (now, lent_until) = (now_millis(&*clock), millis_after(&*clock, lease));
            parked::lend(connection, &queue, max, now, lent_until)
        });
        write.await
    }

    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()> {
        let messages = messages.to_vec();
        if messages.is_empty() {
            return Ok(());
        }
        self.database.write("forget parked messages", move |connection| parked::forget(connection, &messages)).await
    }

    async fn count_parked(&self, queue: &str) -> PortResult<u64> {
        let queue = queue.to_owned();
        self.database.read("count parked messages", move |connection| parked::count(connection, &queue)).await
    }
}
