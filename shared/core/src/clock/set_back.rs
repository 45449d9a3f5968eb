//! Detection of a clock that was set back: records written before are further ahead than they can be.

use std::time::Duration;

use jiff::Timestamp;

use super::{after, between};

/// Returns by how much a clock was set back that once showed `latest` and later shows `now`, or `None` if it was not
/// set back. A difference of up to `slack` does not count, because processes of one machine read the clock a little
/// before they write.
pub fn set_back_by(latest: Timestamp, now: Timestamp, slack: Duration) -> Option<Duration> {
    Some(between(now, latest)).filter(|back| *back > slack)
}

/// Returns whether `deadline` is further ahead than `longest`, which no deadline is when it is written. If so, the
/// clock that wrote it was ahead of the clock that shows `now`.
pub fn is_too_far(deadline: Timestamp, longest: Duration, now: Timestamp) -> bool {
    deadline > after(now, longest)
}

/// Returns whether `deadline`, which was at most `longest` ahead when it was written, is still to come. A deadline that
/// is [too far](is_too_far) ahead counts as passed, so that it blocks nothing for longer than intended.
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
    fn a_small_correction_does_not_count_as_set_back() {
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
