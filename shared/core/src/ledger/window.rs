//! Windows as readings show them: which window a reading is about, and what is known after it.
//!
//! # Clocks and windows
//! The upstream says how long a window lasts from now on, never which window it is. An account keeps the end of its window
//! by the clock of whoever read it, and clocks jump. So a reading is judged by what does not depend on a clock, if it is
//! *newer*: its request started after the last reading was taken in, by the ledger's sequence numbers.
//! * Within a window the counter does not fall, and the time to the reset does not grow. A newer reading that says
//!   otherwise is of a later window.
//! * A newer reading of the same window has the better reset, whatever was known before.
//!
//! # Doubt
//! A window that begins before the last one was to end is a surprise: a clock has jumped, or an answer was wrong. What the
//! reading says is kept, but the key is *stale* until another reading agrees. So a wrong answer costs readings, and no
//! wrong answer lends points by itself. The reset is never taken to be further away than a window is long.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Account, LedgerSettings, Reading, WindowRecord};
use crate::clock::{after, before, is_too_far};
use crate::points::Points;

/// After the reset by our estimate, until the upstream's is sure to have passed too: it counts in whole seconds.
pub(super) const RESET_MARGIN: Duration = Duration::from_secs(1);

/// By this much an instant may lie further ahead than it can: for the second that the upstream rounds up, and for processes
/// whose clocks differ a little.
pub(super) const FAR_MARGIN: Duration = Duration::from_secs(2);

/// The sequence number of a reading that was made without a claim.
const UNCLAIMED: u64 = 0;

/// Why what is known of a key must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A reading contradicted the window that was known.
    Window,
    /// The window's end is further away than a window is long: a clock has jumped.
    Reset,
    /// The limit is not what it was. Until a second reading says the same, the lower one counts.
    Limit,
}

impl Account {
    /// What is in doubt about the key, if anything.
    pub fn doubt(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Doubt> {
        let far = self.limit.is_some() && is_too_far(self.reset_at, settings.window + FAR_MARGIN, now);
        let limit = self.limit_doubt.filter(|_| self.limit_agreed).map(|_| Doubt::Limit);
        far.then_some(Doubt::Reset).or(self.doubted).or(limit)
    }

    /// Whether the key must be read before it lends: its window is over, or is not known for sure.
    pub(super) fn is_stale(&self, settings: &LedgerSettings, now: Timestamp) -> bool {
        let doubt = self.doubt(settings, now).is_some_and(|doubt| doubt != Doubt::Limit);
        self.limit.is_none() || now >= self.reset_at || doubt
    }

    /// Takes in a reading whose request started at sequence number `started`; at 0 if it was claimed by nobody, as the probe
    /// of an upstream that was down: it was sent a moment ago, perhaps beside others, and confirms nothing. Returns the
    /// holds that it confirms, and the window that it closes.
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
                // An answer from the window before: true, but about points that are gone.
                return (Vec::new(), None);
            }
            self.take_in_late(&reading, ahead, started == UNCLAIMED && due)
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
        self.take_limit(reading.limit, newer || started == UNCLAIMED);
        if newer || closed.is_some() {
            self.note(&reading);
        }
        (self.holds.confirm(started), closed)
    }

    /// A reading whose request may have started before another reading was taken in. It may be the first of a new window; if
    /// a clock has jumped it only looks like that, so another must agree unless it is `fresh`.
    fn take_in_late(&mut self, reading: &Reading, ahead: bool, fresh: bool) -> Option<WindowRecord> {
        if ahead {
            let closed = self.close_window();
            self.open_window(reading);
            self.doubted = (!fresh).then_some(Doubt::Window);
            return Some(closed);
        }
        if reading.spent > self.spent {
            // Answers overtake each other: what started before this moment may know less.
            self.spent = reading.spent;
            self.read_at = self.sequence;
        }
        // Whether a window outlives its estimate only a newer reading can tell.
        if self.reset_at > reading.received_at {
            self.reset_at = self.reset_at.min(reading.reset_at());
        }
        None
    }

    /// What a later reading is held against. Its request must have started after this moment.
    fn note(&mut self, reading: &Reading) {
        self.read_at = self.sequence;
        self.read_resets_in = Some(reading.resets_in.as_secs());
    }

    /// Whether a newer reading shows, whatever the clocks say, that the window is not the one that was read last.
    fn is_of_a_later_window(&self, reading: &Reading, settings: &LedgerSettings) -> bool {
        let slack = (settings.window / 10).as_secs().max(2);
        let grown = self.read_resets_in.is_some_and(|seconds| reading.resets_in.as_secs() > seconds + slack);
        reading.spent < self.spent || grown
    }

    /// Within one window the earliest estimate is the best: each is late by its own round trip. Unless it has
    /// passed and the window goes on, which the upstream knows better.
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

    /// A limit that differs counts at once if it is lower, and when a second reading says the same if it is higher.
    fn take_limit(&mut self, limit: Points, newer: bool) {
        let known = self.limit.unwrap_or(limit);
        let first = self.limit.is_none();
        if newer && self.limit_doubt == Some(limit) {
            (self.limit, self.limit_doubt, self.limit_agreed) = (Some(limit), None, true);
        } else if first || known != limit || self.limit_doubt.is_some() {
            (self.limit, self.limit_doubt) = (Some(known.min(limit)), Some(limit));
        }
    }
}
