//! One key's account.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alone, Costs, Holds, LedgerSettings, Reading, Refusal};
use crate::clock::{after, before};
use crate::points::Points;

/// One key's account: a record that a store keeps whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Points per window. `None` until the key was read: an unread key grants nothing.
    pub limit: Option<Points>,
    /// The highest counter seen in this window.
    pub spent: Points,
    /// When the window ends, by the upstream's word.
    pub reset_at: Timestamp,
    /// How many windows were seen, this one included.
    pub window: u64,
    /// Counts every change; names holds, and tells what came after what.
    pub sequence: u64,
    /// No grants before then, by hand. Outlives the window.
    pub paused_until: Option<Timestamp>,
    /// No grants before then, by the word of an upstream that refused the key. Ends with the window.
    #[serde(default)]
    pub refused_until: Option<Timestamp>,
    /// Why it was refused until then. Records from before there were two reasons knew the first only.
    #[serde(default)]
    pub refused_for: Refusal,
    /// No longer in the settings: grants nothing, but its holds and its history stay.
    pub retired: bool,
    /// Who reads the counter has until then.
    pub reading_until: Option<Timestamp>,
    /// Calls that the upstream refused for lack of points, ever.
    pub refused: u64,
    /// The call that was granted last, if no other was in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<Alone>,
    /// A call that was alone, and whose charge the next reading shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<Alone>,
    /// What calls with this key have turned out to cost.
    #[serde(default)]
    pub costs: Costs,
    /// Points on loan, by sequence number. Stored beside the record, one by one.
    #[serde(skip)]
    pub holds: Holds,
}

/// What became of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Which of the key's windows, from 1.
    pub window: u64,
    /// When it ended.
    pub reset_at: Timestamp,
    /// Its points.
    pub limit: Points,
    /// The highest counter seen.
    pub spent: Points,
    /// Held at the end by calls whose charge no reading has shown: `spent` may be short by up to this much.
    pub unconfirmed: Points,
    /// Gone unspent.
    pub expired: Points,
    /// Spent beyond the limit.
    pub overspent: Points,
}

/// Whether a key can lend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It lends what is free.
    Open,
    /// Too close to the reset to start another call.
    Edge,
    /// It was never read, or its window is over: it must be read before it lends.
    Stale,
    /// It rests, by hand or because the upstream refused it.
    Paused,
    /// It is no longer in the settings.
    Retired,
}

impl Account {
    /// A key that nothing is known of: it grants nothing until it is read. A store that cannot make sense of a record
    /// goes on with this one, and sets `sequence` and `window` beyond all that the key has used.
    pub fn unread() -> Account {
        Account {
            limit: None,
            spent: Points::ZERO,
            reset_at: Timestamp::UNIX_EPOCH,
            window: 0,
            sequence: 0,
            paused_until: None,
            refused_until: None,
            refused_for: Refusal::Points,
            retired: false,
            reading_until: None,
            refused: 0,
            alone: None,
            unpriced: None,
            costs: Costs::default(),
            holds: Holds::default(),
        }
    }

    /// Whether the key can lend now.
    pub fn state(&self, settings: &LedgerSettings, now: Timestamp) -> KeyState {
        if self.retired {
            KeyState::Retired
        } else if self.rests_until().is_some_and(|until| now < until) {
            KeyState::Paused
        } else if self.limit.is_none() || now >= self.reset_at {
            KeyState::Stale
        } else if now >= before(self.reset_at, settings.edge()) {
            KeyState::Edge
        } else {
            KeyState::Open
        }
    }

    /// When the key has rested long enough, by hand or by the upstream's word.
    pub fn rests_until(&self) -> Option<Timestamp> {
        self.paused_until.max(self.refused_until)
    }

    /// Why the key rests, if that is the upstream's word and no longer pause by hand outlasts it.
    pub(super) fn refusal(&self, now: Timestamp) -> Option<Refusal> {
        let resting = self.refused_until > Some(now) && self.refused_until >= self.paused_until;
        resting.then_some(self.refused_for)
    }

