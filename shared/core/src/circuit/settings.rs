//! When a breaker opens, and how patiently it asks.

use std::time::Duration;

use super::Outage;

/// When a breaker opens, and how patiently it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// So many failures in a row open it.
    pub failures: u32,
    /// A failure that is older does not count any more. A discovery asks for a page every half an hour.
    pub memory: Duration,
    /// Before the first probe at the longest.
    pub first_delay: Duration,
    /// Where the doubling ends.
    pub longest_delay: Duration,
    /// Before any probe after a challenge or a ban at the shortest.
    pub ban_delay: Duration,
    /// A probe that takes longer is given up.
    pub lease: Duration,
}

impl CircuitSettings {
    /// The settings of every fleet; `call` is how long one call may take.
    ///
    /// The longest wait makes about sixty probes a day, so that an outage of a day takes well under two hundred calls even
    /// where a probe needs a token first, and half of a window of an hour is left when a long outage ends.
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

    /// The wait before the next probe, drawn by `random` from the upper quarter, so that installations that failed together do
    /// not come back together.
    pub(super) fn delay(&self, outage: &Outage, random: u64) -> Duration {
        let longest = if outage.answers { self.longest_delay * 2 } else { self.longest_delay };
        let full = self.wait(outage.tries).min(longest);
        let full = if outage.banned { full.max(self.ban_delay) } else { full };
        // The upper 53 bits make a fraction in 0..1 that a double holds exactly.
        let fraction = (random >> 11) as f64 / (1_u64 << 53) as f64;
        full / 4 * 3 + (full / 4).mul_f64(fraction)
    }

    /// The wait after `tries` probes that have failed, without its end.
    pub(super) fn wait(&self, tries: u32) -> Duration {
        self.first_delay.saturating_mul(1 << tries.min(30))
    }

    /// No wait is longer.
    pub(super) fn longest(&self) -> Duration {
        (self.longest_delay * 2).max(self.ban_delay)
    }
}
