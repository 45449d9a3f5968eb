//! The circuit breaker of an upstream, as the callers of one process share it.
//!
//! Its state belongs to all processes of an installation, and stands in a store; here is a copy of it. A good call asks
//! the store nothing: the copy is read anew when it is some seconds old, and the record is written when it changes, which
//! is when a call fails, when one succeeds after a failure, and around a probe.
//!
//! # What may happen between any two lines
//! * *Exits after a call has failed, before that is kept:* one failure less is known.
//! * *Exits after the breaker is opened, before anybody is told:* every other process sees the record, and stands still.
//! * *Exits while it has the right to probe:* the right ends with its lease, and the probe counts as failed.
//! * *Exits after the breaker is closed, before work is set going:* whoever looks next sees that it is closed.
//! * *The store fails:* this process goes on by its own copy, and the store learns of it with the next change.

mod health;
mod memory;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::lock::Mutex as Turn;
use jiff::Timestamp;
use stint_core::circuit::{Circuit, CircuitSettings, Health, Intent, Pass, Transition, Wait};
use stint_core::clock::{Clock, between};
use stint_core::ports::Breakers;
use stint_core::telemetry::Metric;

use crate::policy::draw;
pub use memory::MemoryBreakers;

/// The copy of the record is read anew when it is older.
const FRESH: Duration = Duration::from_secs(5);

/// Others change the record meanwhile; after so many tries their change is as good as ours.
const TRIES: usize = 8;

/// The breaker of one upstream.
pub struct Breaker {
    upstream: String,
    settings: CircuitSettings,
    store: Arc<dyn Breakers>,
    clock: Arc<dyn Clock>,
    seed: u64,
    known: Mutex<Known>,
    /// One change at a time from this process.
    turn: Turn<()>,
}

/// What this process knows of the record.
#[derive(Default)]
struct Known {
    circuit: Circuit,
    version: u64,
    read_at: Option<Timestamp>,
    /// The probe that a caller of this process makes.
    probe: Option<u64>,
    draws: u64,
}

impl Breaker {
    /// The breaker of `upstream`, whose record is in `store`.
    pub fn new(
        upstream: impl Into<String>,
        store: Arc<dyn Breakers>,
        clock: Arc<dyn Clock>,
        settings: CircuitSettings,
    ) -> Breaker {
        let upstream = upstream.into();
        // Different in each process and for each upstream, the same in each simulation.
        let name = upstream.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let seed = clock.now().as_microsecond().cast_unsigned() ^ name;
        Breaker { upstream, settings, store, clock, seed, known: Mutex::default(), turn: Turn::new(()) }
    }

    /// The upstream's name: in `status`, in logs and in metrics.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// How long a probe may take.
    pub fn lease(&self) -> Duration {
        self.settings.lease
    }

    /// The right to make one call, or why there is none now. Whoever has it tells [`Breaker::report`] how the call ended.
    pub async fn enter(&self, intent: Intent) -> Result<Pass, Wait> {
        self.refresh(FRESH).await;
        if self.lock().circuit.is_closed() {
            return Ok(Pass::Free);
        }
        let entered = self.change(|circuit, settings, now, random| circuit.enter(intent, settings, now, random)).await;
        if let Ok(Pass::Probe(number)) = entered {
            self.lock().probe = Some(number);
        }
        entered
    }

    /// Why a call with this intent could not go now; `None` if it could. Takes no right.
    pub async fn waits(&self, intent: Intent) -> Option<Wait> {
        self.refresh(FRESH).await;
        self.lock().circuit.waits(intent, &self.settings, self.clock.now())
    }

    /// The record as it is now, for whoever plans by it.
    pub async fn look(&self) -> Circuit {
        self.refresh(FRESH).await;
        self.lock().circuit.clone()
    }

    /// Takes in how the call ended that `pass` was for.
    pub async fn report(&self, pass: Pass, health: &Health) {
        if let Pass::Probe(_) = pass {
            self.lock().probe = None;
        }
        if self.is_no_news(pass, health) {
            return;
        }
        if *health != Health::Served {
            // Others may have failed meanwhile: it is the row of all that counts.
            self.refresh(Duration::ZERO).await;
        }
        let step = |circuit: &mut Circuit, settings: &CircuitSettings, now, random| {
            circuit.report(pass, health, settings, now, random)
        };
        if let Some(transition) = self.change(step).await {
            self.tell(&transition);
        }
    }

    /// Closes the breaker if it is half open: there is no work that could prove that the upstream is back.
    pub async fn close_idle(&self) {
        if !self.look().await.is_half_open() {
            return;
        }
        if let Some(transition) = self.change(|circuit, _, now, _| circuit.close_idle(now)).await {
            self.tell(&transition);
        }
    }

