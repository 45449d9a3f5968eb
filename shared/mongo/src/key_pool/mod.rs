//! The key pool port on MongoDB: one ledger for all processes, a document for each key.

mod accounts;
mod batch;
mod document;
mod parked;
mod windows;

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

use crate::connection::Mongo;
use accounts::Accounts;
use batch::Batcher;
use parked::ParkedMessages;
use windows::Windows;

/// The key pool of a database. All pools of a database are one, in this process and in others.
///
/// Needs tokio, as the driver does: what was begun goes on when a caller stops waiting for it.
pub struct MongoKeyPool {
    ledger: Batcher,
    accounts: Accounts,
    parked: ParkedMessages,
}

impl MongoKeyPool {
    /// The key pool of a database. Sees to the indexes.
    pub async fn open(mongo: &Mongo, settings: LedgerSettings, clock: Arc<dyn Clock>) -> PortResult<MongoKeyPool> {
        let accounts = Accounts::new(mongo, Windows::open(mongo).await?);
        let parked = ParkedMessages::open(mongo, clock.clone()).await?;
        Ok(MongoKeyPool { ledger: Batcher::new(accounts.clone(), settings, clock), accounts, parked })
    }
}

#[async_trait]
impl KeyPool for MongoKeyPool {
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
        self.accounts.windows(key, max).await
    }

    async fn costs(&self) -> PortResult<Costs> {
        self.ledger.step("read what calls cost", |ledger, _| ledger.costs()).await
    }

    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool> {
        let key = key.clone();
        self.ledger.step("pause a key", move |ledger, _| ledger.pause(&key, until)).await
    }

    async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        self.parked.park(messages).await
    }

    async fn lend_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        self.parked.lend(queue, max, lease).await
    }

    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()> {
        self.parked.forget(messages).await
    }

    async fn count_parked(&self, queue: &str) -> PortResult<u64> {
        self.parked.count(queue).await
    }
}
