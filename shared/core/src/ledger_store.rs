//! The part of a key pool that each adapter implements. The ledger does the rest.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ledger::{Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, Ledger, ReadingClaim, Reservation, WindowRecord};
use crate::points::Points;
use crate::ports::{KeyPool, Parked, PortResult};

/// A store of the ledger. Every implementation is a [`KeyPool`], so all stores have the same semantics, because they
/// run the same ledger code. The contract for windows and parked messages is documented at [`KeyPool`].
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Applies `work` to the ledger that all processes share, and returns once the change is durable. `work` may be
    /// applied more than once if other processes write first. `what` completes the sentence "could not …".
    fn step<T, W>(&self, what: &'static str, work: W) -> impl Future<Output = PortResult<T>> + Send
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static;

    /// Implements [`KeyPool::windows`].
    async fn read_windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>>;

    /// Implements [`KeyPool::park`]; the list is never empty.
    async fn store_parked(&self, messages: &[Parked]) -> PortResult<()>;

    /// Implements [`KeyPool::claim_parked`].
    async fn claim_stored(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>>;

    /// Implements [`KeyPool::forget_parked`]; the list is never empty.
    async fn forget_stored(&self, messages: &[Parked]) -> PortResult<()>;

    /// Implements [`KeyPool::count_parked`].
    async fn count_stored(&self, queue: &str) -> PortResult<u64>;
}

#[async_trait]
impl<S: LedgerStore> KeyPool for S {
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()> {
        let keys = keys.to_vec();
        self.step("configure the keys", move |ledger, _| ledger.configure(&keys)).await
    }

    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation> {
        let ask = ask.clone();
        self.step("reserve points", move |ledger, now| ledger.reserve(&ask, now)).await
    }

    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        let hold = hold.clone();
        self.step("settle a hold", move |ledger, now| ledger.settle(&hold, end, now)).await
    }

    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>> {
        self.step("claim a reading", move |ledger, now| ledger.claim_reading(needed, lease, now)).await
    }

    async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        let claim = claim.clone();
        self.step("observe a reading", move |ledger, now| ledger.observe(&claim, end, now)).await
    }

    async fn keys(&self) -> PortResult<Vec<KeyStatus>> {
        self.step("list the keys", |ledger, now| ledger.status(now)).await
    }

    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        self.read_windows(key, max).await
    }

    async fn costs(&self) -> PortResult<Costs> {
        self.step("read what calls cost", |ledger, _| ledger.costs()).await
    }

    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool> {
        let key = key.clone();
        self.step("pause a key", move |ledger, _| ledger.pause(&key, until)).await
    }

    async fn forget(&self, key: &KeyId) -> PortResult<bool> {
        let key = key.clone();
        self.step("forget what is known of a key", move |ledger, _| ledger.forget(&key)).await
    }

    async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        if messages.is_empty() { Ok(()) } else { self.store_parked(messages).await }
    }

    async fn claim_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        self.claim_stored(queue, max, lease).await
    }

    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()> {
        if messages.is_empty() { Ok(()) } else { self.forget_stored(messages).await }
    }

    async fn count_parked(&self, queue: &str) -> PortResult<u64> {
        self.count_stored(queue).await
    }
}