    /// Makes the next probe due now, for a person who has reason to believe that the upstream is back.
    pub async fn hasten(&self) {
        if !self.look().await.is_closed() {
            self.change(|circuit, _, now, _| circuit.hasten(now)).await;
        }
    }

    /// Whether a request may leave that was let in before: another may have failed since. Asks no store.
    pub(crate) fn admits(&self) -> Result<(), Wait> {
        let known = self.lock();
        if known.probe.is_some_and(|number| known.circuit.is_probed_by(number)) {
            return Ok(());
        }
        match known.circuit.waits(Intent::Work, &self.settings, self.clock.now()) {
            Some(wait) => Err(wait),
            None => Ok(()),
        }
    }

    /// Whether calls go without restriction, as far as this process knows: a request that failed may be repeated at once.
    /// Asks no store.
    pub fn is_closed(&self) -> bool {
        self.lock().circuit.is_closed()
    }

    fn is_no_news(&self, pass: Pass, health: &Health) -> bool {
        let known = self.lock();
        match (pass, health) {
            (Pass::Probe(_), _) => false,
            (Pass::Free, Health::Unknown | Health::Answered) => true,
            (Pass::Free, Health::Served) => !known.circuit.has_failures(),
            (Pass::Free, Health::Failed(_) | Health::Banned(_)) => false,
        }
    }

    /// Reads the record anew if the copy is older than `age`.
    async fn refresh(&self, age: Duration) {
        let now = self.clock.now();
        // A clock that went back says nothing of the copy's age.
        let is_fresh = |read_at: Timestamp| read_at <= now && between(read_at, now) < age;
        if self.lock().read_at.is_some_and(is_fresh) {
            return;
        }
        match self.store.load(&self.upstream).await {
            Ok((version, circuit)) => self.learn(version, circuit, now),
            Err(error) => {
                tracing::debug!(upstream = self.upstream, %error, "cannot read a breaker: {error}");
                self.lock().read_at = Some(now);
            }
        }
    }

    fn learn(&self, version: u64, circuit: Circuit, now: Timestamp) {
        let mut known = self.lock();
        // An older one is an answer that was overtaken.
        if version >= known.version {
            (known.version, known.circuit) = (version, circuit);
            known.read_at = Some(now);
        }
    }

    /// Changes the record by one step, which is taken again on what others have made of it meanwhile.
    async fn change<T>(&self, step: impl Fn(&mut Circuit, &CircuitSettings, Timestamp, u64) -> T) -> T {
        let _turn = self.turn.lock().await;
        let mut tries = 0;
        loop {
            let now = self.clock.now();
            let (version, before, random) = {
                let mut known = self.lock();
                known.draws += 1;
                (known.version, known.circuit.clone(), draw(self.seed, known.draws))
            };
            let mut circuit = before.clone();
            let outcome = step(&mut circuit, &self.settings, now, random);
            if circuit == before {
                return outcome;
            }
            tries += 1;
            match self.store.replace(&self.upstream, version, &circuit).await {
                Ok(true) => {
                    self.learn(version + 1, circuit, now);
                    return outcome;
                }
                Ok(false) if tries < TRIES => self.refresh(Duration::ZERO).await,
                Ok(false) => return outcome,
                Err(error) => {
                    tracing::debug!(upstream = self.upstream, %error, "cannot keep a breaker: {error}");
                    self.lock().circuit = circuit;
                    return outcome;
                }
            }
        }
    }

    fn tell(&self, transition: &Transition) {
        let upstream = &self.upstream;
        match transition {
            Transition::Opened(Wait { outage, until }) => {
                let reason = &outage.reason;
                tracing::error!(
                    upstream,
                    reason,
                    "{upstream} is down, and gets no calls but one probe at a time, the next at {until}: {reason}"
                );
                Metric::BreakerOpen.record(upstream, 1.0);
            }
            Transition::StillOpen(Wait { outage, until }) => {
                let reason = &outage.reason;
                tracing::debug!(upstream, reason, "{upstream} is still down, the next probe is at {until}: {reason}");
                Metric::BreakerOpen.record(upstream, 1.0);
            }
            Transition::HalfOpened => tracing::debug!(upstream, "{upstream} answers again, one call has to prove it"),
            Transition::Closed(outage) => {
                let minutes = between(outage.since, self.clock.now()).as_secs() / 60;
                tracing::warn!(upstream, "{upstream} is back after {minutes} min, and gets calls again");
                Metric::BreakerOpen.record(upstream, 0.0);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breaker").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
