//! The record of a breaker in this process, kept in step with the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::lock::Mutex as Turn;
use jiff::Timestamp;
use stint_core::circuit::Circuit;
use stint_core::clock::{Clock, between, set_back_by};
use stint_core::ports::Breakers;

/// How often a step is tried, because other processes may change the record between a load and the write after it.
const TRIES: usize = 8;

/// A copy of one upstream's record.
pub(super) struct SharedCircuit {
    upstream: String,
    store: Arc<dyn Breakers>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// Held during each load and each write, so that answers of the store are applied in order, and callers that find
    /// the copy too old at the same time load it once.
    turn: Turn<()>,
}

/// What this process knows of the record.
#[derive(Default)]
struct Known {
    circuit: Circuit,
    /// The version of the stored record that `circuit` equals or was derived from.
    version: u64,
    store_state: StoreState,
    /// When the store was last read, even if it failed.
    asked_at: Option<Timestamp>,
}

/// How the circuit in memory relates to the stored record.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum StoreState {
    /// It equals that record.
    #[default]
    Stored,
    /// It was changed since, and writing it to the store failed.
    NotStored,
}

/// The result of applying one step to the record.
struct Attempt<T> {
    outcome: T,
    /// `None` if the step changes nothing.
    changed: Option<Circuit>,
    version: u64,
    now: Timestamp,
}

impl SharedCircuit {
    pub(super) fn new(upstream: String, store: Arc<dyn Breakers>, clock: Arc<dyn Clock>) -> SharedCircuit {
        SharedCircuit { upstream, store, clock, known: Mutex::default(), turn: Turn::new(()) }
    }

    pub(super) fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Reads the copy.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Circuit) -> T) -> T {
        look(&self.lock().circuit)
    }

    /// Reloads the record if the store was last read `age` ago or longer.
    pub(super) async fn refresh(&self, age: Duration) {
        if self.is_fresh(age) {
            return;
        }
        let _turn = self.turn.lock().await;
        // Another caller may have reloaded it meanwhile.
        if !self.is_fresh(age) {
            self.reload().await;
        }
    }

    /// Changes the record by one step, which is applied again to what other processes have stored meanwhile. A step
    /// that changes nothing does not use the store. Returns `None` if other processes were faster each time; nothing of
    /// the step is stored then.
    pub(super) async fn change<T>(&self, step: impl Fn(&mut Circuit, Timestamp) -> T) -> Option<T> {
        let first_attempt = self.attempt(&step);
        if first_attempt.changed.is_none() {
            return Some(first_attempt.outcome);
        }
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let Attempt { outcome, changed, version, now } = self.attempt(&step);
            let Some(circuit) = changed else { return Some(outcome) };
            match self.store.replace(&self.upstream, version, &circuit).await {
                Ok(true) => {
                    self.lock().written(version + 1, circuit, now);
                    return Some(outcome);
                }
                Ok(false) => self.reload().await,
                Err(error) => {
                    tracing::debug!(upstream = self.upstream, %error, "cannot store a breaker's state: {error}");
                    let mut known = self.lock();
                    (known.circuit, known.store_state) = (circuit, StoreState::NotStored);
                    return Some(outcome);
                }
            }
        }
        tracing::debug!(
            upstream = self.upstream,
            "cannot store a breaker's state: other processes changed it {TRIES} times"
        );
        None
    }

    fn attempt<T>(&self, step: &impl Fn(&mut Circuit, Timestamp) -> T) -> Attempt<T> {
        let now = self.clock.now();
        let (mut circuit, version) = {
            let known = self.lock();
            (known.circuit.clone(), known.version)
        };
        let before = circuit.clone();
        let outcome = step(&mut circuit, now);
        Attempt { outcome, changed: Some(circuit).filter(|circuit| *circuit != before), version, now }
    }

    fn is_fresh(&self, age: Duration) -> bool {
        let now = self.clock.now();
        // If the clock was set back, the age of the copy is unknown.
        let is_young = |at| set_back_by(at, now, Duration::ZERO).is_none() && between(at, now) < age;
        self.lock().asked_at.is_some_and(is_young)
    }

    /// Loads the stored record, and writes what the store failed to write before. Called by the holder of the turn.
    async fn reload(&self) {
        let now = self.clock.now();
        let loaded = self.store.load(&self.upstream).await;
        self.lock().asked_at = Some(now);
        let (version, stored) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::debug!(upstream = self.upstream, %error, "cannot read a breaker: {error}");
                return;
            }
        };
        let Some(unwritten) = self.lock().take_in(version, stored) else { return };
        match self.store.replace(&self.upstream, version, &unwritten).await {
            Ok(true) => self.lock().written(version + 1, unwritten, now),
            // The next load compares it with what other processes have written.
            Ok(false) => {}
            Err(error) => tracing::debug!(upstream = self.upstream, %error, "cannot store a breaker's state: {error}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn written(&mut self, version: u64, circuit: Circuit, now: Timestamp) {
        *self = Known { circuit, version, store_state: StoreState::Stored, asked_at: Some(now) };
    }

    /// Adopts the stored record, even if its version is lower than the known one because the store was recreated. If
    /// this process failed to write its own record before and that record must replace the stored one, returns it to be
    /// written.
    fn take_in(&mut self, version: u64, stored: Circuit) -> Option<Circuit> {
        let unwritten = match self.store_state {
            StoreState::Stored => None,
            StoreState::NotStored if version == self.version => Some(self.circuit.clone()),
            StoreState::NotStored => self.circuit.replacement_for(&stored),
        };
        let standing = if unwritten.is_some() { StoreState::NotStored } else { StoreState::Stored };
        let circuit = unwritten.clone().unwrap_or(stored);
        *self = Known { circuit, version, store_state: standing, asked_at: self.asked_at };
        unwritten
    }
}
