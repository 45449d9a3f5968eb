//! The holds of one key, with what each step asks of them kept ready.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::{Hold, HoldState};
use crate::points::Points;

/// The holds of one key, by sequence number.
///
/// A busy key has thousands of holds and is asked for their sum twice a call, so sums and orders are kept and not
/// computed: every question is answered without walking the holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    by_sequence: BTreeMap<u64, Hold>,
    /// The holds that end by themselves, those of running calls and of lost ones, by when they do.
    timed: BTreeSet<(Timestamp, u64)>,
    /// The holds of calls that cannot be billed any more, by the sequence number of the call's end.
    over: BTreeSet<(u64, u64)>,
    /// When the holds of lost calls end.
    lost_until: BTreeSet<(Timestamp, u64)>,
    held: Points,
    lost: Points,
    unconfirmed: Points,
}

impl Holds {
    /// Adds a hold. One of the same sequence number is replaced.
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

    /// Drops a hold, and returns it if there was one.
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

    /// The hold of that sequence number.
    pub fn get(&self, sequence: u64) -> Option<&Hold> {
        self.by_sequence.get(&sequence)
    }

    /// All holds, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Hold)> {
        self.by_sequence.iter().map(|(sequence, hold)| (*sequence, hold))
    }

    /// The holds with these sequence numbers, the oldest first.
    pub(super) fn range(&self, sequences: RangeInclusive<u64>) -> impl Iterator<Item = (u64, &Hold)> {
        self.by_sequence.range(sequences).map(|(sequence, hold)| (*sequence, hold))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_sequence.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_sequence.is_empty()
    }

    /// All that is on loan.
    pub fn held(&self) -> Points {
        self.held
    }

    /// On loan to calls that got no answer and may still be billed.
    pub fn lost(&self) -> Points {
        self.lost
    }

    /// When the first of them can no longer be billed.
    pub fn lost_until(&self) -> Option<Timestamp> {
        self.lost_until.first().map(|(until, _)| *until)
    }

    /// On loan to calls that are over, and that a reading would confirm.
    pub fn unconfirmed(&self) -> Points {
        self.unconfirmed
    }

    /// Calls that still run.
    pub fn in_flight(&self) -> u64 {
        (self.timed.len() - self.lost_until.len()) as u64
    }

    /// The highest sequence number that a hold or a call's end has used.
    pub fn last_sequence(&self) -> u64 {
        let granted = self.by_sequence.last_key_value().map_or(0, |(sequence, _)| *sequence);
        granted.max(self.over.last().map_or(0, |(ended, _)| *ended))
    }

    /// A hold that has ended by itself at `now`, and whether its call was known to be lost.
    pub(super) fn first_expired(&self, now: Timestamp) -> Option<(u64, bool)> {
        let (_, sequence) = self.timed.first().filter(|(expires_at, _)| *expires_at <= now)?;
        Some((*sequence, self.is_lost(*sequence)))
    }

    /// A hold that ends by itself later than `latest`.
    pub(super) fn first_beyond(&self, latest: Timestamp) -> Option<u64> {
        self.timed.last().filter(|(expires_at, _)| *expires_at > latest).map(|(_, sequence)| *sequence)
    }

    /// Has a hold end by itself at `expires_at`.
    pub(super) fn expire_at(&mut self, sequence: u64, expires_at: Timestamp) {
        self.change(sequence, |hold| Some(Hold { expires_at, ..hold.clone() }));
    }

    /// Puts what `changed` returns in the place of a hold. Returns whether there is one, and it was to be changed.
    fn change(&mut self, sequence: u64, changed: impl FnOnce(&Hold) -> Option<Hold>) -> bool {
        let changed = self.by_sequence.get(&sequence).and_then(changed);
        changed.map(|hold| self.insert(sequence, hold)).is_some()
    }

    fn is_lost(&self, sequence: u64) -> bool {
        self.by_sequence.get(&sequence).is_some_and(|hold| hold.state == HoldState::Lost)
    }

    /// Marks a running call as lost, to be billed no later than `until`. Says whether there was one.
    pub(super) fn lose(&mut self, sequence: u64, until: Timestamp) -> bool {
        let lost = |hold: &Hold| Hold { state: HoldState::Lost, expires_at: until, ..hold.clone() };
        self.change(sequence, |hold| (hold.state == HoldState::InFlight).then(|| lost(hold)))
    }

    /// Marks a running or lost call as over since sequence number `ended`. Says whether there was one.
    pub(super) fn end(&mut self, sequence: u64, ended: u64) -> bool {
        let over = |hold: &Hold| Hold { state: HoldState::Unconfirmed { ended }, ..hold.clone() };
        self.change(sequence, |hold| (!matches!(hold.state, HoldState::Unconfirmed { .. })).then(|| over(hold)))
    }

    /// Drops the holds of calls that were over at sequence number `started`, and says which.
    pub(super) fn confirm(&mut self, started: u64) -> Vec<u64> {
        let mut confirmed = Vec::new();
        while let Some((_, sequence)) = self.over.first().copied().filter(|(ended, _)| *ended <= started) {
            self.remove(sequence);
            confirmed.push(sequence);
        }
        confirmed
    }
}
