//! The ledger's rules once more, as plainly as they can be said: a list of holds, walked from end to end.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{KeyStatus, LedgerSettings};

/// What should be known of one key.
#[derive(Default)]
pub(super) struct Oracle {
    /// Which of the upstream's windows was seen last. `None` before the first reading.
    window: Option<i64>,
    limit: u64,
    spent: u64,
    pub(super) holds: Vec<NaiveHold>,
}

pub(super) struct NaiveHold {
    pub(super) sequence: u64,
    pub(super) amount: u64,
    pub(super) expires_at: Timestamp,
    /// The event at which the call ended.
    pub(super) ended: Option<u64>,
}

/// A counter that was read, with the window that it is truly about.
#[derive(Clone, Copy)]
pub(super) struct Truth {
    pub(super) window: i64,
    pub(super) limit: u64,
    pub(super) spent: u64,
}

impl Oracle {
    pub(super) fn end(&mut self, sequence: u64, event: u64) {
        for hold in &mut self.holds {
            if hold.sequence == sequence && hold.ended.is_none() {
                hold.ended = Some(event);
            }
        }
    }

    pub(super) fn end_expired(&mut self, now: Timestamp, event: u64) {
        for hold in &mut self.holds {
            if hold.expires_at <= now && hold.ended.is_none() {
                hold.ended = Some(event);
            }
        }
    }

    pub(super) fn drop_hold(&mut self, sequence: u64) {
        self.holds.retain(|hold| hold.sequence != sequence);
    }

    /// Takes in a counter whose request was sent at event `started`.
    pub(super) fn read(&mut self, truth: Truth, started: u64) {
        if self.window.is_some_and(|window| truth.window < window) {
            return;
        }
        if self.window != Some(truth.window) {
            self.spent = 0;
        }
        self.window = Some(truth.window);
        self.limit = truth.limit;
        self.spent = self.spent.max(truth.spent);
        self.holds.retain(|hold| hold.ended.is_none_or(|ended| ended > started));
    }

    fn sum(&self, ended_only: bool) -> u64 {
        self.holds.iter().filter(|hold| !ended_only || hold.ended.is_some()).map(|hold| hold.amount).sum()
    }

    /// What may be lent, with the reserve or without: negative when it was lent too much.
    pub(super) fn free(&self, settings: &LedgerSettings, priority: bool, resets_in: Duration) -> i128 {
        let kept = !priority && resets_in > settings.window / 10;
        let reserve = if kept { settings.reserve.micros().min(self.limit / 10) } else { 0 };
        let taken = settings.guard.micros() + reserve + self.spent + self.sum(false);
        i128::from(self.limit) - i128::from(taken)
    }

    pub(super) fn check(&self, status: &KeyStatus) {
        assert_eq!(status.limit.micros(), self.limit, "limit");
        assert_eq!(status.spent.micros(), self.spent, "spent");
        assert_eq!(status.held.micros(), self.sum(false), "held is the sum of the holds");
        assert_eq!(status.unconfirmed.micros(), self.sum(true), "unconfirmed is the sum of the ended ones");
        let running = self.holds.iter().filter(|hold| hold.ended.is_none()).count() as u64;
        assert_eq!(status.in_flight, running, "in flight");
    }
}
