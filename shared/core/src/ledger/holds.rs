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
    /// The holds of running calls, by when each ends in any case.
    running: BTreeSet<(Timestamp, u64)>,
    /// The holds of calls that are over, by the sequence number of the call's end.
    over: BTreeSet<(u64, u64)>,
    held: Points,
    unconfirmed: Points,
}

impl Holds {
    /// Adds a hold. One of the same sequence number is replaced.
    pub fn insert(&mut self, sequence: u64, hold: Hold) {
        self.remove(sequence);
        self.held = self.held.saturating_add(hold.amount);
        match hold.state {
            HoldState::InFlight => {
                self.running.insert((hold.expires_at, sequence));
            }
            HoldState::Unconfirmed { ended } => {
                self.unconfirmed = self.unconfirmed.saturating_add(hold.amount);
                self.over.insert((ended, sequence));
            }
        }
        self.by_sequence.insert(sequence, hold);
    }

    /// Drops a hold, and answers it if there was one.
    pub fn remove(&mut self, sequence: u64) -> Option<Hold> {
        let hold = self.by_sequence.remove(&sequence)?;
        self.held = self.held.saturating_sub(hold.amount);
        match hold.state {
            HoldState::InFlight => {
                self.running.remove(&(hold.expires_at, sequence));
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

    /// On loan to calls that are over.
    pub fn unconfirmed(&self) -> Points {
        self.unconfirmed
    }

    /// Calls that still run.
    pub fn in_flight(&self) -> u64 {
        self.running.len() as u64
    }

    /// The highest sequence number that a hold or a call's end has used.
    pub fn last_sequence(&self) -> u64 {
        let granted = self.by_sequence.last_key_value().map_or(0, |(sequence, _)| *sequence);
        granted.max(self.over.last().map_or(0, |(ended, _)| *ended))
    }

    /// A running call that has outlived its hold at `now`.
    pub(super) fn first_expired(&self, now: Timestamp) -> Option<u64> {
        self.running.first().filter(|(expires_at, _)| *expires_at <= now).map(|(_, sequence)| *sequence)
    }

    /// Marks a running call as over since sequence number `ended`. Says whether there was one.
    pub(super) fn end(&mut self, sequence: u64, ended: u64) -> bool {
        let Some(hold) = self.by_sequence.get_mut(&sequence) else { return false };
        if hold.state != HoldState::InFlight {
            return false;
        }
        hold.state = HoldState::Unconfirmed { ended };
        self.unconfirmed = self.unconfirmed.saturating_add(hold.amount);
        self.running.remove(&(hold.expires_at, sequence));
        self.over.insert((ended, sequence));
        true
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
