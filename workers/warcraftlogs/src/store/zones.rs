//! Which raids are frozen: their ranks do not change any more, so they are fetched once and not again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;

use crate::model::{RaidId, RaidsToScrap};

/// The raids that are known to be frozen, and since when that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frozen(pub BTreeMap<RaidId, Timestamp>);

impl Frozen {
    /// What of `wanted` is still to be fetched of a player who was fetched at `fetched_at`, and then had ranks in what is
    /// `covered`; `None` stands for everything. Ranks of a frozen raid that were fetched afterwards are good for ever.
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

    /// Whether nothing is still to be fetched.
    pub(crate) fn settles(
        &self,
        wanted: &RaidsToScrap,
        covered: Option<&RaidsToScrap>,
        fetched_at: Option<Timestamp>,
    ) -> bool {
        !self.0.is_empty() && !wanted.is_empty() && self.still_wanted(wanted, covered, fetched_at).is_empty()
    }
}

/// What is known of the upstream's raids. Frozen raids stay frozen, so each is asked about until it is.
#[async_trait]
pub trait Zones: Send + Sync {
    /// Claims the question whether these raids are frozen: returns those of them that are not known to be, and about which
    /// nobody has asked, or asks, at this time. Nobody else asks about them before `until`. Two callers never get the same.
    async fn claim_question(&self, raids: &[RaidId], until: Timestamp) -> PortResult<Vec<RaidId>>;

    /// Keeps an answer: which of the raids are frozen as of `now`. Nobody asks about the others before `ask_again_at`. The same
    /// twice changes nothing.
    async fn answered(&self, raids: &[(RaidId, bool)], now: Timestamp, ask_again_at: Timestamp) -> PortResult<()>;

    /// The raids that are frozen.
    async fn frozen(&self) -> PortResult<Frozen>;

    /// Forgets which raids are frozen: all of them are fetched like others, until an answer says otherwise.
    async fn thaw(&self) -> PortResult<()>;
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
