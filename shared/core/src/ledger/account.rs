//! The account of one key.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::window::RESET_MARGIN;
use super::{Costs, Doubt, Holds, KeyRefusal, LedgerSettings, SoleCall};
use crate::clock::{after, before, is_pending, is_too_far};
use crate::points::Points;

/// A key whose credentials were refused is tried again after an hour (or a window, if that is longer) at the latest,
/// however long the refusal asked it to wait.
const LONGEST_CREDENTIALS_REST: Duration = Duration::from_secs(60 * 60);

/// The account of one key: a record that a store keeps as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Points per window. `None` until the key is read: an unread key grants nothing.
    pub limit: Option<Points>,
    /// The highest counter read in this window.
    pub spent: Points,
    /// When the window ends, according to the upstream.
    pub reset_at: Timestamp,
    /// How many windows were seen, including this one.
    pub window: u64,
    /// Incremented at each change. Identifies holds, and orders events.
    pub sequence: u64,
    /// Paused by hand: no grants before this instant. Outlives the window.
    pub paused_until: Option<Timestamp>,
    /// Refused by the upstream: no grants before this instant. Ends with the window.
    #[serde(default)]
    pub refused_until: Option<Timestamp>,
    /// Why it was refused. Older records have no reason; there was only [`KeyRefusal::Points`] then.
    #[serde(default)]
    pub refused_for: KeyRefusal,
    /// Whether the key is no longer in the settings. It grants nothing, but its holds and its history stay.
    pub retired: bool,
    /// When the claim to read the counter ends, if a caller holds one.
    pub reading_until: Option<Timestamp>,
    /// Why the last reading does not agree with what was known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Doubt>,
    /// The limit of the last reading, until a second reading agrees with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_doubt: Option<Points>,
    /// Whether two readings in a row have ever given the same limit. In records of earlier versions this is true,
    /// because they accepted a limit at once.
    #[serde(default = "agreed_by_default")]
    pub limit_agreed: bool,
    /// The sequence number at which the newest reading was applied.
    #[serde(default)]
    pub read_at: u64,
    /// The seconds to the end of the window according to that reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_resets_in: Option<u64>,
    /// How many claimed readings in a row have confirmed nothing.
    #[serde(default)]
    pub idle_readings: u32,
    /// When the counter may be read again, after too many such readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_not_before: Option<Timestamp>,
    /// How many calls the upstream has ever refused for lack of points.
    pub refused: u64,
    /// The last granted call, if no other call was in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<SoleCall>,
    /// A call that was alone, and whose charge the next reading will show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<SoleCall>,
    /// What calls with this key have cost.
    #[serde(default)]
    pub costs: Costs,
    /// The holds by sequence number. Stored beside the record, one by one.
    #[serde(skip)]
    pub holds: Holds,
}

/// The record of a window that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Its number among the key's windows, from 1.
    pub window: u64,
    /// When it ended.
    pub reset_at: Timestamp,
    /// Its points.
    pub limit: Points,
    /// The highest counter read.
    pub spent: Points,
    /// The amount held at the end by calls whose charge no reading has shown: `spent` may be too low by up to this
    /// much.
    pub unconfirmed: Points,
    /// Points that were never spent.
    pub expired: Points,
    /// Spent beyond the limit.
    pub overspent: Points,
}

/// Whether a key can grant points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It grants what is free.
    Open,
    /// Too close to the reset to start another call.
    Edge,
    /// It must be read before it grants points: it was never read, its window is over, or its record is in doubt.
    Stale,
    /// It rests, by hand or because the upstream refused it.
    Paused,
    /// It is no longer in the settings.
    Retired,
}

impl Account {
    /// Creates the account of a key that nothing is known of: it grants nothing until it is read. A store that cannot
    /// decode a record continues with this one, and sets `sequence` and `window` beyond every value that the key has
    /// used.
    pub fn unread() -> Account {
        Account {
            limit: None,
            spent: Points::ZERO,
            reset_at: Timestamp::UNIX_EPOCH,
            window: 0,
            sequence: 0,
            paused_until: None,
            refused_until: None,
            refused_for: KeyRefusal::Points,
            retired: false,
            reading_until: None,
            doubted: None,
            limit_doubt: None,
            limit_agreed: false,
            read_at: 0,
            read_resets_in: None,
            idle_readings: 0,
            read_not_before: None,
            refused: 0,
            alone: None,
            unpriced: None,
            costs: Costs::default(),
            holds: Holds::default(),
        }
    }

    /// Returns whether the key can grant points now.
    pub fn state(&self, settings: &LedgerSettings, now: Timestamp) -> KeyState {
        if self.retired {
            KeyState::Retired
        } else if self.resting_until(settings, now).is_some() {
            KeyState::Paused
        } else if self.is_stale(settings, now) {
            KeyState::Stale
        } else if now >= before(self.reset_at, settings.edge()) {
            KeyState::Edge
        } else {
            KeyState::Open
        }
    }

