//! Counts the sections that were answered, and those that were answered again.

use std::collections::BTreeMap;

use stint_core::points::Points;

/// The part of an answer about one character in one raid and difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) player: u32,
    pub(crate) zone: u32,
    pub(crate) difficulty: u32,
    /// Distinguishes two queries for the same raid and difficulty: a hash of the metric.
    pub(crate) metric: u64,
    pub(crate) cost_micros: u64,
}

/// The sections answered so far.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    /// The number of answers, by player, zone, difficulty and metric.
    answered: BTreeMap<(u32, u32, u32, u64), u32>,
    pub(crate) again: u64,
    pub(crate) paid_again: Points,
}

impl Sections {
    /// Counts the sections of a complete answer.
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

    /// The number of different sections.
    pub(crate) fn count(&self) -> u64 {
        self.answered.len() as u64
    }
}
