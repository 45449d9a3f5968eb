//! The circuit breaker of one upstream, as pure state: whether calls to it may be made.
//!
//! It does no I/O and has no clock. A [`Circuit`] is loaded from a store, changed by one step, and stored if the stored
//! record has not changed since it was loaded. All processes of an installation thus share one breaker, and each step
//! is atomic.
//!
//! * *Closed:* calls may be made. Several failures in a row open it, or a single challenge or ban.
//! * *Open:* no call is made until the next probe is due. The wait doubles with each failed probe.
//! * *Half open:* the upstream has answered a request that costs nothing. One ordinary call at a time may be made, and
//!   the first that is served closes the breaker.
//! * *Probing:* one caller has the right to send a request. If it exits meanwhile, its lease ends and the probe counts
//!   as failed.
//!
//! If an instant in the record is further away than it can be, because a clock was ahead, it is treated as due.

mod settings;
mod steps;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use settings::CircuitSettings;
pub use steps::Transition;

/// The circuit breaker of one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// Whether calls may be made.
    pub state: CircuitState,
    /// How many probes were ever started, which is also the number of the last one. A late report of an older probe
    /// changes nothing.
    #[serde(default)]
    pub probes: u64,
}

/// Whether calls may be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CircuitState {
    /// All calls may be made.
    Closed(ClosedState),
    /// No call may be made before `probe_at`.
    Open {
        /// What is wrong.
        #[serde(flatten)]
        outage: Outage,
        /// When the next probe may be made.
        probe_at: Timestamp,
    },
    /// One ordinary call at a time may be made.
    HalfOpen {
        /// What was wrong.
        #[serde(flatten)]
        outage: Outage,
    },
    /// One caller is probing the upstream now.
    Probing {
        /// What is wrong.
        #[serde(flatten)]
        outage: Outage,
        /// When the caller's lease ends.
        until: Timestamp,
    },
}

impl Default for CircuitState {
    fn default() -> CircuitState {
        CircuitState::Closed(ClosedState::default())
    }
}

/// What the breaker remembers while it is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedState {
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// When the last outage ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The failed probes of the last outage, so that an upstream that keeps failing and recovering is not called more
    /// often after each recovery.
    #[serde(default, rename = "last_tries")]
    pub last_failed_probes: u32,
}

/// What is wrong with an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it began.
    pub since: Timestamp,
    /// How the last call failed.
    pub reason: String,
    /// Whether the upstream refused us by a challenge or a ban, rather than failing.
    #[serde(default)]
    pub banned: bool,
    /// How many probes have failed.
    #[serde(default, rename = "tries")]
    pub failed_probes: u32,
    /// Whether the upstream has answered a probe meanwhile. If it then fails at ordinary calls it is probed half as
    /// often, because such a probe takes more requests.
    #[serde(default, rename = "answers", skip_serializing_if = "std::ops::Not::not")]
    pub has_answered: bool,
}

/// What a call showed about the upstream's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The upstream works.
    Served,
    /// The upstream answered a request that costs it nothing, which does not prove that it works.
    Answered,
    /// Nothing: the call was not sent, or its outcome is about the caller.
    Unknown,
    /// The upstream failed, for this reason.
    Failed(String),
    /// The upstream refuses calls from here: a challenge, a ban, or no key that it accepts.
    Banned(String),
}

/// Why a caller wants to make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To do its work. While the breaker is open it waits for another caller's probe.
    Work,
    /// To find out whether the upstream works again, if a probe is due.
    Probe,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// An ordinary call.
    Free,
    /// The only call at this moment: the probe of this number.
    Probe(u64),
}

/// Why a call may not be made now, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CircuitWait {
    /// What is wrong.
    #[serde(flatten)]
    pub outage: Outage,
    /// When the next probe may begin.
    pub until: Timestamp,
}

impl Circuit {
    /// Returns what is wrong, or `None` while the breaker is closed.
    pub fn outage(&self) -> Option<&Outage> {
        match &self.state {
            CircuitState::Closed(_) => None,
            CircuitState::Open { outage, .. }
            | CircuitState::HalfOpen { outage }
            | CircuitState::Probing { outage, .. } => Some(outage),
        }
    }

    /// Returns whether calls may be made without restriction.
    pub fn is_closed(&self) -> bool {
        self.outage().is_none()
    }

    /// Returns this record, which could not be stored, if it should replace `stored`, which other processes have stored
    /// meanwhile. It should if it has an outage that is neither current nor known to be over in `stored`. Otherwise
    /// returns `None`.
    pub fn replacement_for(&self, stored: &Circuit) -> Option<Circuit> {
        let (Some(outage), CircuitState::Closed(closed)) = (self.outage(), &stored.state) else { return None };
        let is_over = closed.closed_at.is_some_and(|closed_at| closed_at >= outage.since);
        (!is_over).then(|| Circuit { probes: self.probes.max(stored.probes), ..self.clone() })
    }

    /// Returns whether one ordinary call at a time may be made.
    pub fn is_half_open(&self) -> bool {
        matches!(self.state, CircuitState::HalfOpen { .. })
    }
}
