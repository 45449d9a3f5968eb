//! The ledger of `stint-core` in memory: what every store does in one commit, a process does under one lock.

mod parking;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{
    Ask, CallEnd, Costs, HoldId, KeyId, KeyStatus, Ledger, LedgerSettings, Reading, ReadingClaim, Reservation, WindowRecord,
};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, Parked, PortError, PortResult};

use crate::dice::Dice;
use crate::faults::Faults;
use parking::Parking;

/// A key pool in memory. After each step it checks the ledger's own promises, and fails loudly when one is broken.
pub struct MemoryKeyPool {
    clock: Arc<dyn Clock>,
    dice: Dice,
    latency: Option<(Duration, Duration)>,
    settings: LedgerSettings,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    windows: BTreeMap<KeyId, Vec<WindowRecord>>,
    parking: Parking,
}

impl MemoryKeyPool {
    /// A pool without keys.
    pub fn new(settings: LedgerSettings, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> MemoryKeyPool {
        let ledger = Ledger::new(settings, BTreeMap::new());
        let state = State { ledger, windows: BTreeMap::new(), parking: Parking::default() };
        let dice = Dice::new(seed, "key pool");
        MemoryKeyPool { clock, dice, latency: faults.store_latency(), settings, state: Mutex::new(state) }
    }

    /// Every key now, without the time that a store takes.
    pub fn look(&self) -> Vec<KeyStatus> {
        let now = self.clock.now();
        self.lock().ledger.status(now)
    }

    /// Every window of `key` that is over, oldest first.
    pub fn history(&self, key: &KeyId) -> Vec<WindowRecord> {
        self.lock().windows.get(key).cloned().unwrap_or_default()
    }

    /// How many messages are parked.
    pub fn parked(&self) -> u64 {
        self.lock().parking.len() as u64
    }

    /// Shows the body of every parked message.
    pub fn each_parked(&self, mut show: impl FnMut(&str)) {
        self.lock().parking.iter().for_each(|parked| show(&parked.body));
    }

    async fn pass_time(&self) {
        if let Some(latency) = self.latency {
            self.clock.sleep(self.dice.within(latency)).await;
        }
    }

    /// One step of the ledger, and what must be true after it.
    async fn step<T>(&self, key: Option<&KeyId>, step: impl FnOnce(&mut Ledger, Timestamp) -> T) -> PortResult<T> {
        self.pass_time().await;
        let now = self.clock.now();
        let mut state = self.lock();
        let answer = step(&mut state.ledger, now);
        let changes = state.ledger.take_changes();
        for (key, window) in changes.windows {
            check_window(&key, &window)?;
            state.windows.entry(key).or_default().push(window);
        }
        if let Some(key) = key {
            self.check_key(&state.ledger, key)?;
        }
        Ok(answer)
    }

    /// No more is on loan than the window has left, unless it was lent in the window before.
    fn check_key(&self, ledger: &Ledger, key: &KeyId) -> PortResult<()> {
        let Some(account) = ledger.accounts().get(key) else { return Ok(()) };
        let Some(limit) = account.limit else { return Ok(()) };
        let committed = account.spent.saturating_add(account.held());
        let left = limit.saturating_sub(self.settings.guard);
        if committed > left {
            return Err(PortError::Invalid(format!("the ledger lent {committed} of {key}'s {left} points")));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Conservation: every point of a window was spent or expired, and what was spent too much is said.
fn check_window(key: &KeyId, window: &WindowRecord) -> PortResult<()> {
    let accounted = window.spent.saturating_add(window.expired);
    if accounted != window.limit.saturating_add(window.overspent) {
        return Err(PortError::Invalid(format!("the books of {key} do not add up: {window:?}")));
    }
    Ok(())
}

#[async_trait]
impl KeyPool for MemoryKeyPool {
    async fn configure(&self, keys: &[KeyId]) -> PortResult<()> {
        self.step(None, |ledger, _| ledger.configure(keys)).await
    }

    async fn reserve(&self, ask: &Ask) -> PortResult<Reservation> {
        let reservation = self.step(None, |ledger, now| ledger.reserve(ask, now)).await?;
        if let Reservation::Granted(grant) = &reservation {
            self.check_key(&self.lock().ledger, &grant.hold.key)?;
        }
        Ok(reservation)
    }

    async fn settle(&self, hold: &HoldId, end: CallEnd) -> PortResult<()> {
        self.step(None, |ledger, now| ledger.settle(hold, end, now)).await
    }

    async fn claim_reading(&self, needed: Points, lease: Duration) -> PortResult<Option<ReadingClaim>> {
        self.step(None, |ledger, now| ledger.claim_reading(needed, lease, now)).await
    }

    async fn observe(&self, claim: &ReadingClaim, reading: Option<Reading>) -> PortResult<()> {
        self.step(None, |ledger, now| ledger.observe(claim, reading, now)).await
    }

    async fn keys(&self) -> PortResult<Vec<KeyStatus>> {
        self.step(None, |ledger, now| ledger.status(now)).await
    }

    async fn windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        Ok(self.history(key).into_iter().rev().take(max).collect())
    }

    async fn costs(&self) -> PortResult<Costs> {
        Ok(self.lock().ledger.costs())
    }

    async fn pause(&self, key: &KeyId, until: Option<Timestamp>) -> PortResult<bool> {
        self.step(None, |ledger, _| ledger.pause(key, until)).await
    }

    async fn park(&self, messages: &[Parked]) -> PortResult<()> {
        self.pass_time().await;
        let mut state = self.lock();
        messages.iter().for_each(|message| state.parking.park(message));
        Ok(())
    }

    async fn lend_parked(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        let now = self.clock.now();
        if self.lock().parking.is_empty() {
            return Ok(Vec::new());
        }
        self.pass_time().await;
        Ok(self.lock().parking.lend(queue, max, lease, now))
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
