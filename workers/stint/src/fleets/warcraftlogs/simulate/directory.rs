//! The players that can be discovered and the (raid, difficulty) pairs in which they are ranked. Ids and pairs are
//! stored as small numbers, so that a million players need little memory.

use stint_standins::warcraftlogs::Population;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};

/// Ids are spread nearly evenly, so an estimated position is off by at most this many positions.
const MAX_POSITION_ERROR: usize = 64;

/// The players on the ranking pages, by position, and the ranked pairs, by bit.
pub(super) struct Directory {
    ids: Vec<PlayerId>,
    pairs: Vec<(u32, u32)>,
    /// The pairs for each set of bits.
    raids: Vec<RaidsToScrap>,
}

impl Directory {
    /// Indexes all players in `population`.
    pub(super) fn new(population: &Population) -> Directory {
        let pairs = population.rankings().to_vec();
        // There are few ranked pairs, so every set of them can be precomputed.
        let raids = (0..1_u32 << pairs.len().min(12)).map(|mask| raids_of(&pairs, mask)).collect();
        Directory { ids: population.discoverable(&pairs), pairs, raids }
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
        let (first, last) = (*self.ids.first()?, *self.ids.last()?);
        let span = (last - first).max(1);
        let offset = id.checked_sub(first)?;
        let guess = (u128::from(offset) * (self.ids.len() as u128 - 1) / u128::from(span)) as usize;
        let (from, to) = (guess.saturating_sub(MAX_POSITION_ERROR), (guess + MAX_POSITION_ERROR).min(self.ids.len()));
        let near = self.ids.get(from..to).and_then(|near| near.binary_search(&id).ok());
        near.map(|position| from + position).or_else(|| self.ids.binary_search(&id).ok())
    }

    /// Returns the bit of a pair, or 0 if the pair is not ranked.
    pub(super) fn bit(&self, raid: u32, difficulty: u32) -> u32 {
        self.pairs.iter().position(|pair| *pair == (raid, difficulty)).map_or(0, |bit| 1 << bit)
    }

    pub(super) fn mask(&self, raids: &RaidsToScrap) -> u32 {
        raids.units().fold(0, |mask, (raid, difficulty)| mask | self.bit(raid, difficulty))
    }

    pub(super) fn raids(&self, mask: u32) -> RaidsToScrap {
        self.raids.get(mask as usize).cloned().unwrap_or_else(|| raids_of(&self.pairs, mask))
    }
}

fn raids_of(pairs: &[(u32, u32)], mask: u32) -> RaidsToScrap {
    let set = pairs.iter().enumerate().filter(|(bit, _)| mask & 1 << bit != 0);
    set.map(|(_, pair)| *pair).collect()
}
