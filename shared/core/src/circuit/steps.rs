//! The steps of the breaker: requesting a call, and reporting how it ended.

use jiff::Timestamp;

use super::{Circuit, CircuitSettings, CircuitState, CircuitWait, ClosedState, Health, Intent, Outage, Pass};
use crate::clock::{after, between, is_pending, is_too_far};

/// A change of state that should be logged or raise an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The breaker opened.
    Opened(CircuitWait),
    /// A probe failed.
    StillOpen(CircuitWait),
    /// The upstream answers again. One ordinary call has to prove that it works.
    HalfOpened,
    /// The breaker closed.
    Closed(Outage),
}

impl Circuit {
    /// Returns the right to make a call, or why there is none. `random` is drawn anew for each step.
    pub fn enter(
        &mut self,
        intent: Intent,
        settings: &CircuitSettings,
        now: Timestamp,
        random: u64,
    ) -> Result<Pass, CircuitWait> {
        self.expire_lease(settings, now, random);
        let outage = match &self.state {
            CircuitState::Closed(_) => return Ok(Pass::Free),
            CircuitState::HalfOpen { outage } => outage.clone(),
            CircuitState::Open { outage, probe_at } if intent == Intent::Probe && *probe_at <= now => outage.clone(),
            CircuitState::Open { outage, probe_at: until } | CircuitState::Probing { outage, until } => {
                return Err(CircuitWait { outage: outage.clone(), until: *until });
            }
        };
        self.probes += 1;
        self.state = CircuitState::Probing { outage, until: after(now, settings.lease) };
        Ok(Pass::Probe(self.probes))
    }

    /// Returns why a call with this intent could not be made now, or `None` if it could. Does not acquire the right to
    /// call.
    pub fn waits(&self, intent: Intent, settings: &CircuitSettings, now: Timestamp) -> Option<CircuitWait> {
        if self.is_closed() {
            return None;
        }
        // A lapsed probe is due at the earliest instant that the random draw allows, which is good enough for a query.
        self.clone().enter(intent, settings, now, 0).err()
    }

    /// Returns whether a call that holds `pass` may still be sent. Since the pass was issued the breaker may have
    /// opened, or the probe's lease may have ended. Does not acquire a right.
    pub fn admits(&self, pass: Pass, settings: &CircuitSettings, now: Timestamp) -> Result<(), CircuitWait> {
        if self.is_closed() {
            return Ok(());
        }
        let mut circuit = self.clone();
        circuit.expire_lease(settings, now, 0);
        let (outage, until) = match (circuit.state, pass) {
            (CircuitState::Closed(_), _) => return Ok(()),
            (CircuitState::Probing { .. }, Pass::Probe(number)) if number == self.probes => return Ok(()),
            (CircuitState::Open { outage, probe_at: until } | CircuitState::Probing { outage, until }, _) => {
                (outage, until)
            }
            // The caller may enter again.
            (CircuitState::HalfOpen { outage }, _) => (outage, now),
        };
        Err(CircuitWait { outage, until })
    }

    /// Applies how a call ended.
    pub fn report(
        &mut self,
        pass: Pass,
        health: &Health,
        settings: &CircuitSettings,
        now: Timestamp,
        random: u64,
    ) -> Option<Transition> {
        match (&self.state, pass) {
            (CircuitState::Closed(closed), Pass::Free) => {
                let closed = closed.clone();
                self.ordinary(closed, health, settings, now, random)
            }
            (CircuitState::Probing { outage, .. }, Pass::Probe(number)) if number == self.probes => {
                let outage = outage.clone();
                self.probed(outage, health, settings, now, random)
            }
            // A call that began before the breaker opened, or a probe whose lease had ended.
            _ => None,
        }
    }

    /// Makes the next probe due now, for an operator who has reason to believe that the upstream works again.
    pub fn probe_now(&mut self, now: Timestamp) {
        if let CircuitState::Open { probe_at, .. } = &mut self.state {
            *probe_at = now.min(*probe_at);
        }
    }

