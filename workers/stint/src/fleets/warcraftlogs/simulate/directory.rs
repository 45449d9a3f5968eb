//! Who can be discovered, and in what: ids and pairs as small numbers, so that a million players fit in little memory.

use stint_standins::warcraftlogs::Population;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};

/// Ids are spread nearly evenly; a guess is off by no more than this many places.
const REACH: usize = 64;

/// The players that ranking pages show, by place, and the ranked pairs, by bit.
pub(super) struct Directory {
    ids: Vec<PlayerId>,
    pairs: Vec<(u32, u32)>,
    /// The pairs of each set of bits that was asked for.
    raids: Vec<RaidsToScrap>,
}

impl Directory {
    /// Everybody in `population`.
    pub(super) fn new(population: &Population) -> Directory {
        let pairs = population.rankings().to_vec();
        // Few pairs are ranked, so that every set of them can be kept ready.
        let raids = (0..1_u32 << pairs.len().min(12)).map(|mask| raids_of(&pairs, mask)).collect();
        Directory { ids: population.discoverable(&pairs), pairs, raids }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, place: usize) -> PlayerId {
        self.ids[place]
    }

    /// The first place whose id lies above `after`.
    pub(super) fn place_after(&self, after: Option<PlayerId>) -> usize {
        after.map_or(0, |after| self.ids.partition_point(|id| *id <= after))
    }

    /// Where a player is; `None` for an id that no page shows.
    pub(super) fn find(&self, id: PlayerId) -> Option<usize> {
        let (first, last) = (*self.ids.first()?, *self.ids.last()?);
        let span = (last - first).max(1);
        let offset = id.checked_sub(first)?;
        let guess = (u128::from(offset) * (self.ids.len() as u128 - 1) / u128::from(span)) as usize;
        let (from, to) = (guess.saturating_sub(REACH), (guess + REACH).min(self.ids.len()));
        let near = self.ids.get(from..to).and_then(|near| near.binary_search(&id).ok());
        near.map(|place| from + place).or_else(|| self.ids.binary_search(&id).ok())
    }

    /// The bit of a pair, or none when it is not ranked.
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
