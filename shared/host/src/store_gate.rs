//! Pauses a worker whose stores cannot be reached.
//!
//! A message that is received while the worker cannot work uses up one of its receives, and after a few of them it becomes
//! a dead letter, although nothing is wrong with it. So the host stops receiving, asks the worker with back-off whether its
//! stores are back, and then lets one batch through before the others.
//!
//! The state is kept in the process: the store that is down may be the one in which it would be recorded.
//!
//! # What may happen between any two lines
//! * *The process exits:* the next one finds out by its first batch.
//! * *Another process finds the store available first:* each process probes for itself, at most half a minute apart.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::circuit::{Circuit, CircuitSettings, CircuitWait, Health, Intent, Pass, Transition};
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{PortError, PortResult};
use stint_core::worker::{AnyWorker, Outcome, StopSignal, WorkerError, WorkerId};

/// The wait before the first probe, and the upper bound of the doubling wait. A probe is one small query.
const FIRST_PROBE: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A probe that takes longer has failed.
const PROBE_TIME: Duration = Duration::from_secs(30);

/// How often a waiting caller checks for a stop.
const STOP_CHECK: Duration = Duration::from_secs(1);

/// The gate of one worker in this process.
pub(crate) struct StoreGate {
    worker: WorkerId,
    settings: CircuitSettings,
    clock: Arc<dyn Clock>,
    circuit: Mutex<Circuit>,
}

impl StoreGate {
    /// Creates the open gate of a worker that runs for at most `timeout`.
    pub(crate) fn new(worker: WorkerId, timeout: Duration, clock: Arc<dyn Clock>) -> StoreGate {
        let settings = CircuitSettings {
            failures: 1,
            first_delay: FIRST_PROBE,
            longest_delay: LONGEST_WAIT,
            ban_delay: Duration::ZERO,
            ..CircuitSettings::for_calls_of(timeout.max(PROBE_TIME))
        };
        StoreGate { worker, settings, clock, circuit: Mutex::default() }
    }

    /// Returns how many further invocations may be started besides the `running` ones: any number, one, or none.
    pub(crate) fn admits_besides(&self, running: usize) -> bool {
        let circuit = self.lock();
        let waits = circuit.waits(Intent::Work, &self.settings, self.clock.now());
        waits.is_none() && (running == 0 || circuit.is_closed())
    }

    /// Returns whether the stores are not known to be back.
    pub(crate) fn is_shut(&self) -> bool {
        !self.lock().is_closed()
    }

    /// Returns why the stores cannot be reached, if so.
    #[cfg(feature = "lambda")]
    pub(crate) fn reason(&self) -> Option<String> {
        self.lock().outage().map(|outage| outage.reason.clone())
    }

    /// Returns for how long the stores could not be reached.
    #[cfg(feature = "lambda")]
    pub(crate) fn outage_age(&self) -> Duration {
        self.lock().outage().map_or(Duration::ZERO, |outage| between(outage.since, self.clock.now()))
    }

    /// Waits until the worker may be invoked, and probes its stores when that is due. `None` after `until`, or once the
    /// process stops.
    pub(crate) async fn pass(&self, worker: &dyn AnyWorker, until: Timestamp, stop: &StopSignal) -> Option<Pass> {
        loop {
            match self.try_pass() {
                Ok(pass) => return Some(pass),
                Err(Some(probe)) => self.probe(worker, probe).await,
                Err(None) if stop.is_set() || self.clock.now() >= until => return None,
                Err(None) => self.clock.sleep(self.pause()).await,
            }
        }
    }

    /// Probes the stores until a batch may be tried, or the process stops.
    pub(crate) async fn recover(&self, worker: &dyn AnyWorker, stop: &StopSignal) {
        while !stop.is_set() && self.lock().waits(Intent::Work, &self.settings, self.clock.now()).is_some() {
            match self.enter_probe() {
                Some(probe) => self.probe(worker, probe).await,
                None => self.clock.sleep(self.pause()).await,
            }
        }
    }

