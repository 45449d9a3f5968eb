//! The circuit breaker of one upstream, as pure state: whether calls to it may go.
//!
//! It does no I/O and knows no clock: a [`Circuit`] is loaded from a store, changed by one step, and kept if the record in
//! the store is still the one that was loaded. So all processes of an installation share one, and each step is atomic.
//!
//! * *Closed:* calls go. Several failures in a row open it, or one challenge or ban.
//! * *Open:* no call goes until the next probe is due. The wait doubles with each probe that fails.
//! * *Half open:* the upstream has answered a question that costs nothing. One ordinary call at a time may go, and the
//!   first that is served closes it.
//! * *Probing:* one caller has the right to ask. A caller that exits meanwhile loses it when its lease ends, and counts as
//!   a probe that failed.
//!
//! A record in which an instant is further away than it can be, since a clock was ahead, is treated as due.

mod settings;
mod steps;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use settings::CircuitSettings;
pub use steps::Transition;

/// The breaker of one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// Whether calls may go.
    pub state: CircuitState,
    /// Probes that were ever begun: the number of the last one. A late report of an older one changes nothing.
    #[serde(default)]
    pub probes: u64,
}

/// Whether calls may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CircuitState {
    /// Calls go.
    Closed(Streak),
    /// No call goes before `probe_at`.
    Open {
        /// What is wrong.
        #[serde(flatten)]
        outage: Outage,
        /// When the upstream is asked next.
        probe_at: Timestamp,
    },
    /// One ordinary call at a time.
    HalfOpen {
        /// What was wrong.
        #[serde(flatten)]
        outage: Outage,
    },
    /// One caller asks at this moment.
    Probing {
        /// What is wrong.
        #[serde(flatten)]
        outage: Outage,
        /// When the caller is given up.
        until: Timestamp,
    },
}

impl Default for CircuitState {
    fn default() -> CircuitState {
        CircuitState::Closed(Streak::default())
    }
}

/// What is remembered while calls go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// When the last outage ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Probes of the last outage that failed: a flapping upstream is not asked more often each time that it is back.
    #[serde(default)]
    pub last_tries: u32,
}

/// What is wrong with an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// How the last call failed, in words.
    pub reason: String,
    /// Whether it turned us away, by a challenge or a ban, and did not merely fail.
    #[serde(default)]
    pub banned: bool,
    /// Probes that have failed.
    #[serde(default)]
    pub tries: u32,
    /// Whether it has answered a probe meanwhile. If it then fails at the work, it is asked half as often: such a probe takes
    /// more requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
}

/// What a call showed of the upstream's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does what it is there for.
    Served,
    /// It answers, which does not prove that it serves: the answer to a question that costs it nothing.
    Answered,
    /// Nothing: the call was not sent, or its outcome is about the caller.
    Unknown,
    /// It failed, and why.
    Failed(String),
    /// It wants no calls from here: a challenge, a ban, or no key that it accepts.
    Banned(String),
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Its work. While the breaker is open it waits for others to probe.
    Work,
    /// To find out whether the upstream is back, if that is due.
    Probe,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// An ordinary one.
    Free,
    /// The only one at this moment, by its number.
    Probe(u64),
}

/// Why a call may not go now, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// What is wrong.
    #[serde(flatten)]
    pub outage: Outage,
    /// When the next probe may begin.
    pub until: Timestamp,
}

impl Circuit {
    /// What is wrong; `None` while calls go.
    pub fn outage(&self) -> Option<&Outage> {
        match &self.state {
            CircuitState::Closed(_) => None,
            CircuitState::Open { outage, .. }
            | CircuitState::HalfOpen { outage }
            | CircuitState::Probing { outage, .. } => Some(outage),
        }
    }

    /// Whether calls go without restriction.
    pub fn is_closed(&self) -> bool {
        self.outage().is_none()
    }

    /// This record, which a store failed to keep, in the place of `stored`, which others have kept meanwhile: if it tells of
    /// an outage that `stored` neither knows nor has seen end. `None` if `stored` is as good.
    pub fn in_place_of(&self, stored: &Circuit) -> Option<Circuit> {
        let (Some(outage), CircuitState::Closed(streak)) = (self.outage(), &stored.state) else { return None };
        let is_over = streak.closed_at.is_some_and(|closed_at| closed_at >= outage.since);
        (!is_over).then(|| Circuit { probes: self.probes.max(stored.probes), ..self.clone() })
    }

    /// Whether one ordinary call at a time may go.
    pub fn is_half_open(&self) -> bool {
        matches!(self.state, CircuitState::HalfOpen { .. })
    }
}
