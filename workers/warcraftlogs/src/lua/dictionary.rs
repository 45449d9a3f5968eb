//! Numbers for recurring values: sections, specs and encounters. Dictionaries grow while players are added, and are
//! sorted after the last one, so that the order of the players does not affect the result.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use super::format::{MAX_ENCOUNTERS_PER_RAID, MAX_SECTIONS, MAX_SPECS};
use crate::model::{Difficulty, EncounterId, RaidId};

/// One raid in one difficulty, by one metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SectionKey {
    pub(crate) raid: RaidId,
    pub(crate) difficulty: Difficulty,
    pub(crate) metric: String,
}

/// Values with numbers, in some order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dictionaries {
    pub(crate) heads: Vec<SectionKey>,
    pub(crate) specs: Vec<String>,
    pub(crate) encounters: BTreeMap<RaidId, Vec<EncounterId>>,
}

/// The final number of each staged number.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) heads: Vec<usize>,
    pub(crate) specs: Vec<u16>,
    /// By staged head.
    pub(crate) encounters: Vec<Vec<u16>>,
}

impl Dictionaries {
    /// The same dictionaries in ascending order, with the mapping from staged to final numbers.
    pub(crate) fn in_order(&self) -> (Dictionaries, Numbers) {
        let mut ordered = self.clone();
        ordered.heads.sort_unstable();
        ordered.specs.sort_unstable();
        ordered.encounters.values_mut().for_each(|encounters| encounters.sort_unstable());
        let encounters = self.heads.iter().map(|head| {
            let staged = self.encounters_of(head.raid);
            staged.iter().map(|encounter| place(ordered.encounters_of(head.raid), encounter) as u16).collect()
        });
        let numbers = Numbers {
            heads: self.heads.iter().map(|head| place(&ordered.heads, head)).collect(),
            specs: self.specs.iter().map(|spec| place(&ordered.specs, spec) as u16).collect(),
            encounters: encounters.collect(),
        };
        (ordered, numbers)
    }

    /// The encounters of a raid.
    pub(crate) fn encounters_of(&self, raid: RaidId) -> &[EncounterId] {
        self.encounters.get(&raid).map_or(&[], Vec::as_slice)
    }

    /// How many encounters the raid of each head has.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.heads.iter().map(|head| self.encounters_of(head.raid).len()).collect()
    }
}

/// The position of an entry in an ordered list that contains it.
fn place<T: Ord>(ordered: &[T], entry: &T) -> usize {
    ordered.binary_search(entry).unwrap_or_else(|place| place)
}

/// One thread's copy of a region's dictionaries; it locks the shared ones only for values that it meets for the first
/// time.
#[derive(Debug, Default)]
pub(crate) struct LocalDictionaries {
    known: Dictionaries,
    specs: HashMap<String, u16>,
}

impl LocalDictionaries {
    /// The staged number of a head. An error is the reason to refuse the player.
    pub(crate) fn head(
        &mut self,
        shared: &Mutex<Dictionaries>,
        raid: RaidId,
        difficulty: Difficulty,
        metric: &str,
    ) -> Result<usize, &'static str> {
        let is = |head: &SectionKey| head.raid == raid && head.difficulty == difficulty && head.metric == metric;
        if let Some(place) = self.known.heads.iter().position(is) {
            return Ok(place);
        }
        self.sync(shared, |all| {
            if !all.heads.iter().any(is) {
                if all.heads.len() >= MAX_SECTIONS {
                    return Err("the region has too many raids, difficulties and metrics");
                }
                all.heads.push(SectionKey { raid, difficulty, metric: metric.to_owned() });
            }
            Ok(())
        })?;
        self.known.heads.iter().position(is).ok_or("the section was not learnt")
    }

    /// The staged number of a spec.
    pub(crate) fn spec(&mut self, shared: &Mutex<Dictionaries>, spec: &str) -> Result<u16, &'static str> {
        if let Some(number) = self.specs.get(spec) {
            return Ok(*number);
        }
        self.sync(shared, |all| {
            if !all.specs.iter().any(|known| known == spec) {
                if all.specs.len() >= MAX_SPECS {
                    return Err("the region has too many specs");
                }
                all.specs.push(spec.to_owned());
            }
            Ok(())
        })?;
        self.specs.get(spec).copied().ok_or("the spec was not learnt")
    }

    /// The staged number of an encounter. `near` is the position to try first: encounters come in the same order each
    /// time.
    pub(crate) fn encounter(
        &mut self,
        shared: &Mutex<Dictionaries>,
        raid: RaidId,
        encounter: EncounterId,
        near: usize,
    ) -> Result<usize, &'static str> {
        let known = self.known.encounters_of(raid);
        if known.get(near) == Some(&encounter) {
            return Ok(near);
        }
        if let Some(place) = known.iter().position(|known| *known == encounter) {
            return Ok(place);
        }
        self.sync(shared, |all| {
            let encounters = all.encounters.entry(raid).or_default();
            if !encounters.contains(&encounter) {
                if encounters.len() >= MAX_ENCOUNTERS_PER_RAID {
                    return Err("one raid has too many encounters");
                }
                encounters.push(encounter);
            }
            Ok(())
        })?;
        let known = self.known.encounters_of(raid);
        known.iter().position(|known| *known == encounter).ok_or("the encounter was not learnt")
    }

    /// Adds a value to the shared dictionary, and copies new values from it.
    fn sync(
        &mut self,
        shared: &Mutex<Dictionaries>,
        tell: impl FnOnce(&mut Dictionaries) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&mut shared)?;
        self.known.clone_from(&shared);
        self.specs = self.known.specs.iter().cloned().zip(0..).collect();
        Ok(())
    }
}
