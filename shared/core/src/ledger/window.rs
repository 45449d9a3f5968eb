//! Windows as readings show them: which window a reading is about, and what is known after it.
//!
//! # Clocks and windows
//! The upstream says how long a window will still last, never which window it is. An account stores the end of its
//! window by the clock of the process that read it, and clocks jump. A reading is therefore judged by facts that do not
//! depend on a clock, if it is *newer*: its request started after the last reading was applied, according to the
//! ledger's sequence numbers.
//! * Within a window the counter does not fall, and the time to the reset does not grow. A newer reading that says
//!   otherwise is from a later window.
//! * A newer reading of the same window has the better estimate of the reset, whatever was known before.
//!
//! # Doubt
//! A window that begins before the last one was due to end is suspicious: a clock has jumped, or an answer was wrong.
//! What the reading says is stored, but the key is *stale* until another reading agrees. A wrong answer thus costs
//! readings, but never grants points by itself. The reset is never assumed to be further away than a window is long.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Account, LedgerSettings, Reading, WindowRecord};
use crate::clock::{after, before, is_too_far};
use crate::points::Points;

/// The time after our estimate of the reset until the upstream's reset is sure to have passed too: it counts in whole
/// seconds.
pub(super) const RESET_MARGIN: Duration = Duration::from_secs(1);

/// How much further ahead an instant may be than expected, because the upstream rounds up to a second and the clocks of
/// processes differ a little.
pub(super) const FAR_MARGIN: Duration = Duration::from_secs(2);

/// The sequence number of a reading that was made without a claim.
const UNCLAIMED: u64 = 0;

/// Why a key must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A reading contradicted the known window.
    Window,
    /// The window's end is further away than a window is long: a clock has jumped.
    Reset,
    /// The limit has changed. The lower one applies until a second reading gives the same.
    Limit,
}

impl Account {
    /// Returns what is in doubt about the key, if anything.
    pub fn doubt(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Doubt> {
        let far = self.limit.is_some() && is_too_far(self.reset_at, settings.window + FAR_MARGIN, now);
        let limit = self.limit_doubt.filter(|_| self.limit_agreed).map(|_| Doubt::Limit);
        far.then_some(Doubt::Reset).or(self.doubted).or(limit)
    }

    /// Returns whether the key must be read before it grants points: its window is over or not known for sure.
    pub(super) fn is_stale(&self, settings: &LedgerSettings, now: Timestamp) -> bool {
        let doubt = self.doubt(settings, now).is_some_and(|doubt| doubt != Doubt::Limit);
        self.limit.is_none() || now >= self.reset_at || doubt
    }

    /// Applies a reading whose request started at sequence number `started`. 0 means that no caller had claimed the
    /// reading, as with the probe of an upstream that was down: it was sent a moment ago, perhaps while other requests
    /// were in flight, and confirms nothing. Returns the holds that it confirms and the record of the window that it
    /// closes.
    pub(super) fn observe(
        &mut self,
        reading: &Reading,
        started: u64,
        settings: &LedgerSettings,
    ) -> (Vec<u64>, Option<WindowRecord>) {
        let reading = Reading { resets_in: reading.resets_in.min(settings.window), ..*reading };
        let half = settings.window / 2;
        let newer = started > self.read_at;
        let due = reading.received_at >= before(self.reset_at, settings.edge());
        let behind = reading.reset_at() < before(self.reset_at, half);
        let ahead = reading.reset_at() > after(self.reset_at, half);
        let closed = if self.limit.is_none() {
            self.open_window(&reading);
            None
        } else if !newer {
            if behind {
                // An answer from the previous window: true, but about points that are gone.
                return (Vec::new(), None);
            }
            self.apply_late_reading(&reading, ahead, started == UNCLAIMED && due)
        } else {
            if self.is_of_a_later_window(&reading, settings) || (ahead && due) {
                let closed = self.close_window();
                self.open_window(&reading);
                self.doubted = (!due).then_some(Doubt::Window);
                Some(closed)
            } else {
                self.spent = self.spent.max(reading.spent);
                self.reset_at = if behind || ahead { reading.reset_at() } else { self.better_reset(&reading) };
                self.doubted = None;
                None
            }
        };
        self.apply_limit(reading.limit, newer || started == UNCLAIMED);
        if newer || closed.is_some() {
            self.note(&reading);
        }
        (self.holds.confirm(started), closed)
    }

    /// Applies a reading whose request may have started before another reading was applied. It may be the first of a
    /// new window. If a clock has jumped it only looks like that, so another reading must agree unless it is `fresh`.
    fn apply_late_reading(&mut self, reading: &Reading, ahead: bool, fresh: bool) -> Option<WindowRecord> {
        if ahead {
            let closed = self.close_window();
            self.open_window(reading);
            self.doubted = (!fresh).then_some(Doubt::Window);
            return Some(closed);
        }
        if reading.spent > self.spent {
            // Responses can arrive out of order: a request that started before this moment may carry an older counter.
            self.spent = reading.spent;
            self.read_at = self.sequence;
        }
        // Only a newer reading can tell whether a window goes on beyond its estimated end.
        if self.reset_at > reading.received_at {
            self.reset_at = self.reset_at.min(reading.reset_at());
        }
        None
    }

    /// Keeps what later readings are compared with. Their requests must have started after this moment.
    fn note(&mut self, reading: &Reading) {
        self.read_at = self.sequence;
        self.read_resets_in = Some(reading.resets_in.as_secs());
    }

    /// Returns whether a newer reading shows, independently of any clock, that the window is a later one than the one
    /// read last.
    fn is_of_a_later_window(&self, reading: &Reading, settings: &LedgerSettings) -> bool {
        let slack = (settings.window / 10).as_secs().max(2);
        let grown = self.read_resets_in.is_some_and(|seconds| reading.resets_in.as_secs() > seconds + slack);
        reading.spent < self.spent || grown
    }

    /// Within one window the earliest estimate is the best, because each is late by its own round trip. If the estimate
    /// has passed and the window goes on, the upstream's new value is used.
    fn better_reset(&self, reading: &Reading) -> Timestamp {
        if self.reset_at > reading.received_at {
            return self.reset_at.min(reading.reset_at());
        }
        reading.reset_at().max(after(reading.received_at, Duration::from_secs(1)))
    }

    fn open_window(&mut self, reading: &Reading) {
        self.window += 1;
        self.spent = reading.spent;
        self.reset_at = reading.reset_at();
        self.refused_until = None;
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

    /// Applies a limit that differs: a lower one at once, a higher one when a second reading gives the same.
    fn apply_limit(&mut self, limit: Points, newer: bool) {
        let known = self.limit.unwrap_or(limit);
        let first = self.limit.is_none();
        if newer && self.limit_doubt == Some(limit) {
            (self.limit, self.limit_doubt, self.limit_agreed) = (Some(limit), None, true);
        } else if first || known != limit || self.limit_doubt.is_some() {
            (self.limit, self.limit_doubt) = (Some(known.min(limit)), Some(limit));
        }
    }
}
