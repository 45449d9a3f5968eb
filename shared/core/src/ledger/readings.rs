//! How often a key is read: without delay while readings confirm something, and ever less often when they do not.

use std::time::Duration;

use jiff::Timestamp;

use super::{Account, KeyState, LedgerSettings};
use crate::clock::{after, is_pending};
use crate::points::Points;

/// How many readings in a row may confirm nothing before the next one must wait: one that failed, and a second one for
/// a value in doubt.
const READINGS_WITHOUT_WAIT: u32 = 2;

/// The first such wait. It doubles with each further reading, up to `LONGEST_PAUSE` or a tenth of a window, so that
/// correct answers restore a key within its window.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known of a key, as far as a reading can improve it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadingState {
    open: bool,
    limit_doubt: Option<Points>,
    unconfirmed: Points,
}

impl Account {
    pub(super) fn reading_state(&self, settings: &LedgerSettings, now: Timestamp) -> ReadingState {
        let open = self.state(settings, now) == KeyState::Open;
        ReadingState { open, limit_doubt: self.limit_doubt, unconfirmed: self.holds.unconfirmed() }
    }

    /// Counts a claimed reading by what it has improved since `before`. A reading that confirms calls resets the count,
    /// because calls are paid for. A reading that opens the key or settles its limit lets the next one be made at once,
    /// and no more.
    pub(super) fn count_reading(&mut self, before: ReadingState, settings: &LedgerSettings, now: Timestamp) {
        let known = self.reading_state(settings, now);
        let opened = known.open && !before.open;
        let sure = known.limit_doubt.is_none() && before.limit_doubt.is_some();
        if known.unconfirmed < before.unconfirmed {
            (self.idle_readings, self.read_not_before) = (0, None);
            return;
        }
        // An open key is read again only when calls have ended since.
        if opened || sure || (known.open && known.limit_doubt.is_none()) {
            (self.idle_readings, self.read_not_before) = (self.idle_readings.min(READINGS_WITHOUT_WAIT), None);
            return;
        }
        self.idle_readings = self.idle_readings.saturating_add(1);
        if let Some(times) = self.idle_readings.checked_sub(READINGS_WITHOUT_WAIT + 1) {
            let pause = FIRST_PAUSE.saturating_mul(1 << times.min(16)).min(longest_pause(settings));
            self.read_not_before = Some(after(now, pause));
        }
    }

    /// Returns when the key may be read again, or `None` if it may be read now.
    pub(super) fn read_not_before(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        self.read_not_before.filter(|until| is_pending(*until, longest_pause(settings), now))
    }

    /// Returns whether the key may be read: no caller is reading it, and it need not wait. A claim that lasts longer
    /// than twice the requested `lease` was granted by a clock that was ahead, and has lapsed.
    pub(super) fn may_be_read(&self, lease: Duration, settings: &LedgerSettings, now: Timestamp) -> bool {
        let longest = lease.saturating_mul(2).max(LONGEST_PAUSE);
        let is_read = self.reading_until.is_some_and(|until| is_pending(until, longest, now));
        !is_read && self.read_not_before(settings, now).is_none()
    }

    /// Returns whether a caller is reading the counter now.
    pub(super) fn is_being_read(&self, now: Timestamp) -> bool {
        self.reading_until.is_some_and(|until| now < until)
    }
}

fn longest_pause(settings: &LedgerSettings) -> Duration {
    (settings.window / 10).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}
