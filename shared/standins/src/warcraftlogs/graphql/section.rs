//! One section of an answer: a character in one raid and difficulty, and its faults.

use super::character::{FoundCharacter, clamped};
use super::execution::Execution;
use super::plan::Node;
use crate::random::{Purpose, RandomSequence, mix};
use crate::warcraftlogs::constants::{self, BAD_DIFFICULTY};
use crate::warcraftlogs::population::QueryOutcome;
use crate::warcraftlogs::sections::Section;

/// The message of a section's error.
const FAILED: &str = "Internal server error";

impl<'d> Execution<'d> {
    /// `zoneRankings` of a character.
    pub(super) fn section(&mut self, found: &FoundCharacter, node: &Node<'d>) {
        let number = |name| self.int(node, name).map(clamped);
        let zone = number("zoneID").unwrap_or_default();
        let difficulty = number("difficulty").unwrap_or(constants::HIGHEST_DIFFICULTY);
        let faults = self.state.faults;
        let subject = self.state.request << 36 ^ u64::from(found.player) << 12 ^ u64::from(zone * 16 + difficulty);
        let drawn = RandomSequence::of(self.state.reports.seed, Purpose::Section, subject).below(1000) as u32;
        let cost = self.cost(found.player, zone, difficulty);
        let shown = matches!(found.profile.outcome, QueryOutcome::Ranked | QueryOutcome::Hidden);
        if !shown {
            self.zone_rankings(found, node);
        } else if faults.refused.contains(&(zone, difficulty)) {
            self.cost_micros += cost;
            self.out.push_str(BAD_DIFFICULTY);
        } else if drawn < faults.failed {
            self.cost_micros += cost;
            self.fail(FAILED);
        } else if drawn < faults.failed + faults.absent {
            self.cost_micros += cost;
            self.null();
        } else {
            self.zone_rankings(found, node);
            if found.profile.outcome == QueryOutcome::Ranked && constants::zone(zone).is_some() {
                let metric = self.text(node, "metric").unwrap_or_default();
                let metric = metric.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
                self.sections.push(Section { player: found.player, zone, difficulty, metric, cost_micros: cost });
            }
        }
    }
}
