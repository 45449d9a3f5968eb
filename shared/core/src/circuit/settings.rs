//! When a breaker opens, and how often it probes.

use std::time::Duration;

use super::Outage;

/// When a breaker opens, and how often it probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// The number of failures in a row that open it.
    pub failures: u32,
    /// An older failure no longer counts. A discovery requests a page every half an hour.
    pub memory: Duration,
    /// The longest wait before the first probe.
    pub first_delay: Duration,
    /// The upper bound of the doubling wait.
    pub longest_delay: Duration,
    /// The shortest wait before any probe after a challenge or a ban.
    pub ban_delay: Duration,
    /// A probe that takes longer counts as failed.
    pub lease: Duration,
}

impl CircuitSettings {
    /// Returns the settings that every fleet uses. `call` is the longest that one call may take.
    ///
    /// The longest wait allows about sixty probes a day. An outage of a day then takes well under two hundred calls,
    /// even where a probe needs a token first, and half of a one-hour window is left when a long outage ends.
    pub const fn for_calls_of(call: Duration) -> CircuitSettings {
        CircuitSettings {
            failures: 5,
            memory: Duration::from_secs(60 * 60),
            first_delay: Duration::from_secs(30),
            longest_delay: Duration::from_secs(30 * 60),
            ban_delay: Duration::from_secs(15 * 60),
            lease: call.saturating_add(Duration::from_secs(5)),
        }
    }

    /// Returns the wait before the next probe. `random` picks it from the upper quarter of the range, so that
    /// installations that failed together do not come back together.
    pub(super) fn delay(&self, outage: &Outage, random: u64) -> Duration {
        let longest = if outage.has_answered { self.longest_delay * 2 } else { self.longest_delay };
        let full = self.wait(outage.failed_probes).min(longest);
        let full = if outage.banned { full.max(self.ban_delay) } else { full };
        // The upper 53 bits make a fraction in 0..1 that a double represents exactly.
        let fraction = (random >> 11) as f64 / (1_u64 << 53) as f64;
        full / 4 * 3 + (full / 4).mul_f64(fraction)
    }

    /// Returns the wait after `tries` failed probes, without the upper bound.
    pub(super) fn wait(&self, tries: u32) -> Duration {
        self.first_delay.saturating_mul(1 << tries.min(30))
    }

    /// Returns the upper bound of every wait.
    pub(super) fn longest(&self) -> Duration {
        (self.longest_delay * 2).max(self.ban_delay)
    }
}
