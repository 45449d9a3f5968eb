//! Numbers for what repeats: specs, sections and encounters. They grow while players stream by.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::format::{MAX_DICTIONARY, MAX_ENCOUNTERS_PER_RAID};
use crate::model::{Difficulty, EncounterId, RaidId};

/// A list of different entries that gives each a number.
///
/// Twice over: `stage` numbers in the order of arrival, `number` in the order of first use in the file. Only the second
/// shows in the file, so that it does not depend on the order in which the players of a server came.
pub(super) struct Dictionary<T> {
    limit: usize,
    staged: HashMap<T, u16>,
    entries: Vec<T>,
    numbers: Vec<Option<u16>>,
    order: Vec<u16>,
}

impl<T: Clone + Eq + Hash> Dictionary<T> {
    pub(super) fn new(limit: usize) -> Dictionary<T> {
        Dictionary { limit, staged: HashMap::new(), entries: Vec::new(), numbers: Vec::new(), order: Vec::new() }
    }

    /// The entry's staged number, `None` when the dictionary is full.
    pub(super) fn stage<Q>(&mut self, entry: &Q) -> Option<u16>
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(staged) = self.staged.get(entry) {
            return Some(*staged);
        }
        if self.entries.len() >= self.limit {
            return None;
        }
        let staged = self.entries.len() as u16;
        self.staged.insert(entry.to_owned(), staged);
        self.entries.push(entry.to_owned());
        self.numbers.push(None);
        Some(staged)
    }

    /// What was staged under this number.
    pub(super) fn entry(&self, staged: u16) -> &T {
        &self.entries[usize::from(staged)]
    }

    /// The number in the file of what was staged under `staged`; the first call gives it the next one.
    pub(super) fn number(&mut self, staged: u16) -> u32 {
        let next = self.order.len() as u16;
        let number = *self.numbers[usize::from(staged)].get_or_insert_with(|| {
            self.order.push(staged);
            next
        });
        u32::from(number)
    }

    /// The entries that the file uses, in the order of their numbers.
    pub(super) fn used(&self) -> impl Iterator<Item = &T> {
        self.order.iter().map(|staged| self.entry(*staged))
    }
}

/// One raid in one difficulty, by one metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) raid: RaidId,
    pub(super) difficulty: Difficulty,
    pub(super) metric: String,
}

/// All dictionaries of a region.
pub(super) struct Dictionaries {
    pub(super) specs: Dictionary<String>,
    pub(super) heads: Dictionary<Head>,
    pub(super) encounters: BTreeMap<RaidId, Dictionary<EncounterId>>,
}

impl Dictionaries {
    pub(super) fn new() -> Dictionaries {
        Dictionaries {
            specs: Dictionary::new(MAX_DICTIONARY),
            heads: Dictionary::new(MAX_DICTIONARY),
            encounters: BTreeMap::new(),
        }
    }

    /// The encounters of a raid.
    pub(super) fn encounters(&mut self, raid: RaidId) -> &mut Dictionary<EncounterId> {
        self.encounters.entry(raid).or_insert_with(|| Dictionary::new(MAX_ENCOUNTERS_PER_RAID))
    }
}
