//! Which raids are frozen: their ranks no longer change, so they are fetched once and not again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;

use crate::model::{RaidId, RaidsToScrap};

/// The raids known to be frozen, and since when that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frozen(pub BTreeMap<RaidId, Timestamp>);

impl Frozen {
    /// What of `wanted` is still to be fetched of a player who was fetched at `fetched_at`, and had ranks in `covered`
    /// then; `None` stands for everything. Ranks of a frozen raid that were fetched after the freeze became known are
    /// final.
    pub(crate) fn still_wanted(
        &self,
        wanted: &RaidsToScrap,
        covered: Option<&RaidsToScrap>,
        fetched_at: Option<Timestamp>,
    ) -> RaidsToScrap {
        let is_settled = |(raid, difficulty): (u32, u32)| {
            self.0.get(&raid).is_some_and(|since| fetched_at.is_some_and(|fetched_at| fetched_at > *since))
                && covered.is_none_or(|covered| covered.covers(&RaidsToScrap::one(raid, difficulty)))
        };
        wanted.units().filter(|unit| !is_settled(*unit)).collect()
    }

    /// Whether nothing is left to fetch.
    pub(crate) fn settles(
        &self,
        wanted: &RaidsToScrap,
        covered: Option<&RaidsToScrap>,
        fetched_at: Option<Timestamp>,
    ) -> bool {
        !self.0.is_empty() && !wanted.is_empty() && self.still_wanted(wanted, covered, fetched_at).is_empty()
    }
}

/// The stored facts on the upstream's raids. A frozen raid stays frozen, so the fleet asks about each raid until it is
/// frozen.
#[async_trait]
pub trait Zones: Send + Sync {
    /// Claims the check whether these raids are frozen. Returns those that are not known to be frozen, and that no
    /// other caller asks or has asked about at this time. No other caller asks about them before `until`; two callers
    /// never get the same raid.
    async fn claim_check(&self, raids: &[RaidId], until: Timestamp) -> PortResult<Vec<RaidId>>;

    /// Stores which of the raids are frozen as of `now`. The fleet does not ask about the others before `ask_again_at`.
    /// Idempotent.
    async fn record_check(&self, raids: &[(RaidId, bool)], now: Timestamp, ask_again_at: Timestamp) -> PortResult<()>;

    /// The frozen raids.
    async fn frozen(&self) -> PortResult<Frozen>;

    /// Deletes which raids are frozen: all of them are fetched like others, until the upstream says again that they are
    /// frozen.
    async fn clear_frozen(&self) -> PortResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranks_that_were_fetched_since_the_raid_was_frozen_are_settled() {
        let [before, since, later] = [1, 2, 3].map(|second| Timestamp::from_second(second).unwrap());
        let frozen = Frozen(BTreeMap::from([(26, since)]));
        let wanted: RaidsToScrap = [(26, 3), (26, 4), (28, 4)].into_iter().collect();
        let covered: RaidsToScrap = [(26, 3), (28, 4)].into_iter().collect();
        let left: RaidsToScrap = [(26, 4), (28, 4)].into_iter().collect();
        assert_eq!(frozen.still_wanted(&wanted, Some(&covered), Some(later)), left);
        for fetched_at in [Some(before), Some(since), None] {
            assert_eq!(frozen.still_wanted(&wanted, Some(&covered), fetched_at), wanted, "{fetched_at:?}");
        }
        assert_eq!(frozen.still_wanted(&wanted, None, Some(later)), RaidsToScrap::one(28, 4), "a dropped player");
        let alone = RaidsToScrap::one(26, 3);
        assert!(frozen.settles(&alone, Some(&covered), Some(later)));
        assert!(!Frozen::default().settles(&alone, Some(&covered), Some(later)));
    }
}
