//! How often a key is read: as often as readings bring something, and ever more rarely when they do not.

use std::time::Duration;

use jiff::Timestamp;

use super::{Account, KeyState, LedgerSettings};
use crate::clock::{after, is_pending};
use crate::points::Points;

/// So many readings in a row may confirm nothing before the key has to wait for the next: a second one for what is in
/// doubt, and one that failed.
const AT_ONCE: u32 = 2;

/// The first such wait; it doubles with each further reading, up to `LONGEST_PAUSE` or a tenth of a window, so that right
/// answers restore a key within its window.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known of a key, as far as a reading can better it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Knowledge {
    open: bool,
    limit_doubt: Option<Points>,
    unconfirmed: Points,
}

impl Account {
    pub(super) fn knowledge(&self, settings: &LedgerSettings, now: Timestamp) -> Knowledge {
        let open = self.state(settings, now) == KeyState::Open;
        Knowledge { open, limit_doubt: self.limit_doubt, unconfirmed: self.holds.unconfirmed() }
    }

    /// Counts a claimed reading by what it has bettered since `before`. One that confirms calls starts the count anew: calls
    /// are paid for. One after which the key lends, or its limit is sure, lets the next be made at once, and no more.
    pub(super) fn count_reading(&mut self, before: Knowledge, settings: &LedgerSettings, now: Timestamp) {
        let known = self.knowledge(settings, now);
        let opened = known.open && !before.open;
        let sure = known.limit_doubt.is_none() && before.limit_doubt.is_some();
        if known.unconfirmed < before.unconfirmed {
            (self.idle_readings, self.read_not_before) = (0, None);
            return;
        }
        // A key that lends is read again only when calls have ended since.
        if opened || sure || (known.open && known.limit_doubt.is_none()) {
            (self.idle_readings, self.read_not_before) = (self.idle_readings.min(AT_ONCE), None);
            return;
        }
        self.idle_readings = self.idle_readings.saturating_add(1);
        if let Some(times) = self.idle_readings.checked_sub(AT_ONCE + 1) {
            let pause = FIRST_PAUSE.saturating_mul(1 << times.min(16)).min(longest_pause(settings));
            self.read_not_before = Some(after(now, pause));
        }
    }

    /// Until when the key is not to be read, if it is not.
    pub(super) fn read_not_before(&self, settings: &LedgerSettings, now: Timestamp) -> Option<Timestamp> {
        self.read_not_before.filter(|until| is_pending(*until, longest_pause(settings), now))
    }

    /// Whether nobody reads the key, and it may be read again. A claim that lasts longer than the `lease` that is asked for
    /// by twice was granted by a clock that was ahead, and has lapsed.
    pub(super) fn may_be_read(&self, lease: Duration, settings: &LedgerSettings, now: Timestamp) -> bool {
        let longest = lease.saturating_mul(2).max(LONGEST_PAUSE);
        let is_read = self.reading_until.is_some_and(|until| is_pending(until, longest, now));
        !is_read && self.read_not_before(settings, now).is_none()
    }

    /// Whether a caller reads the counter at this moment.
    pub(super) fn is_being_read(&self, now: Timestamp) -> bool {
        self.reading_until.is_some_and(|until| now < until)
    }
}

fn longest_pause(settings: &LedgerSettings) -> Duration {
    (settings.window / 10).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}
