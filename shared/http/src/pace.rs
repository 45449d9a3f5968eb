//! The gate that all requests of one client pass: spaced by a minimum interval, and closed after a 429.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after, before, between, set_back_by};

/// What the gate has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaceCounts {
    /// Short rate-limit refusals that closed the gate.
    pub short_limits: u64,
    /// How often a request found the gate closed and had to wait.
    pub waits: u64,
    /// The sum of those waits.
    pub waited: Duration,
}

pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    /// The first instant that no request has taken yet.
    free_from: Timestamp,
    /// Until when the upstream asked this address to send nothing.
    closed_until: Timestamp,
    /// What the clock showed when this state was last used.
    looked_at: Timestamp,
    counts: PaceCounts,
}

/// A correction of the clock by less than this is ignored.
const SLACK: Duration = Duration::from_secs(1);

impl State {
    /// Moves the state back with a clock that was set back, so that the gate closes for no longer than intended.
    fn look(&mut self, now: Timestamp) {
        if let Some(back) = set_back_by(self.looked_at, now, SLACK) {
            self.free_from = before(self.free_from, back);
            self.closed_until = before(self.closed_until, back);
        }
        self.looked_at = now;
    }
}

impl Pace {
    pub(crate) fn new(clock: Arc<dyn Clock>, interval: Duration) -> Pace {
        let counts = PaceCounts::default();
        let [free_from, closed_until, looked_at] = [Timestamp::MIN; 3];
        let state = State { free_from, closed_until, looked_at, counts };
        Pace { clock, interval, state: Mutex::new(state) }
    }

    /// Completes when the caller may send. Turns are given in the order of the calls. A turn that is dropped while it
    /// waits leaves its interval unused, which is slower than necessary but never too fast.
    pub(crate) async fn turn(&self) {
        loop {
            let slot = self.take_slot();
            self.clock.sleep_until(slot).await;
            // While this caller slept, a 429 to another one may have closed the gate.
            if !self.is_closed() {
                return;
            }
        }
    }

    /// Closes the gate until `instant` for all callers: the upstream's second limit counts addresses, not keys.
    pub(crate) fn close_until(&self, instant: Timestamp) {
        let (mut state, _) = self.look();
        state.closed_until = state.closed_until.max(instant);
        state.counts.short_limits += 1;
    }

    /// Returns whether the upstream has asked this address to send nothing for now.
    pub(crate) fn is_closed(&self) -> bool {
        let (state, now) = self.look();
        state.closed_until > now
    }

    pub(crate) fn counts(&self) -> PaceCounts {
        self.lock().counts
    }

    fn take_slot(&self) -> Timestamp {
        let (mut state, now) = self.look();
        let closed_for = between(now, state.closed_until);
        if !closed_for.is_zero() {
            state.counts.waits += 1;
            state.counts.waited = state.counts.waited.saturating_add(closed_for);
        }
        let slot = now.max(state.free_from).max(state.closed_until);
        state.free_from = after(slot, self.interval);
        slot
    }

    /// Returns the state, adjusted to the current time of the clock, and that time.
    fn look(&self) -> (MutexGuard<'_, State>, Timestamp) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.look(now);
        (state, now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use stint_core::clock::ManualClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(interval: Duration) -> (ManualClock, Pace) {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        (clock.clone(), Pace::new(Arc::new(clock), interval))
    }

    #[test]
    fn turns_keep_the_interval() {
        let (clock, pace) = pace(SECOND);
        assert!(pace.turn().now_or_never().is_some());
        let mut second = Box::pin(pace.turn());
        let mut third = Box::pin(pace.turn());
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        clock.advance(SECOND);
        assert!((&mut second).now_or_never().is_some());
        assert!((&mut third).now_or_never().is_none());
        clock.advance(SECOND);
        assert!((&mut third).now_or_never().is_some());
        assert_eq!(pace.counts(), PaceCounts::default());
    }

    #[test]
    fn a_closed_gate_also_holds_callers_that_already_wait() {
        let (clock, pace) = pace(SECOND);
        assert!(pace.turn().now_or_never().is_some());
        let mut waiting = Box::pin(pace.turn());
        assert!((&mut waiting).now_or_never().is_none());
        pace.close_until(after(clock.now(), SECOND * 10));
        clock.advance(SECOND * 9);
        assert!((&mut waiting).now_or_never().is_none());
        clock.advance(SECOND);
        assert!((&mut waiting).now_or_never().is_some());
        assert_eq!(pace.counts(), PaceCounts { short_limits: 1, waits: 1, waited: SECOND });
    }

    #[test]
    fn a_clock_that_is_set_back_closes_nothing_for_longer() {
        let (clock, pace) = pace(SECOND);
        pace.close_until(after(clock.now(), SECOND * 10));
        let mut waiting = Box::pin(pace.turn());
        assert!((&mut waiting).now_or_never().is_none());
        clock.jump(jiff::SignedDuration::from_hours(-72));
        clock.advance(SECOND * 10);
        // It wakes, finds the gate closed by the clock's earlier time, and waits once more, for as long as was
        // intended.
        assert!((&mut waiting).now_or_never().is_none());
        clock.advance(SECOND * 11);
        assert!((&mut waiting).now_or_never().is_some());
        clock.advance(SECOND);
        assert!(pace.turn().now_or_never().is_some());
    }

    #[test]
    fn a_gate_that_closes_after_the_clock_was_set_back_stays_closed() {
        let (clock, pace) = pace(SECOND);
        assert!(pace.turn().now_or_never().is_some());
        clock.jump(jiff::SignedDuration::from_hours(-72));
        pace.close_until(after(clock.now(), SECOND * 10));
        let mut waiting = Box::pin(pace.turn());
        assert!((&mut waiting).now_or_never().is_none());
        clock.advance(SECOND * 9);
        assert!((&mut waiting).now_or_never().is_none());
        clock.advance(SECOND);
        assert!((&mut waiting).now_or_never().is_some());
    }

    #[test]
    fn a_closed_gate_reports_open_when_the_clock_is_set_back() {
        let (clock, pace) = pace(SECOND);
        pace.close_until(after(clock.now(), SECOND * 10));
        clock.advance(SECOND * 5);
        assert!(pace.is_closed());
        clock.jump(jiff::SignedDuration::from_hours(-72));
        assert!(pace.is_closed(), "it has five seconds to go");
        clock.advance(SECOND * 5);
        assert!(!pace.is_closed());
    }
}
