//! Time as a port: workers read the time from a clock, and only a clock waits.

mod set_back;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

pub use set_back::{is_pending, is_too_far, set_back_by};

/// Tells the time and waits.
///
/// Nothing else in the workspace reads the wall clock or sleeps. A test that injects a [`ManualClock`] therefore
/// controls time: a day of the fleet passes in milliseconds, and in the same way on each run.
pub trait Clock: Send + Sync {
    /// Returns the current time. Two calls may return the same instant. A machine's clock may be set while the fleet
    /// runs, or between two starts, so a later call may return an earlier instant. Code that keeps an instant longer
    /// than one call documents how it handles that, with [`set_back_by`] and [`is_pending`] where possible.
    fn now(&self) -> Timestamp;

    /// Completes once `now` has reached `deadline`, or at once if it already has. The length of the wait is fixed when
    /// this is called: a clock that is set meanwhile does not change it.
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()>;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep_until(after(self.now(), duration))
    }
}

/// Returns `start` plus `duration`, or the largest timestamp if that is out of range.
pub fn after(start: Timestamp, duration: Duration) -> Timestamp {
    start.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// Returns `start` minus `duration`, or the smallest timestamp if that is out of range.
pub fn before(start: Timestamp, duration: Duration) -> Timestamp {
    start.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

/// Returns the time from `start` to `end`, or zero if `end` is before `start`.
pub fn between(start: Timestamp, end: Timestamp) -> Duration {
    // Converting a negative difference would allocate an error, several times for each call to an upstream.
    if end <= start { Duration::ZERO } else { end.duration_since(start).unsigned_abs() }
}

/// Returns `timestamp` in whole milliseconds since the epoch, the unit in which every store keeps time.
pub fn to_millis(timestamp: Timestamp) -> i64 {
    timestamp.as_millisecond()
}

/// Returns the instant `millis` milliseconds after the epoch, clamped to the range of a timestamp.
pub fn from_millis(millis: i64) -> Timestamp {
    let end = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(end)
}

/// A clock that stands still until it is moved. Clones share the same time.
#[derive(Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

struct ManualState {
    /// The time that has passed, regardless of what the clock shows.
    passed: Timestamp,
    /// How far the clock is ahead of the passed time.
    ahead: SignedDuration,
    /// The waiting sleeps, ordered by deadline and then by registration, so that every run wakes them in the same
    /// order. A dropped sleep removes its entry, so that the clock is not advanced to an instant that no task waits
    /// for.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    registered: u64,
}

impl ManualState {
    /// Returns what the clock shows once `passed` is reached.
    fn shown(&self, passed: Timestamp) -> Timestamp {
        passed.checked_add(self.ahead).unwrap_or(if self.ahead.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// Returns the passed time at which the clock shows `shown`.
    fn passing(&self, shown: Timestamp) -> Timestamp {
        shown.checked_sub(self.ahead).unwrap_or(if self.ahead.is_negative() { Timestamp::MAX } else { Timestamp::MIN })
    }
}

impl ManualClock {
    /// Creates a clock that shows `now`.
    pub fn new(now: Timestamp) -> ManualClock {
        let (sleepers, registered) = (BTreeMap::new(), 0);
        let state = ManualState { passed: now, ahead: SignedDuration::ZERO, sleepers, registered };
        ManualClock { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves time forward by `duration` and wakes every sleeper whose deadline is reached.
    pub fn advance(&self, duration: Duration) {
        let target = after(self.now(), duration);
        self.advance_to(target);
    }

    /// Moves time to `target` (never backwards) and wakes every sleeper whose deadline is reached.
    pub fn advance_to(&self, target: Timestamp) {
        let target = self.lock().passing(target);
        self.steady().advance_to(target);
    }

    /// Sets the clock forward or back, as a person or a time server does. No time passes, and sleepers wait for as long
    /// as before.
    pub fn jump(&self, by: SignedDuration) {
        let mut state = self.lock();
        state.ahead = state.ahead.saturating_add(by);
    }

    /// Returns a view of this clock without its jumps: the clock of another machine, which was never set.
    pub fn steady(&self) -> SteadyClock {
        SteadyClock(self.clone())
    }

    /// Returns the next sleeper's deadline, or `None` if no task sleeps.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let state = self.lock();
        state.sleepers.first_key_value().map(|((deadline, _), _)| state.shown(*deadline))
    }

    fn lock(&self) -> MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until_passed(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(ManualSleep { clock: self.clone(), deadline, registration: None })
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        state.shown(state.passed)
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let deadline = self.lock().passing(deadline);
        self.sleep_until_passed(deadline)
    }
}

/// A [`ManualClock`] without its jumps.
#[derive(Clone)]
pub struct SteadyClock(ManualClock);

impl SteadyClock {
    /// Lets time pass until `target` (never backwards) and wakes every sleeper whose deadline is reached.
    pub fn advance_to(&self, target: Timestamp) {
        let due = {
            let mut state = self.0.lock();
            state.passed = state.passed.max(target);
            let mut due = Vec::new();
            while let Some(sleeper) = state.sleepers.first_entry().filter(|sleeper| sleeper.key().0 <= target) {
                due.push(sleeper.remove());
            }
            due
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Returns the next sleeper's deadline, or `None` if no task sleeps.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.0.lock().sleepers.first_key_value().map(|((deadline, _), _)| *deadline)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.0.lock().passed
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        self.0.sleep_until_passed(deadline)
    }
}

/// A sleep until an instant of passed time.
struct ManualSleep {
    clock: ManualClock,
    deadline: Timestamp,
    registration: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.lock();
        if state.passed >= self.deadline {
            return Poll::Ready(());
        }
        let registration = self.registration.unwrap_or_else(|| {
            state.registered += 1;
            state.registered
        });
        self.registration = Some(registration);
        let earlier = state.sleepers.insert((self.deadline, registration), context.waker().clone());
        // A waker may own the task that it wakes, and that task may own other sleeps. Dropping it under the lock would
        // deadlock.
        drop(state);
        drop(earlier);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let Some(registration) = self.registration else { return };
        let waker = self.clock.lock().sleepers.remove(&(self.deadline, registration));
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_sleeper_wakes_when_time_reaches_it_and_not_before() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_secs(9));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.next_deadline(), Some(after(Timestamp::UNIX_EPOCH, Duration::from_secs(10))));
        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
    }

    #[test]
    fn a_dropped_sleep_is_waited_for_no_more() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let mut short = clock.sleep(Duration::from_secs(1));
        let mut long = clock.sleep(Duration::from_secs(2));
        assert!((&mut short).now_or_never().is_none());
        assert!((&mut long).now_or_never().is_none());
        drop(short);
        assert_eq!(clock.next_deadline(), Some(after(Timestamp::UNIX_EPOCH, Duration::from_secs(2))));
        drop(long);
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn time_never_goes_back() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        clock.advance_to(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), after(Timestamp::UNIX_EPOCH, Duration::from_secs(5)));
    }

    #[test]
    fn a_clock_that_is_set_lets_no_time_pass() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let mut sleep = clock.sleep(Duration::from_secs(10));
        for hours in [2, -5] {
            clock.jump(SignedDuration::from_hours(hours));
            assert!((&mut sleep).now_or_never().is_none());
        }
        assert_eq!(clock.now(), before(Timestamp::UNIX_EPOCH, Duration::from_secs(3 * 3_600)));
        assert_eq!(clock.steady().now(), Timestamp::UNIX_EPOCH);
        assert_eq!(clock.next_deadline(), Some(after(clock.now(), Duration::from_secs(10))));
        let beside = clock.steady().sleep(Duration::from_secs(10));
        clock.advance(Duration::from_secs(10));
        assert!((&mut sleep).now_or_never().is_some() && beside.now_or_never().is_some());
    }
}
