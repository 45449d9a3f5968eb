//! Random numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The odd number closest to 2^64 divided by the golden ratio, the increment of SplitMix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A pseudo-random sequence for one purpose (SplitMix64 over a counter).
///
/// Every part of the model has its own sequence. If one part draws more numbers, the numbers of the others do not
/// change.
#[derive(Debug)]
pub struct Random {
    base: u64,
    drawn: AtomicU64,
}

impl Random {
    /// Returns the sequence of `purpose` in a run with `seed`.
    pub fn new(seed: u64, purpose: &str) -> Random {
        let base = purpose.bytes().fold(mix(seed ^ GOLDEN), |hash, byte| mix(hash ^ u64::from(byte)));
        Random { base, drawn: AtomicU64::new(0) }
    }

    /// Returns the next 64 bits.
    pub fn bits(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        mix(self.base.wrapping_add(drawn.wrapping_mul(GOLDEN)))
    }

    /// Returns a number from zero to `bound`, exclusive; zero if `bound` is zero.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns `true` in `per_mille` of a thousand cases. A chance of zero draws no number.
    pub fn chance(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1_000) < u64::from(per_mille)
    }

    /// Returns a whole number of milliseconds within `range`, both ends included.
    pub fn within(&self, range: (Duration, Duration)) -> Duration {
        let (low, high) = (range.0.as_millis() as u64, range.1.as_millis() as u64);
        Duration::from_millis(low + self.below(high.saturating_sub(low) + 1))
    }
}

/// Spreads every bit of `value` over all bits of the result.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_purpose_draw_the_same() {
        let draw = |seed, purpose| {
            let random = Random::new(seed, purpose);
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(1, "queue"), draw(1, "queue"));
        assert_ne!(draw(1, "queue"), draw(2, "queue"));
        assert_ne!(draw(1, "queue"), draw(1, "scheduler"));
    }

    #[test]
    fn draws_keep_to_their_range() {
        let random = Random::new(1, "test");
        let range = (Duration::from_millis(5), Duration::from_millis(7));
        let drawn: std::collections::BTreeSet<u128> = (0..200).map(|_| random.within(range).as_millis()).collect();
        assert_eq!(drawn, [5, 6, 7].into());
        assert!((0..100).all(|_| !random.chance(0)) && (0..100).all(|_| random.chance(1_000)));
    }
}
