//! The circuit breaker of an upstream, as shared by the callers of one process.
//!
//! Its state belongs to all processes of an installation and is kept in a store; this is a copy of it. A successful
//! call does not use the store: the copy is reloaded when it is a few seconds old, and the record is written when it
//! changes, which is when a call fails, when one succeeds after a failure, and around a probe. A call that fails while
//! the breaker is open does not use the store either.
//!
//! # What may happen between any two lines
//! * *The process exits after a call has failed, before that is stored:* the failure is not counted.
//! * *The process exits after the breaker is opened, before that is logged:* every other process sees the record and
//!   stops calling.
//! * *The process exits while it has the right to probe:* the right ends with its lease, and the probe counts as
//!   failed.
//! * *The process exits after the breaker is closed, before work is resumed:* the next look sees that it is closed.
//! * *The store fails:* this process continues with its own copy, and writes it when the store is next read, unless the
//!   record that other processes have written meanwhile shows more. Until then each process may probe for itself.
//! * *Other processes write the record each time that this one tries to:* this process gets no right to probe, and its
//!   report is not counted.
//! * *The store is recreated, or an old copy of it is restored:* its record applies from the next load on.

mod health;
mod memory;
mod record;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stint_core::circuit::{Circuit, CircuitSettings, CircuitWait, Health, Intent, Pass, Transition};
use stint_core::clock::{Clock, after, between};
use stint_core::ports::Breakers;
use stint_core::telemetry::Metric;

use crate::policy::draw;
pub use memory::MemoryBreakers;
use record::SharedCircuit;

/// The age from which the copy of the record is reloaded.
const FRESH: Duration = Duration::from_secs(5);

/// The breaker of one upstream.
pub struct Breaker {
    record: SharedCircuit,
    settings: CircuitSettings,
    clock: Arc<dyn Clock>,
    seed: u64,
    draws: AtomicU64,
}

impl Breaker {
    /// Creates the breaker of `upstream`, whose record is in `store`.
    pub fn new(
        upstream: impl Into<String>,
        store: Arc<dyn Breakers>,
        clock: Arc<dyn Clock>,
        settings: CircuitSettings,
    ) -> Breaker {
        let upstream = upstream.into();
        // Different in each process and for each upstream, and the same in each simulation.
        let name = upstream.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let seed = clock.now().as_microsecond().cast_unsigned() ^ name;
        Breaker {
            record: SharedCircuit::new(upstream, store, clock.clone()),
            settings,
            clock,
            seed,
            draws: AtomicU64::new(0),
        }
    }

    /// Returns the upstream's name, as shown in `status`, logs and metrics.
    pub fn upstream(&self) -> &str {
        self.record.upstream()
    }

    /// Returns how long a probe may take.
    pub fn lease(&self) -> Duration {
        self.settings.lease
    }

    /// Returns the right to make one call, or why there is none now. The caller puts it into the extensions of its
    /// requests, where [a guarded client](crate::Client::guarded) looks for it, and tells [`Breaker::report`] how the
    /// call ended.
    pub async fn enter(&self, intent: Intent) -> Result<Pass, CircuitWait> {
        self.record.refresh(FRESH).await;
        let entered = self.record.change(|circuit, now| circuit.enter(intent, &self.settings, now, self.draw())).await;
        // A right that is not in the record is invalid: another process may have the same one.
        entered.unwrap_or_else(|| self.record.look(|circuit| self.without_right(circuit)))
    }

    /// Returns why a call with this intent could not be made now, or `None` if it could. Does not acquire the right to
    /// call.
    pub async fn waits(&self, intent: Intent) -> Option<CircuitWait> {
        self.record.refresh(FRESH).await;
        self.record.look(|circuit| circuit.waits(intent, &self.settings, self.clock.now()))
    }

    /// Returns the record as it is now, for planning.
    pub async fn look(&self) -> Circuit {
        self.record.refresh(FRESH).await;
        self.record.look(Circuit::clone)
    }

    /// Reports how the call with `pass` ended.
    pub async fn report(&self, pass: Pass, health: &Health) {
        let step = |circuit: &mut Circuit, now| circuit.report(pass, health, &self.settings, now, self.draw());
        if let Some(Some(transition)) = self.record.change(step).await {
            self.tell(&transition);
        }
    }

    /// Closes a half-open breaker when there is no work that could prove that the upstream works again.
    pub async fn close_without_work(&self) {
        self.record.refresh(FRESH).await;
        if let Some(Some(transition)) = self.record.change(Circuit::close_without_work).await {
            self.tell(&transition);
        }
    }

    /// Makes the next probe due now, for an operator who has reason to believe that the upstream works again.
    pub async fn probe_now(&self) {
        self.record.refresh(FRESH).await;
        self.record.change(Circuit::probe_now).await;
    }

    /// Returns whether a request of a call with `pass`, which was admitted a while ago, may be sent now. Does not use
    /// the store.
    pub(crate) fn admits(&self, pass: Pass) -> Result<(), CircuitWait> {
        self.record.look(|circuit| circuit.admits(pass, &self.settings, self.clock.now()))
    }

    /// Returns whether calls may be made without restriction, as far as this process knows, so that a failed request
    /// may be repeated at once. Does not use the store.
    pub fn is_closed(&self) -> bool {
        self.record.look(Circuit::is_closed)
    }

    fn without_right(&self, circuit: &Circuit) -> Result<Pass, CircuitWait> {
        let until = after(self.clock.now(), FRESH);
        circuit.outage().map_or(Ok(Pass::Free), |outage| Err(CircuitWait { outage: outage.clone(), until }))
    }

    fn draw(&self) -> u64 {
        draw(self.seed, self.draws.fetch_add(1, Ordering::Relaxed))
    }

    fn tell(&self, transition: &Transition) {
        let upstream = self.upstream();
        match transition {
            Transition::Opened(CircuitWait { outage, until }) => {
                let reason = &outage.reason;
                tracing::error!(
                    upstream,
                    reason,
                    "{upstream} is down: only probes are sent, the next at {until}: {reason}"
                );
                Metric::BreakerOpen.record(upstream, 1.0);
            }
            Transition::StillOpen(CircuitWait { outage, until }) => {
                let reason = &outage.reason;
                tracing::debug!(upstream, reason, "{upstream} is still down, the next probe is at {until}: {reason}");
                Metric::BreakerOpen.record(upstream, 1.0);
            }
            Transition::HalfOpened => {
                tracing::debug!(upstream, "{upstream} answers again; one call must succeed before calls resume")
            }
            Transition::Closed(outage) => {
                let minutes = between(outage.since, self.clock.now()).as_secs() / 60;
                tracing::warn!(upstream, "{upstream} works again after {minutes} min: calls resume");
                Metric::BreakerOpen.record(upstream, 0.0);
            }
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breaker").field("upstream", &self.upstream()).finish_non_exhaustive()
    }
}
