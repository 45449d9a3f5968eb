//! The ledger of `stint-core` in memory. Each step that a store would commit as one transaction runs under one lock.

mod invariants;
mod parking;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{
    Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, Ledger, LedgerSettings, ReadingClaim, Reservation, WindowRecord,
};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, Parked, PortError, PortResult};

use crate::faults::{Fault, Faults};
use crate::random::Random;
use invariants::Invariants;
use parking::Parking;

/// A key pool in memory. After each step it checks that no point was granted twice or has disappeared. After a
/// violation every call fails with what did not add up.
pub struct MemoryKeyPool {
    clock: Arc<dyn Clock>,
    random: Random,
    faults: Faults,
    settings: LedgerSettings,
    state: Arc<Mutex<State>>,
}

struct State {
    ledger: Ledger,
    /// The settings of the handle that used the ledger last.
    settings: LedgerSettings,
    windows: BTreeMap<KeyId, Vec<WindowRecord>>,
    invariants: Invariants,
    parking: Parking,
}

impl MemoryKeyPool {
    /// Returns a pool without keys.
    pub fn new(settings: LedgerSettings, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> MemoryKeyPool {
        let ledger = Ledger::new(settings, BTreeMap::new());
        let (invariants, parking) = (Invariants::default(), Parking::default());
        let state = State { ledger, settings, windows: BTreeMap::new(), invariants, parking };
        let random = Random::new(seed, "key pool");
        MemoryKeyPool { clock, random, faults: faults.clone(), settings, state: Arc::new(Mutex::new(state)) }
    }

    /// Returns another handle to the same pool, as a process with its own settings would have.
    pub fn another_handle(&self, settings: LedgerSettings, seed: u64) -> MemoryKeyPool {
        let (clock, faults, state) = (self.clock.clone(), self.faults.clone(), self.state.clone());
        MemoryKeyPool { clock, random: Random::new(seed, "key pool"), faults, settings, state }
    }

    /// Returns the status of every key now, without the latency of a store.
    pub fn statuses(&self) -> Vec<KeyStatus> {
        let now = self.clock.now();
        self.lock().ledger.status(now)
    }

    /// Returns every window of `key` that is over, oldest first.
    pub fn history(&self, key: &KeyId) -> Vec<WindowRecord> {
        self.lock().windows.get(key).cloned().unwrap_or_default()
    }

    /// Returns what did not add up after a step, if anything.
    pub fn violation(&self) -> Option<String> {
        self.lock().invariants.violation().map(str::to_owned)
    }

    /// The number of parked messages.
    pub fn parked(&self) -> u64 {
        self.lock().parking.len() as u64
    }

    /// Calls `show` with the body of every parked message.
    pub fn each_parked(&self, mut show: impl FnMut(&str)) {
        self.lock().parking.iter().for_each(|parked| show(&parked.body));
    }

    async fn pass_time(&self) {
        if let Some(latency) = self.faults.store_latency() {
            self.faults.count(Fault::SlowStore, 1);
            self.clock.sleep(self.random.within(latency)).await;
        }
    }

    /// Makes one step of the ledger and checks the invariants after it.
    async fn step<T>(&self, step: impl FnOnce(&mut Ledger, Timestamp) -> T) -> PortResult<T> {
        self.pass_time().await;
        let now = self.clock.now();
        let mut state = self.lock();
        let State { ledger, settings, windows, invariants, .. } = &mut *state;
        if *settings != self.settings {
            *ledger = Ledger::new(self.settings, ledger.accounts().clone());
            *settings = self.settings;
        }
        let answer = step(ledger, now);
        let changes = ledger.take_changes();
        invariants.check(ledger, &changes, &self.settings, now).map_err(PortError::Invalid)?;
        for (key, window) in changes.windows {
            windows.entry(key).or_default().push(window);
        }
        Ok(answer)
    }

    fn check_grant(&self, key: &KeyId) -> PortResult<()> {
        let mut state = self.lock();
        let State { ledger, invariants, .. } = &mut *state;
        let Some(account) = ledger.accounts().get(key) else { return Ok(()) };
        invariants.check_grant(key, account, self.settings.guard).map_err(PortError::Invalid)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyPool for MemoryKeyPool {
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()> {
        self.step(|ledger, _| ledger.configure(keys)).await
    }

    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation> {
        let reservation = self.step(|ledger, now| ledger.reserve(ask, now)).await?;
        if let Reservation::Granted(grant) = &reservation {
            self.check_grant(&grant.hold.key)?;
        }
        Ok(reservation)
    }

    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        self.step(|ledger, now| ledger.settle(hold, end, now)).await
    }

    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>> {
        self.step(|ledger, now| ledger.claim_reading(needed, lease, now)).await
    }

    async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        self.step(|ledger, now| ledger.observe(claim, end, now)).await
    }

    async fn keys(&self) -> PortResult<Vec<KeyStatus>> {
        self.step(|ledger, now| ledger.status(now)).await
    }

    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        Ok(self.history(key).into_iter().rev().take(max).collect())
    }

    async fn costs(&self) -> PortResult<Costs> {
        Ok(self.lock().ledger.costs())
    }

    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool> {
        self.step(|ledger, _| ledger.pause(key, until)).await
    }

    async fn forget(&self, key: &KeyId) -> PortResult<bool> {
        self.step(|ledger, _| ledger.forget(key)).await
    }

    async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        self.pass_time().await;
        let mut state = self.lock();
        messages.iter().for_each(|message| state.parking.park(message));
        Ok(())
    }

    async fn claim_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        let now = self.clock.now();
        if self.lock().parking.is_empty() {
            return Ok(Vec::new());
        }
        self.pass_time().await;
        Ok(self.lock().parking.claim(queue, max, lease, now))
    }

    async fn forget_parked(&self, messages: &[Parked]) -> PortResult<()> {
        self.pass_time().await;
        let mut state = self.lock();
        messages.iter().for_each(|message| state.parking.forget(message));
        Ok(())
    }

    async fn count_parked(&self, queue: &str) -> PortResult<u64> {
        Ok(self.lock().parking.iter().filter(|parked| parked.queue == queue).count() as u64)
    }
}

#[cfg(test)]
mod tests;
