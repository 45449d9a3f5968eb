//! Deterministic random values: every value is a hash of the seed and of its subject.
//!
//! Nothing is stored, so a million players cost no memory, and the order of the requests does not change the values.

/// The purpose of a value. Two purposes never share values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The fixed properties of a player.
    Profile = 1,
    /// The kills of a player in one raid and difficulty.
    Ranks = 2,
    /// The hidden cost of an alias.
    Cost = 3,
    /// The order of a ranking.
    Order = 4,
    /// The latency and faults of a request.
    Request = 5,
    /// An access token.
    Token = 6,
    /// A row of a ranking page.
    Row = 7,
    /// A report.
    Report = 8,
    /// Which stash an edit changes.
    Edit = 9,
    /// The fixed properties of a stash, and its content at one version.
    Stash = 10,
    /// An item.
    Item = 11,
    /// The faults of a section of an answer.
    Section = 12,
}

/// A sequence of values for one subject (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct RandomSequence(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl RandomSequence {
    /// Returns the sequence of `subject`.
    pub(crate) fn of(seed: u64, purpose: Purpose, subject: u64) -> RandomSequence {
        let salted = mix(seed ^ (purpose as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        RandomSequence(mix(salted ^ subject.wrapping_mul(GOLDEN)))
    }

    /// Returns the next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Returns a number from zero to `bound`, exclusive; zero if `bound` is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Returns `true` in `chance` of a thousand cases.
    pub(crate) fn per_mille(&mut self, chance: u32) -> bool {
        self.below(1000) < u64::from(chance)
    }

    /// Returns an index into weights that are cumulative sums, as returned by [`sums`]: the last one is the total.
    pub(crate) fn weighted(&mut self, summed: &[u32]) -> usize {
        let total = summed.last().copied().unwrap_or(0);
        let drawn = self.below(u64::from(total)) as u32;
        summed.partition_point(|&sum| sum <= drawn)
    }
}

/// Spreads every bit of `value` over all bits of the result.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Returns the cumulative sums of `weights`.
pub(crate) fn sums(weights: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut total = 0;
    let running = weights.into_iter().map(|weight| {
        total += weight;
        total
    });
    running.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_draws_the_same_values() {
        let (mut one, mut other) = (RandomSequence::of(7, Purpose::Cost, 3), RandomSequence::of(7, Purpose::Cost, 3));
        assert_eq!([one.bits(), one.bits()], [other.bits(), other.bits()]);
        assert_ne!(RandomSequence::of(7, Purpose::Cost, 4).bits(), RandomSequence::of(7, Purpose::Order, 4).bits());
    }

    #[test]
    fn a_weighted_index_follows_the_weights() {
        let summed = sums([900, 0, 100]);
        let mut draw = RandomSequence::of(1, Purpose::Profile, 0);
        let mut counts = [0; 3];
        (0..10_000).for_each(|_| counts[draw.weighted(&summed)] += 1);
        assert_eq!(counts[1], 0);
        assert!((8_700..9_300).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_range_holds_both_ends() {
        let mut draw = RandomSequence::of(1, Purpose::Profile, 1);
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| draw.within(2, 5)).collect();
        assert_eq!(drawn, [2, 3, 4, 5].into());
    }
}
