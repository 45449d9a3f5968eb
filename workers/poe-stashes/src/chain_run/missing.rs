//! Open pages whose body is still missing. Each is requested again at its own time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;

use super::{FIRST_WAIT, LONGEST_WAIT};
use crate::model::ChangeId;

/// Failed attempts for one page that are retried at once. After them, each retry waits.
const AT_ONCE: u32 = 3;

/// The missing pages with the number of their failed attempts.
#[derive(Debug, Default)]
pub(super) struct Missing {
    due: BTreeMap<ChangeId, Timestamp>,
    tries: BTreeMap<ChangeId, u32>,
    /// Complete answers that were not a page.
    invalid: BTreeMap<ChangeId, u32>,
    refused: BTreeSet<ChangeId>,
}

impl Missing {
    /// Adds a page that an earlier follower left open.
    pub(super) fn add_inherited(&mut self, id: ChangeId) {
        self.due.insert(id, Timestamp::MIN);
    }

    /// Counts a failed attempt, and returns the number for this page.
    pub(super) fn count(&mut self, id: ChangeId) -> u32 {
        let tries = self.tries.entry(id).or_default();
        *tries += 1;
        *tries
    }

    /// Counts a complete answer that is not a page, and returns the number for this page.
    pub(super) fn count_invalid(&mut self, id: ChangeId) -> u32 {
        let invalid = self.invalid.entry(id).or_default();
        *invalid += 1;
        *invalid
    }

    /// Records that the page was refused, and returns whether it had been refused before.
    pub(super) fn was_refused(&mut self, id: ChangeId) -> bool {
        !self.refused.insert(id)
    }

    /// Schedules the next request for the page: at once or after its wait, but not before `delay` has passed.
    pub(super) fn schedule_retry(&mut self, id: ChangeId, now: Timestamp, delay: Duration) {
        let wait = self.wait(id).max(delay);
        self.due.insert(id, after(now, wait));
    }

    /// Returns the wait after the attempts so far.
    pub(super) fn wait(&self, id: ChangeId) -> Duration {
        match self.tries.get(&id).copied().unwrap_or_default().checked_sub(AT_ONCE + 1) {
            None => Duration::ZERO,
            Some(doublings) => (FIRST_WAIT * (1 << doublings.min(16))).min(LONGEST_WAIT),
        }
    }

    /// Removes and returns the page that has been due the longest.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<ChangeId> {
        let (id, _) = self.due.iter().filter(|(_, due)| **due <= now).min_by_key(|(_, due)| **due)?;
        let id = *id;
        self.due.remove(&id);
        Some(id)
    }

    /// Returns when the next page is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }

    /// Removes a page that is stored or given up.
    pub(super) fn remove(&mut self, id: ChangeId) {
        self.due.remove(&id);
        self.tries.remove(&id);
        self.invalid.remove(&id);
        self.refused.remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tries_follow_at_once_and_the_others_after_longer_and_longer_waits() {
        let (mut missing, id) = (Missing::default(), ChangeId::new([1; 5]));
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                missing.count(id);
                missing.wait(id).as_secs()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 30, 30]);
        missing.remove(id);
        assert_eq!(missing.wait(id), Duration::ZERO);
    }

    #[test]
    fn a_page_is_due_when_its_own_time_has_come() {
        let now = Timestamp::UNIX_EPOCH;
        let in_a_minute = after(now, Duration::from_secs(60));
        let (mut missing, [late, soon]) = (Missing::default(), [ChangeId::new([1; 5]), ChangeId::new([2; 5])]);
        missing.schedule_retry(late, now, Duration::from_secs(60));
        missing.add_inherited(soon);
        assert_eq!(missing.take_due(now), Some(soon));
        assert_eq!((missing.take_due(now), missing.next_due()), (None, Some(in_a_minute)));
        assert_eq!(missing.take_due(in_a_minute), Some(late));
        assert!(missing.is_empty());
    }
}
