//! Which sections were answered, and which of them again.

use std::collections::BTreeMap;

use stint_core::points::Points;

/// What an answer says of one character in one raid and difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) player: u32,
    pub(crate) zone: u32,
    pub(crate) difficulty: u32,
    /// What tells two questions about the same raid and difficulty apart: a hash of the metric.
    pub(crate) metric: u64,
    pub(crate) cost_micros: u64,
}

/// The sections that were answered so far.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    /// How often, by player, zone, difficulty and metric.
    answered: BTreeMap<(u32, u32, u32, u64), u32>,
    pub(crate) again: u64,
    pub(crate) paid_again: Points,
}

impl Sections {
    /// An answer with these sections is on its way, whole.
    pub(crate) fn answer(&mut self, sections: &[Section]) {
        for section in sections {
            let times =
                self.answered.entry((section.player, section.zone, section.difficulty, section.metric)).or_default();
            *times += 1;
            if *times > 1 {
                self.again += 1;
                self.paid_again = self.paid_again.saturating_add(Points::from_micros(section.cost_micros));
            }
        }
    }

    /// How many different ones.
    pub(crate) fn count(&self) -> u64 {
        self.answered.len() as u64
    }
}
