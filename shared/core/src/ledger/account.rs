//! One key's account.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::window::RESET_MARGIN;
use super::{Alone, Costs, Doubt, Holds, LedgerSettings, Refusal};
use crate::clock::{after, before, is_pending, is_too_far};
use crate::points::Points;

/// A key whose credentials are not accepted is tried again after an hour, however long the word was to wait.
const LONGEST_CREDENTIALS_REST: Duration = Duration::from_secs(60 * 60);

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
    /// What was read last does not agree with what was known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Doubt>,
    /// What the last reading called the limit, as long as no second one has said the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_doubt: Option<Points>,
    /// Whether two readings in a row have ever told the same limit. Those of earlier versions were believed at once.
    #[serde(default = "believed")]
    pub limit_agreed: bool,
    /// The sequence number at which the newest reading was taken in.
    #[serde(default)]
    pub read_at: u64,
    /// How many seconds the window had to go by that reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_resets_in: Option<u64>,
    /// Claimed readings in a row that have confirmed nothing.
    #[serde(default)]
    pub idle_readings: u32,
    /// After those nobody reads the counter before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_not_before: Option<Timestamp>,
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
    /// It was never read, its window is over, or what is known of it is in doubt: it must be read before it lends.
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

    /// Whether the key can lend now.
    pub fn state(&self, settings: &LedgerSettings, now: Timestamp) -> KeyState {
        if self.retired {
            KeyState::Retired
        } else if self.rests_until(settings, now).is_some() {
            KeyState::Paused
        } else if self.is_stale(settings, now) {
            KeyState::Stale
        } else if now >= before(self.reset_at, settings.edge()) {
            KeyState::Edge
        } else {
            KeyState::Open
        }
    }

    /// Until when the key rests, by hand or by the upstream's word; `None` when it does not.
    pub fn rests_until(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until).max(self.refused_until(settings, now))
    }

    /// Until when the key rests by the upstream's word, if that is no longer than any rest may be.
    fn refused_until(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        let longest = self.furthest_rest(settings);
        self.refused_until.filter(|until| is_pending(*until, longest, now))
    }

    /// No rest by the upstream's word ends further ahead, whatever the clock of another process shows.
    fn furthest_rest(&self, settings: &LedgerSettings) -> Duration {
        longest_rest(self.refused_for, settings) + RESET_MARGIN
    }

    /// Why the key rests, if that is the upstream's word and no longer pause by hand outlasts it.
    pub(super) fn refusal(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Refusal> {
        let until = self.refused_until(settings, now)?;
        (Some(until) >= self.paused_until).then_some(self.refused_for)
    }

    /// Rests the key, unless it was refused for longer already. No word of the upstream rests it for longer than a window
    /// if it is about points, or than an hour if it is about credentials.
    pub(super) fn refuse(&mut self, until: Timestamp, why: Refusal, settings: &LedgerSettings, now: Timestamp) {
        let until = until.min(after(now, longest_rest(why, settings)));
        if self.refused_until(settings, now) < Some(until) {
            (self.refused_until, self.refused_for) = (Some(until), why);
        }
    }

    /// All that is on loan.
    pub fn held(&self) -> Points {
        self.holds.held()
    }

    /// On loan to calls that are over: those that a reading would confirm, and lost ones that may still be billed.
    pub fn unconfirmed(&self) -> Points {
        self.holds.unconfirmed().saturating_add(self.holds.lost())
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

    /// Forgets a rest by the upstream's word that is longer than any: it was begun by a clock that was ahead. Says whether
    /// there was one.
    pub(super) fn end_false_rest(&mut self, settings: &LedgerSettings, now: Timestamp) -> bool {
        let longest = self.furthest_rest(settings);
        self.refused_until.take_if(|until| is_too_far(*until, longest, now)).is_some()
    }

    /// Ends the holds of callers that did not come back, and of lost calls that can no longer be billed. Returns what has
    /// changed.
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

    /// A call ended without an answer, and may be billed for a while. Says whether it was a running one.
    pub(super) fn mark_lost(&mut self, sequence: u64, settings: &LedgerSettings, now: Timestamp) -> bool {
        if settings.grace.is_zero() {
            return self.mark_unconfirmed(sequence);
        }
        self.holds.lose(sequence, after(now, settings.grace))
    }

    /// A call is over and can no longer be billed. Says whether it was not known to be.
    pub(super) fn mark_unconfirmed(&mut self, sequence: u64) -> bool {
        let ended = self.sequence + 1;
        let known = self.holds.end(sequence, ended);
        if known {
            self.sequence = ended;
        }
        known
    }
}

fn believed() -> bool {
    true
}

/// The longest that a key rests by the upstream's word.
fn longest_rest(why: Refusal, settings: &LedgerSettings) -> Duration {
    match why {
        Refusal::Points => settings.window,
        Refusal::Credentials => settings.window.max(LONGEST_CREDENTIALS_REST),
    }
}
