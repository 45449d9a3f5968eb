//! The holds of one key, with the sums and orders that each ledger step needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::{Hold, HoldState};
use crate::points::Points;

/// The holds of one key, by sequence number.
///
/// A busy key has thousands of holds, and their sum is needed twice per call. Sums and orders are therefore kept up to
/// date, so that no query walks the holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    by_sequence: BTreeMap<u64, Hold>,
    /// The holds of running and lost calls, which end by themselves, by the time they do.
    timed: BTreeSet<(Timestamp, u64)>,
    /// The holds of calls that can no longer be billed, by the sequence number at which the call ended.
    over: BTreeSet<(u64, u64)>,
    /// When the holds of lost calls end.
    lost_until: BTreeSet<(Timestamp, u64)>,
    held: Points,
    lost: Points,
    unconfirmed: Points,
}

impl Holds {
    /// Adds a hold. Replaces a hold of the same sequence number.
    pub fn insert(&mut self, sequence: u64, hold: Hold) {
        self.remove(sequence);
        self.held = self.held.saturating_add(hold.amount);
        match hold.state {
            HoldState::InFlight => {
                self.timed.insert((hold.expires_at, sequence));
            }
            HoldState::Lost => {
                self.lost = self.lost.saturating_add(hold.amount);
                self.timed.insert((hold.expires_at, sequence));
                self.lost_until.insert((hold.expires_at, sequence));
            }
            HoldState::Unconfirmed { ended } => {
                self.unconfirmed = self.unconfirmed.saturating_add(hold.amount);
                self.over.insert((ended, sequence));
            }
        }
        self.by_sequence.insert(sequence, hold);
    }

    /// Removes a hold and returns it, if there is one.
    pub fn remove(&mut self, sequence: u64) -> Option<Hold> {
        let hold = self.by_sequence.remove(&sequence)?;
        self.held = self.held.saturating_sub(hold.amount);
        match hold.state {
            HoldState::InFlight => {
                self.timed.remove(&(hold.expires_at, sequence));
            }
            HoldState::Lost => {
                self.lost = self.lost.saturating_sub(hold.amount);
                self.timed.remove(&(hold.expires_at, sequence));
                self.lost_until.remove(&(hold.expires_at, sequence));
            }
            HoldState::Unconfirmed { ended } => {
                self.unconfirmed = self.unconfirmed.saturating_sub(hold.amount);
                self.over.remove(&(ended, sequence));
            }
        }
        Some(hold)
    }

    /// Returns the hold with this sequence number.
    pub fn get(&self, sequence: u64) -> Option<&Hold> {
        self.by_sequence.get(&sequence)
    }

    /// Returns all holds, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Hold)> {
        self.by_sequence.iter().map(|(sequence, hold)| (*sequence, hold))
    }

    /// Returns the holds with these sequence numbers, oldest first.
    pub(super) fn range(&self, sequences: RangeInclusive<u64>) -> impl Iterator<Item = (u64, &Hold)> {
        self.by_sequence.range(sequences).map(|(sequence, hold)| (*sequence, hold))
    }

    /// Returns the number of holds.
    pub fn len(&self) -> usize {
        self.by_sequence.len()
    }

    /// Returns whether there are no holds.
    pub fn is_empty(&self) -> bool {
        self.by_sequence.is_empty()
    }

    /// Returns the sum of all holds.
    pub fn held(&self) -> Points {
        self.held
    }

    /// Returns the amount held by calls that got no answer and may still be billed.
    pub fn lost(&self) -> Points {
        self.lost
    }

    /// Returns when the first of the lost calls can no longer be billed.
    pub fn lost_until(&self) -> Option<Timestamp> {
        self.lost_until.first().map(|(until, _)| *until)
    }

    /// Returns the amount held by calls that are over and that a reading would confirm.
    pub fn unconfirmed(&self) -> Points {
        self.unconfirmed
    }

    /// Returns the number of calls that are still running.
    pub fn in_flight(&self) -> u64 {
        (self.timed.len() - self.lost_until.len()) as u64
    }

    /// Returns the highest sequence number used by a hold or by the end of a call.
    pub fn last_sequence(&self) -> u64 {
        let granted = self.by_sequence.last_key_value().map_or(0, |(sequence, _)| *sequence);
        granted.max(self.over.last().map_or(0, |(ended, _)| *ended))
    }

    /// Returns a hold that has expired at `now`, and whether its call was known to be lost.
    pub(super) fn first_expired(&self, now: Timestamp) -> Option<(u64, bool)> {
        let (_, sequence) = self.timed.first().filter(|(expires_at, _)| *expires_at <= now)?;
        Some((*sequence, self.is_lost(*sequence)))
    }

    /// Returns a hold that expires later than `latest`.
    pub(super) fn first_beyond(&self, latest: Timestamp) -> Option<u64> {
        self.timed.last().filter(|(expires_at, _)| *expires_at > latest).map(|(_, sequence)| *sequence)
    }

    /// Sets when a hold expires.
    pub(super) fn expire_at(&mut self, sequence: u64, expires_at: Timestamp) {
        self.change(sequence, |hold| Some(Hold { expires_at, ..hold.clone() }));
    }

    /// Replaces a hold by the result of `changed`. Returns whether there is such a hold and `changed` returned one.
    fn change(&mut self, sequence: u64, changed: impl FnOnce(&Hold) -> Option<Hold>) -> bool {
        let changed = self.by_sequence.get(&sequence).and_then(changed);
        changed.map(|hold| self.insert(sequence, hold)).is_some()
    }

    fn is_lost(&self, sequence: u64) -> bool {
        self.by_sequence.get(&sequence).is_some_and(|hold| hold.state == HoldState::Lost)
    }

    /// Marks a running call as lost; it may be billed until `until`. Returns whether there was one.
    pub(super) fn lose(&mut self, sequence: u64, until: Timestamp) -> bool {
        let lost = |hold: &Hold| Hold { state: HoldState::Lost, expires_at: until, ..hold.clone() };
        self.change(sequence, |hold| (hold.state == HoldState::InFlight).then(|| lost(hold)))
    }

    /// Marks a running or lost call as over since sequence number `ended`. Returns whether there was one.
    pub(super) fn end(&mut self, sequence: u64, ended: u64) -> bool {
        let over = |hold: &Hold| Hold { state: HoldState::Unconfirmed { ended }, ..hold.clone() };
        self.change(sequence, |hold| (!matches!(hold.state, HoldState::Unconfirmed { .. })).then(|| over(hold)))
    }

    /// Removes the holds of calls that were over at sequence number `started`, and returns their sequence numbers.
    pub(super) fn confirm(&mut self, started: u64) -> Vec<u64> {
        let mut confirmed = Vec::new();
        while let Some((_, sequence)) = self.over.first().copied().filter(|(ended, _)| *ended <= started) {
            self.remove(sequence);
            confirmed.push(sequence);
        }
        confirmed
    }
}
