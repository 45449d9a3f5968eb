//! A clock that was set back, as records tell that were written before: they lie further ahead than they can.

use std::time::Duration;

use jiff::Timestamp;

use super::{after, between};

/// By how much a clock was set back that showed `latest` and shows `now` later on; `None` if it was not. A correction of up
/// to `slack` is none: processes of one machine read the clock a little before they write.
pub fn set_back_by(latest: Timestamp, now: Timestamp, slack: Duration) -> Option<Duration> {
    Some(between(now, latest)).filter(|back| *back > slack)
}

/// Whether `deadline` is further ahead than `longest`, which no deadline is when it is written: the clock that wrote it was
/// ahead of the one that shows `now`.
pub fn is_too_far(deadline: Timestamp, longest: Duration, now: Timestamp) -> bool {
    deadline > after(now, longest)
}

/// Whether `deadline`, which lay at most `longest` ahead when it was written, is still to come. One that is
/// [too far](is_too_far) has passed: it must not stop anything for longer than it was to.
pub fn is_pending(deadline: Timestamp, longest: Duration, now: Timestamp) -> bool {
    now < deadline && !is_too_far(deadline, longest, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("an instant")
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn a_correction_is_no_setting_back() {
        let back = |latest, now| set_back_by(at(latest), at(now), TEN).map(|back| back.as_secs());
        assert_eq!([back(0, 100), back(100, 100), back(100, 90), back(100, 89)], [None, None, None, Some(11)]);
        assert!(set_back_by(Timestamp::MAX, Timestamp::MIN, TEN).is_some());
    }

    #[test]
    fn a_deadline_is_pending_between_its_writing_and_its_instant() {
        let pending = |now| is_pending(at(100), TEN, at(now));
        assert_eq!([pending(89), pending(90), pending(99), pending(100)], [false, true, true, false]);
        assert!(is_too_far(at(100), TEN, at(89)) && !is_too_far(at(100), TEN, at(90)));
        assert!(!is_too_far(at(100), Duration::MAX, at(0)));
    }
}