    /// Closes a half-open breaker when there is no work that could prove that the upstream works.
    pub fn close_without_work(&mut self, now: Timestamp) -> Option<Transition> {
        let CircuitState::HalfOpen { outage } = &self.state else { return None };
        let outage = outage.clone();
        Some(self.close(outage, now))
    }

    fn ordinary(
        &mut self,
        closed: ClosedState,
        health: &Health,
        settings: &CircuitSettings,
        now: Timestamp,
        random: u64,
    ) -> Option<Transition> {
        let (reason, banned) = match health {
            Health::Answered | Health::Unknown => return None,
            Health::Served => {
                self.state = CircuitState::Closed(ClosedState { failures: 0, failed_at: None, ..closed });
                return None;
            }
            Health::Failed(reason) => (reason, false),
            Health::Banned(reason) => (reason, true),
        };
        let in_a_row = closed.failed_at.is_some_and(|at| between(at, now) < settings.memory);
        let failures = if in_a_row { closed.failures.saturating_add(1) } else { 1 };
        if !banned && failures < settings.failures {
            self.state = CircuitState::Closed(ClosedState { failures, failed_at: Some(now), ..closed });
            return None;
        }
        // An upstream that worked for a shorter time than the last wait for it is probed still less often.
        let flaps = closed
            .closed_at
            .is_some_and(|at| between(at, now) < settings.wait(closed.last_failed_probes).min(settings.longest()));
        let failed_probes = if flaps { closed.last_failed_probes.saturating_add(1) } else { 0 };
        let outage = Outage { since: now, reason: reason.clone(), banned, failed_probes, has_answered: false };
        Some(Transition::Opened(self.open(outage, settings, now, random)))
    }

    fn probed(
        &mut self,
        outage: Outage,
        health: &Health,
        settings: &CircuitSettings,
        now: Timestamp,
        random: u64,
    ) -> Option<Transition> {
        let outage = match health {
            Health::Served => return Some(self.close(outage, now)),
            Health::Answered => {
                self.state = CircuitState::HalfOpen { outage: Outage { has_answered: true, ..outage } };
                return Some(Transition::HalfOpened);
            }
            Health::Unknown => outage,
            Health::Failed(reason) => Outage { reason: reason.clone(), banned: false, ..outage },
            Health::Banned(reason) => Outage { reason: reason.clone(), banned: true, ..outage },
        };
        let failed_probes = outage.failed_probes.saturating_add(1);
        Some(Transition::StillOpen(self.open(Outage { failed_probes, ..outage }, settings, now, random)))
    }

    fn open(&mut self, outage: Outage, settings: &CircuitSettings, now: Timestamp, random: u64) -> CircuitWait {
        let probe_at = after(now, settings.delay(&outage, random));
        self.state = CircuitState::Open { outage: outage.clone(), probe_at };
        CircuitWait { outage, until: probe_at }
    }

    fn close(&mut self, outage: Outage, now: Timestamp) -> Transition {
        let closed =
            ClosedState { closed_at: Some(now), last_failed_probes: outage.failed_probes, ..ClosedState::default() };
        self.state = CircuitState::Closed(closed);
        Transition::Closed(outage)
    }

    /// Counts a probe whose caller did not come back as failed. Treats an instant that is too far ahead as due.
    fn expire_lease(&mut self, settings: &CircuitSettings, now: Timestamp, random: u64) {
        match &mut self.state {
            CircuitState::Probing { outage, until } if !is_pending(*until, settings.lease, now) => {
                let ended = now.min(*until);
                let failed_probes = outage.failed_probes.saturating_add(1);
                let outage = Outage { failed_probes, ..outage.clone() };
                self.open(outage, settings, ended, random);
            }
            CircuitState::Open { probe_at, .. } if is_too_far(*probe_at, settings.longest(), now) => *probe_at = now,
            _ => {}
        }
    }
}