    /// Rests the key, unless it was refused for longer already.
    pub(super) fn refuse(&mut self, until: Timestamp, why: Refusal) {
        if self.refused_until < Some(until) {
            (self.refused_until, self.refused_for) = (Some(until), why);
        }
    }

    /// All that is on loan.
    pub fn held(&self) -> Points {
        self.holds.held()
    }

    /// On loan to calls that are over.
    pub fn unconfirmed(&self) -> Points {
        self.holds.unconfirmed()
    }

    /// Calls that still run.
    pub fn in_flight(&self) -> u64 {
        self.holds.in_flight()
    }

    /// What may still be lent in this window, whatever the key's state: to everybody, or with `priority` with the
    /// reserve.
    pub fn free(&self, settings: &LedgerSettings, priority: bool, now: Timestamp) -> Points {
        let lendable = self.limit.unwrap_or_default().saturating_sub(settings.guard);
        let free = lendable.saturating_sub(self.spent).saturating_sub(self.held());
        if priority { free } else { free.saturating_sub(self.reserve(settings, now)) }
    }

    /// What is kept for priority asks now.
    pub(super) fn reserve(&self, settings: &LedgerSettings, now: Timestamp) -> Points {
        if now >= before(self.reset_at, settings.release()) {
            return Points::ZERO;
        }
        settings.reserve.min(Points::from_micros(self.limit.unwrap_or_default().micros() / 10))
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Ends the holds of callers that did not come back: their calls are over, and may have been billed.
    pub(super) fn end_expired(&mut self, now: Timestamp) -> Vec<u64> {
        let mut expired = Vec::new();
        while let Some(sequence) = self.holds.first_expired(now) {
            self.mark_unconfirmed(sequence);
            expired.push(sequence);
        }
        expired
    }

    /// Says whether there was such a hold of a running call.
    pub(super) fn mark_unconfirmed(&mut self, sequence: u64) -> bool {
        let ended = self.sequence + 1;
        let known = self.holds.end(sequence, ended);
        if known {
            self.sequence = ended;
        }
        known
    }

    /// Takes in a reading whose request started at sequence number `started`. Answers the holds that it confirms,
    /// and the window that it closes.
    pub(super) fn observe(
        &mut self,
        reading: &Reading,
        started: u64,
        settings: &LedgerSettings,
    ) -> (Vec<u64>, Option<WindowRecord>) {
        let half = settings.window / 2;
        let first = self.limit.is_none();
        if !first && reading.reset_at() < before(self.reset_at, half) {
            // An answer from the window before: true, but about points that are gone.
            return (Vec::new(), None);
        }
        let mut closed = None;
        if first || reading.reset_at() > after(self.reset_at, half) {
            closed = (!first).then(|| self.close_window());
            self.window += 1;
            self.spent = reading.spent;
            self.reset_at = reading.reset_at();
            self.refused_until = None;
        } else {
            self.spent = self.spent.max(reading.spent);
            self.reset_at = self.better_reset(reading);
        }
        self.limit = Some(reading.limit);
        (self.holds.confirm(started), closed)
    }

    /// Within one window the earliest estimate is the best: each is late by its own round trip. Unless it has
    /// passed and the window goes on, which the upstream knows better.
    fn better_reset(&self, reading: &Reading) -> Timestamp {
        if self.reset_at > reading.received_at {
            return self.reset_at.min(reading.reset_at());
        }
        reading.reset_at().max(after(reading.received_at, Duration::from_secs(1)))
    }

    fn close_window(&self) -> WindowRecord {
        let limit = self.limit.unwrap_or_default();
        WindowRecord {
            window: self.window,
            reset_at: self.reset_at,
            limit,
            spent: self.spent,
            unconfirmed: self.held(),
            expired: limit.saturating_sub(self.spent),
            overspent: self.spent.saturating_sub(limit),
        }
    }
}