    /// Applies the outcome of an invocation. Returns why a store could not be reached, if so.
    pub(crate) fn report(&self, pass: Pass, outcome: &Result<Outcome, WorkerError>) -> Option<String> {
        let unavailable = match outcome {
            Ok(outcome) => outcome.unavailable.clone(),
            Err(error) => error.is_unavailable().then(|| error.to_string()),
        };
        let health = match (&unavailable, outcome) {
            (Some(reason), _) => Health::Failed(reason.clone()),
            // Any other failure: the worker may not have come as far as its stores.
            (None, Err(WorkerError::Failed(_))) => Health::Unknown,
            (None, _) => Health::Served,
        };
        self.apply(pass, &health);
        unavailable
    }

    /// The right to invoke the worker; otherwise the right to probe, if a probe is due.
    fn try_pass(&self) -> Result<Pass, Option<Pass>> {
        let entered = self.lock().enter(Intent::Work, &self.settings, self.clock.now(), self.random());
        entered.map_err(|_| self.enter_probe())
    }

    fn enter_probe(&self) -> Option<Pass> {
        let mut circuit = self.lock();
        if circuit.is_closed() || circuit.is_half_open() {
            return None;
        }
        circuit.enter(Intent::Probe, &self.settings, self.clock.now(), self.random()).ok()
    }

    async fn probe(&self, worker: &dyn AnyWorker, pass: Pass) {
        let health = match self.in_time(worker.ready()).await {
            Ok(()) => Health::Answered,
            Err(error) => Health::Failed(error.to_string()),
        };
        self.apply(pass, &health);
    }

    async fn in_time(&self, ready: impl Future<Output = PortResult<()>> + Unpin) -> PortResult<()> {
        match select(ready, self.clock.sleep(PROBE_TIME)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                let reason = format!("no answer within {} s", PROBE_TIME.as_secs());
                Err(PortError::unavailable("could not reach the stores", reason))
            }
        }
    }

    /// The time until something may have changed, short enough to notice a stop.
    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let waits = self.lock().waits(Intent::Probe, &self.settings, now);
        waits.map_or(STOP_CHECK, |CircuitWait { until, .. }| between(now, until).clamp(STOP_CHECK / 10, STOP_CHECK))
    }

    fn apply(&self, pass: Pass, health: &Health) {
        let now = self.clock.now();
        let changed = self.lock().report(pass, health, &self.settings, now, self.random());
        let id = &self.worker;
        match changed {
            None => {}
            Some(Transition::Opened(CircuitWait { outage, .. })) => {
                let reason = &outage.reason;
                tracing::error!(worker = %id, reason, "{id} pauses until its stores can be reached again: {reason}");
            }
            Some(Transition::StillOpen(CircuitWait { outage, until })) => {
                let (reason, wait) = (&outage.reason, between(now, until).as_secs());
                tracing::debug!(worker = %id, reason, "the stores of {id} are still out of reach, next probe in {wait} s");
            }
            Some(Transition::HalfOpened) => {
                tracing::debug!(worker = %id, "the stores of {id} answer: one batch is tried")
            }
            Some(Transition::Closed(outage)) => {
                let seconds = between(outage.since, now).as_secs();
                tracing::warn!(worker = %id, seconds, "{id} goes on: its stores can be reached again after {seconds} s");
            }
        }
    }

    /// A number that differs between workers and instants, so that not all of them probe at once.
    fn random(&self) -> u64 {
        let name =
            self.worker.to_string().bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let mixed = (name ^ self.clock.now().as_microsecond().unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the instant until which a batch may wait for its stores, if an attempt takes `needed` and must end by
/// `deadline`.
pub(crate) fn latest_start(deadline: Timestamp, needed: Duration, now: Timestamp) -> Timestamp {
    after(now, between(now, deadline).saturating_sub(needed))
}