    /// Returns when the key's rest ends, whether it was set by hand or by the upstream. Returns `None` if it does not
    /// rest.
    pub fn resting_until(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until).max(self.refused_until(settings, now))
    }

    /// Returns when the upstream's refusal ends. A refusal longer than any rest may be is ignored.
    fn refused_until(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        let longest = self.furthest_rest(settings);
        self.refused_until.filter(|until| is_pending(*until, longest, now))
    }

    /// Returns the furthest that the end of a refusal may be ahead, whatever the clock of another process shows.
    fn furthest_rest(&self, settings: &LedgerSettings) -> Duration {
        longest_rest(self.refused_for, settings) + RESET_MARGIN
    }

    /// Returns why the key rests, if the upstream refused it and no pause by hand lasts longer.
    pub(super) fn refusal(&self, settings: &LedgerSettings, now: Timestamp) -> Option<KeyRefusal> {
        let until = self.refused_until(settings, now)?;
        (Some(until) >= self.paused_until).then_some(self.refused_for)
    }

    /// Rests the key, unless it was refused for longer already. A refusal for lack of points lasts at most one window,
    /// and a refusal of credentials at most an hour or one window, whichever is longer.
    pub(super) fn refuse(&mut self, until: Timestamp, why: KeyRefusal, settings: &LedgerSettings, now: Timestamp) {
        let until = until.min(after(now, longest_rest(why, settings)));
        if self.refused_until(settings, now) < Some(until) {
            (self.refused_until, self.refused_for) = (Some(until), why);
        }
    }

    /// Returns the sum of all holds.
    pub fn held(&self) -> Points {
        self.holds.held()
    }

    /// Returns the amount held by calls that are over: calls that a reading would confirm, and lost calls that may
    /// still be billed.
    pub fn unconfirmed(&self) -> Points {
        self.holds.unconfirmed().saturating_add(self.holds.lost())
    }

    /// Returns the number of calls that are still running.
    pub fn in_flight(&self) -> u64 {
        self.holds.in_flight()
    }

    /// Returns how much this window can still grant, whatever the key's state. With `priority`, the reserve is
    /// included.
    pub fn free(&self, settings: &LedgerSettings, priority: bool, now: Timestamp) -> Points {
        let lendable = self.limit.unwrap_or_default().saturating_sub(settings.guard);
        let free = lendable.saturating_sub(self.spent).saturating_sub(self.held());
        if priority { free } else { free.saturating_sub(self.reserve(settings, now)) }
    }

    /// Returns the amount that is kept for priority asks now.
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

    /// Clears a refusal that is longer than any can be, because the clock that set it was ahead. Returns whether there
    /// was one.
    pub(super) fn clear_impossible_refusal(&mut self, settings: &LedgerSettings, now: Timestamp) -> bool {
        let longest = self.furthest_rest(settings);
        self.refused_until.take_if(|until| is_too_far(*until, longest, now)).is_some()
    }

    /// Ends the holds of callers that did not come back, and of lost calls that can no longer be billed. Returns the
    /// changed sequence numbers.
    pub(super) fn end_expired(&mut self, settings: &LedgerSettings, now: Timestamp) -> Vec<u64> {
        let mut changed = Vec::new();
        let latest = after(now, settings.longest_hold());
        while let Some(sequence) = self.holds.first_beyond(latest) {
            self.holds.expire_at(sequence, latest);
            changed.push(sequence);
        }
        while let Some((sequence, lost)) = self.holds.first_expired(now) {
            if lost {
                self.mark_unconfirmed(sequence);
            } else {
                self.mark_lost(sequence, settings, now);
            }
            changed.push(sequence);
        }
        changed
    }

    /// Marks a call that ended without an answer and may still be billed. Returns whether it was running.
    pub(super) fn mark_lost(&mut self, sequence: u64, settings: &LedgerSettings, now: Timestamp) -> bool {
        if settings.grace.is_zero() {
            return self.mark_unconfirmed(sequence);
        }
        self.holds.lose(sequence, after(now, settings.grace))
    }

    /// Marks a call as over: it can no longer be billed. Returns whether this was new.
    pub(super) fn mark_unconfirmed(&mut self, sequence: u64) -> bool {
        let ended = self.sequence + 1;
        let known = self.holds.end(sequence, ended);
        if known {
            self.sequence = ended;
        }
        known
    }
}

fn agreed_by_default() -> bool {
    true
}

/// Returns the longest that a refusal rests a key.
fn longest_rest(why: KeyRefusal, settings: &LedgerSettings) -> Duration {
    match why {
        KeyRefusal::Points => settings.window,
        KeyRefusal::Credentials => settings.window.max(LONGEST_CREDENTIALS_REST),
    }
}
