//! How long a listener waits after a failure.

use std::time::Duration;

/// The upper bound of the first delay.
const FIRST: Duration = Duration::from_secs(1);

/// The upper bound of every delay.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Delays that double from a second to five minutes. Each is a random part of its bound, at least a half, so that
/// listeners which lost the same upstream do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// Creates the delays of one listener, with the seed of their random parts.
    pub fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, random: seed }
    }

    /// Returns the delay after one more failure.
    pub fn next_delay(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let (half, part) = (bound / 2, self.next_random());
        half + half.mul_f64(part)
    }

    /// Begins again with the first delay.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns the number of failures since the beginning or the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns a number from 0 to below 1, by splitmix64.
    fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_five_minutes_and_differ_between_listeners() {
        let delays = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..12).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        for seed in 0..50 {
            for (failures, delay) in (0..).zip(delays(seed)) {
                let bound = Duration::from_secs(2_u64.pow(failures).min(300));
                assert!(bound / 2 <= delay && delay < bound, "failure {failures} of {seed}: {delay:?}");
            }
            assert_ne!(delays(seed), delays(seed + 1));
        }
        let mut backoff = Backoff::new(1);
        assert!((0..9).map(|_| backoff.next_delay()).max() > Some(LONGEST / 4));
        backoff.reset();
        assert!(backoff.next_delay() < FIRST);
    }
}
