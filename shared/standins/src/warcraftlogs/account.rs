//! A key's points: fixed windows, charged at the arrival of a request.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::points::Points;

use super::counters::{KeyCounters, WindowCounters};
use super::options::{Options, StandinKey};

/// One key, with its current window and the windows before.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) key: StandinKey,
    /// When window 0 begins.
    origin: Timestamp,
    window: Duration,
    /// How long after the announced reset a call is still billed to the old window.
    lag: Duration,
    windows: Vec<WindowCounters>,
}

/// The values of `rateLimitData`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) limit: Points,
    pub(crate) spent: Points,
    pub(crate) reset_in: u64,
}

const MICROS_PER_SECOND: u64 = 1_000_000;

impl Account {
    pub(crate) fn new(key: StandinKey, options: &Options) -> Account {
        let origin = after(options.started, key.phase);
        Account { key, origin, window: options.window, lag: options.reset_lag, windows: Vec::new() }
    }

    /// Returns the points spent before the current call.
    pub(crate) fn rates(&mut self, now: Timestamp) -> Rates {
        let window = *self.current(now);
        let left = window.reset.as_microsecond() - now.as_microsecond();
        let reset_in = u64::try_from(left).unwrap_or(0).div_ceil(MICROS_PER_SECOND);
        Rates { limit: window.limit, spent: window.charged, reset_in }
    }

    /// Returns whether a call may still be made, and counts it as refused if not.
    pub(crate) fn admit(&mut self, now: Timestamp) -> bool {
        let window = self.current(now);
        let admitted = window.charged < window.limit;
        window.refused += u64::from(!admitted);
        admitted
    }

    /// Charges an admitted call, whatever it costs.
    pub(crate) fn charge(&mut self, now: Timestamp, cost: Points) {
        let window = self.current(now);
        window.calls += 1;
        window.charged = window.charged.saturating_add(cost);
        window.overspent = window.charged.saturating_sub(window.limit);
    }

    pub(crate) fn counters(&self) -> KeyCounters {
        KeyCounters { id: self.key.id.clone(), windows: self.windows.clone() }
    }

    pub(crate) fn windows(&self) -> &[WindowCounters] {
        &self.windows
    }

    /// Returns the window that a call at `now` is billed to.
    fn current(&mut self, now: Timestamp) -> &mut WindowCounters {
        let start = self.start_at(before(now, self.lag));
        if self.windows.last().is_none_or(|window| window.start < start) {
            self.windows.push(WindowCounters {
                start,
                reset: after(start, self.window),
                limit: self.key.limit,
                charged: Points::ZERO,
                overspent: Points::ZERO,
                refused: 0,
                calls: 0,
            });
        }
        // Never empty: a window was pushed above if there was none.
        let last = self.windows.len() - 1;
        &mut self.windows[last]
    }

    fn start_at(&self, now: Timestamp) -> Timestamp {
        let length = i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let into = (now.as_microsecond() - self.origin.as_microsecond()).rem_euclid(length);
        Timestamp::from_microsecond(now.as_microsecond() - into).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn account(lag: Duration) -> Account {
        let key = StandinKey {
            id: "key".to_owned(),
            secret: "secret".to_owned(),
            limit: Points::whole(10),
            phase: Duration::from_secs(600),
        };
        Account::new(key, &Options { reset_lag: lag, ..Options::default() })
    }

    fn at(seconds: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    #[test]
    fn a_window_begins_at_its_phase() {
        let mut account = account(Duration::ZERO);
        assert_eq!(account.rates(at(0)).reset_in, 600);
        assert_eq!(account.rates(at(599)).reset_in, 1);
        assert_eq!(account.rates(at(600)).reset_in, 3600);
        assert_eq!(account.rates(after(at(600), SECOND / 2)).reset_in, 3600);
        assert_eq!(account.rates(at(601)).reset_in, 3599);
        assert_eq!(account.windows().len(), 2);
    }

    #[test]
    fn the_last_call_may_overshoot_and_the_next_is_refused() {
        let mut account = account(Duration::ZERO);
        account.charge(at(1), Points::whole(9));
        assert!(account.admit(at(2)));
        account.charge(at(2), Points::whole(4));
        assert!(!account.admit(at(3)));
        assert_eq!((account.windows()[0].overspent, account.windows()[0].refused), (Points::whole(3), 1));
        assert!(account.admit(at(600)));
        assert_eq!(account.rates(at(600)).spent, Points::ZERO);
    }

    #[test]
    fn a_call_within_the_lag_is_billed_to_the_old_window() {
        let mut account = account(SECOND * 2);
        account.charge(at(599), Points::whole(10));
        assert!(!account.admit(at(601)));
        assert_eq!(account.rates(at(601)).reset_in, 0);
        assert!(account.admit(at(602)));
    }
}
