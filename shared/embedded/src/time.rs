//! Times in columns: whole milliseconds, rounded so that nothing happens early.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after, to_millis};

/// Returns the current time, rounded down to a millisecond.
pub(crate) fn now_millis(clock: &dyn Clock) -> i64 {
    to_millis(clock.now())
}

/// Returns a deadline, rounded up to a millisecond.
pub(crate) fn deadline_millis(deadline: Timestamp) -> i64 {
    let part_of_a_millisecond = deadline.subsec_nanosecond() % 1_000_000 > 0;
    to_millis(deadline).saturating_add(i64::from(part_of_a_millisecond))
}

/// Returns the deadline `duration` from now, rounded up to a millisecond.
pub(crate) fn millis_after(clock: &dyn Clock, duration: Duration) -> i64 {
    deadline_millis(after(clock.now(), duration))
}
