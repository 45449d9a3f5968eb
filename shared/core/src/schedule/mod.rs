//! Schedules: when a worker is started regularly.

mod hours;
mod slot;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::{from_millis, to_millis};

pub use hours::ActiveHours;
pub use slot::Slot;

/// A schedule: a period, and what else determines when it comes due. Built in a constant:
///
/// ```
/// # use std::time::Duration;
/// # use stint_core::schedule::{ActiveHours, Every};
/// const EVENING: ActiveHours = ActiveHours::new(18, 2, "America/New_York");
/// const SCHEDULE: Every = Every::new(Duration::from_secs(60)).aligned().at_start().within(EVENING);
/// ```
///
/// # If the host is down, or the clock is set
/// * A tick that came due while no host ran fires once when the next host starts, however many periods have passed. An
///   aligned tick then has the time of the newest slot that has begun. The same applies to a slot that begins while the
///   worker still runs for an earlier one.
/// * The clock is set ahead: this looks like a pause of the host.
/// * The clock is set back: an unaligned schedule keeps the time it had left. An aligned slot that has fired is not
///   fired again, unless the clock shows a time more than one period before the newest slot that has fired. In that case
///   the schedule goes on with the next slot of the clock, because waiting until the clock has caught up could take
///   hours. A worker that stores something by slot therefore replaces it when a slot comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Every {
    period: Duration,
    aligned: bool,
    at_start: bool,
    hours: Option<ActiveHours>,
}

impl Every {
    /// Creates a schedule that comes due one period after it was first set, and every `period` after that.
    ///
    /// EventBridge Scheduler supports whole minutes only. Below a minute, a function is started once a minute and sends
    /// a message for each [`Slot`].
    pub const fn new(period: Duration) -> Every {
        Every { period, aligned: false, at_start: false, hours: None }
    }

    /// Returns the schedule with its ticks at multiples of the period since the Unix epoch, in UTC: with a period of a
    /// minute at every full minute, with a day at midnight. Such an instant is called a slot.
    #[must_use]
    pub const fn aligned(self) -> Every {
        Every { aligned: true, ..self }
    }

    /// Returns the schedule with one more tick each time a local host starts. The tick is a wake-up that the host stores
    /// when it starts and that the next start replaces: each start leads to one run, and several starts before that run
    /// lead to one run together. If the process exits during the run, the next start replaces the tick, or else it fires
    /// again after its lease. A run that fails is not repeated before the next tick. Functions have no start: there the
    /// first tick is that of the period.
    #[must_use]
    pub const fn at_start(self) -> Every {
        Every { at_start: true, ..self }
    }

    /// Returns the schedule with its ticks limited to `hours`. A tick outside these hours, including the one at the
    /// start, does nothing.
    #[must_use]
    pub const fn within(self, hours: ActiveHours) -> Every {
        Every { hours: Some(hours), ..self }
    }

    /// Returns the time between two ticks.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns whether ticks are at multiples of the period.
    pub const fn is_aligned(&self) -> bool {
        self.aligned
    }

    /// Returns whether a local host fires it when it starts.
    pub const fn fires_at_start(&self) -> bool {
        self.at_start
    }

    /// Returns the hours to which it is limited, if it is.
    pub const fn hours(&self) -> Option<ActiveHours> {
        self.hours
    }

    /// Returns whether a tick that was due at `due` and fires at `now` is to be run. An aligned tick counts by its slot,
    /// because it fires within a period of it. Any other tick counts by the time at which it fires, which may be long
    /// after it was due.
    pub fn is_active(&self, due: Timestamp, now: Timestamp) -> bool {
        let at = if self.aligned { due } else { now };
        self.hours.is_none_or(|hours| hours.contains(at))
    }
}

/// Returns the latest multiple of `period` since the Unix epoch that is not after `at`.
pub fn slot_at(period: Duration, at: Timestamp) -> Timestamp {
    from_millis(slot_at_millis(period_millis(period), to_millis(at)))
}

/// Returns the first multiple of `period` since the Unix epoch that is after `at`.
pub fn slot_after(period: Duration, at: Timestamp) -> Timestamp {
    from_millis(slot_after_millis(period_millis(period), to_millis(at)))
}

/// [`slot_at`] in milliseconds.
pub fn slot_at_millis(period: i64, at: i64) -> i64 {
    at.saturating_sub(at.rem_euclid(period.max(1)))
}

/// [`slot_after`] in milliseconds.
pub fn slot_after_millis(period: i64, at: i64) -> i64 {
    slot_at_millis(period, at).saturating_add(period.max(1))
}

/// Returns the slot that is due after `slot`, which has fired, when the clock shows `now`, in milliseconds. It may have
/// begun already. If the clock shows a time more than a period before `slot`, it is the next slot of the clock.
pub fn slot_following_millis(period: i64, slot: i64, now: i64) -> i64 {
    let is_far_back = now < slot.saturating_sub(period);
    slot_after_millis(period, if is_far_back { now } else { slot })
}

fn period_millis(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX)
}
