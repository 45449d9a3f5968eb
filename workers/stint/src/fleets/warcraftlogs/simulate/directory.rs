//! The players that can be discovered and the (raid, difficulty) pairs in which they are ranked. Ids and pairs are
//! stored as small numbers, so that a million players need little memory.

use stint_standins::warcraftlogs::Population;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap, Unit};

/// Ids are spread nearly evenly, so an estimated position is rarely off by more than this many positions. They lie
/// beside each other in memory, which a binary search over all ids would leave again and again.
const MAX_POSITION_ERROR: usize = 64;

/// The players on the ranking pages, by position, and the ranked pairs, by bit.
pub(super) struct Directory {
    ids: Vec<PlayerId>,
    pairs: Vec<(u32, u32)>,
    /// The pairs for each set of bits.
    raids: Vec<RaidsToScrap>,
    /// Positions per id, to estimate the position of an id.
    density: f64,
}

impl Directory {
    /// Indexes all players in `population`.
    pub(super) fn new(population: &Population) -> Directory {
        let pairs = population.rankings().to_vec();
        // There are few ranked pairs, so every set of them can be precomputed.
        let raids = (0..1_u32 << pairs.len().min(12)).map(|mask| raids_of(&pairs, mask)).collect();
        let ids = population.discoverable(&pairs);
        let span = ids.first().zip(ids.last()).map_or(0, |(first, last)| last - first);
        let density = ids.len().saturating_sub(1) as f64 / span.max(1) as f64;
        Directory { ids, pairs, raids, density }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, position: usize) -> PlayerId {
        self.ids[position]
    }

    /// Returns the first position whose id is greater than `after`.
    pub(super) fn position_after(&self, after: Option<PlayerId>) -> usize {
        after.map_or(0, |after| self.ids.partition_point(|id| *id <= after))
    }

    /// Returns the position of a player, or `None` for an id that is on no page.
    pub(super) fn find(&self, id: PlayerId) -> Option<usize> {
        let offset = id.checked_sub(*self.ids.first()?)?;
        let guess = (offset as f64 * self.density) as usize;
        let found = |position: &usize| self.ids.get(*position) == Some(&id);
        let is_behind = self.ids.get(guess).is_some_and(|guessed| *guessed < id);
        let near = match is_behind {
            true => (guess..guess + MAX_POSITION_ERROR).find(found),
            false => (guess.saturating_sub(MAX_POSITION_ERROR)..=guess).rev().find(found),
        };
        near.or_else(|| self.ids.binary_search(&id).ok())
    }

    /// Returns the bit of a pair, or 0 if the pair is not ranked.
    pub(super) fn bit(&self, raid: u32, difficulty: u32) -> u32 {
        self.pairs.iter().position(|pair| *pair == (raid, difficulty)).map_or(0, |bit| 1 << bit)
    }

    pub(super) fn mask(&self, raids: &RaidsToScrap) -> u32 {
        self.mask_of(raids.units())
    }

    pub(super) fn mask_of(&self, units: impl Iterator<Item = Unit>) -> u32 {
        units.fold(0, |mask, (raid, difficulty)| mask | self.bit(raid, difficulty))
    }

    /// Returns [`Directory::mask`] for many players in turn: those of one page have the same raids.
    pub(super) fn masks<'a>(&'a self) -> impl FnMut(&'a RaidsToScrap) -> u32 {
        let mut last: Option<(&RaidsToScrap, u32)> = None;
        move |raids| match last {
            Some((known, mask)) if known.is_clone_of(raids) => mask,
            _ => {
                let mask = self.mask(raids);
                last = Some((raids, mask));
                mask
            }
        }
    }

    pub(super) fn raids(&self, mask: u32) -> RaidsToScrap {
        self.raids.get(mask as usize).cloned().unwrap_or_else(|| raids_of(&self.pairs, mask))
    }
}

fn raids_of(pairs: &[(u32, u32)], mask: u32) -> RaidsToScrap {
    let set = pairs.iter().enumerate().filter(|(bit, _)| mask & 1 << bit != 0);
    set.map(|(_, pair)| *pair).collect()
}
