//! A second, deliberately simple implementation of the ledger's rules: a list of holds that is walked from end to end.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::ledger::{KeyStatus, LedgerSettings};

/// The expected knowledge of one key.
#[derive(Default)]
pub(super) struct Oracle {
    /// The last window of the upstream that was seen. `None` before the first reading.
    window: Option<i64>,
    limit: u64,
    spent: u64,
    pub(super) holds: Vec<NaiveHold>,
}

pub(super) struct NaiveHold {
    pub(super) sequence: u64,
    pub(super) amount: u64,
    pub(super) expires_at: Timestamp,
    /// For a call that got no answer: until when it may be billed.
    pub(super) lost_until: Option<Timestamp>,
    /// The event at which the call ended and could no longer be billed.
    pub(super) ended: Option<u64>,
}

/// A counter that was read, with the window that it is really about.
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
                (hold.ended, hold.lost_until) = (Some(event), None);
            }
        }
    }

    pub(super) fn lose(&mut self, sequence: u64, event: u64, now: Timestamp, grace: Duration) {
        if grace.is_zero() {
            return self.end(sequence, event);
        }
        for hold in &mut self.holds {
            if hold.sequence == sequence && hold.ended.is_none() && hold.lost_until.is_none() {
                hold.lost_until = Some(after(now, grace));
            }
        }
    }

    pub(super) fn end_expired(&mut self, now: Timestamp, event: u64, grace: Duration) {
        let running = |hold: &&NaiveHold| hold.ended.is_none() && hold.lost_until.is_none();
        let expired = self.holds.iter().filter(running).filter(|hold| hold.expires_at <= now);
        let expired: Vec<u64> = expired.map(|hold| hold.sequence).collect();
        for hold in &mut self.holds {
            if hold.lost_until.is_some_and(|until| until <= now) {
                (hold.ended, hold.lost_until) = (Some(event), None);
            }
        }
        expired.into_iter().for_each(|sequence| self.lose(sequence, event, now, grace));
    }

    pub(super) fn drop_hold(&mut self, sequence: u64) {
        self.holds.retain(|hold| hold.sequence != sequence);
    }

    /// Applies a counter whose request was sent at event `started`.
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
        self.holds
            .iter()
            .filter(|hold| !ended_only || hold.ended.is_some() || hold.lost_until.is_some())
            .map(|hold| hold.amount)
            .sum()
    }

    /// Returns what may still be granted, with or without the reserve. Negative if too much was granted.
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
        let running = |hold: &&NaiveHold| hold.ended.is_none() && hold.lost_until.is_none();
        let running = self.holds.iter().filter(running).count() as u64;
        assert_eq!(status.in_flight, running, "in flight");
    }
}
