//! When a failed operation is tried again, and after which wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};

use crate::failure::{Failure, FailureKind};

/// The wait after the first failure. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// The upper bound of the doubling wait. A restart of a server takes some seconds.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// The attempts of one operation, within a deadline.
pub(crate) struct Attempts {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(clock: &Arc<dyn Clock>, within: Duration) -> Attempts {
        Attempts { clock: clock.clone(), deadline: after(clock.now(), within), failures: 0 }
    }

    /// Runs one attempt, or a part of it. Returns `late` if the deadline comes first.
    pub(crate) async fn run<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
        late: FailureKind,
    ) -> Result<T, Failure> {
        let attempt = std::pin::pin!(attempt);
        match select(attempt, self.clock.sleep_until(self.deadline)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) if late == FailureKind::OutcomeUnknown => {
                Err(Failure::new(late, "the outcome is unknown, because the answer to the commit did not come in time"))
            }
            Either::Right(_) => Err(Failure::new(late, "not done in time; POSTGRES_RETRY_SECONDS is the longest time")),
        }
    }

    /// Waits before the next attempt. Returns the failure if a retry is of no use, or not in time.
    pub(crate) async fn wait_after(&mut self, failure: Failure, is_repeatable: bool) -> Result<(), Failure> {
        let repeats = failure.is_transient() || (is_repeatable && failure.is_outcome_unknown());
        let delay = self.delay();
        if !repeats || after(self.clock.now(), delay) >= self.deadline {
            return Err(failure);
        }
        self.failures += 1;
        tracing::debug!(failures = self.failures, "trying again after {delay:?}: {failure}");
        self.clock.sleep(delay).await;
        Ok(())
    }

    /// Returns the next wait, from the upper half of its range: two that were in each other's way part by their clocks.
    fn delay(&self) -> Duration {
        let full = FIRST_DELAY.saturating_mul(1 << self.failures.min(16)).min(LONGEST_DELAY);
        let fraction = f64::from(self.clock.now().subsec_nanosecond().unsigned_abs() % 1_000_003) / 1_000_003.0;
        full / 2 + (full / 2).mul_f64(fraction)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use stint_core::clock::ManualClock;

    use super::*;

    fn attempts() -> (ManualClock, Attempts) {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let port: Arc<dyn Clock> = Arc::new(clock.clone());
        (clock, Attempts::new(&port, Duration::from_secs(10)))
    }

    #[test]
    fn waits_double_until_the_deadline() {
        let (clock, mut attempts) = attempts();
        let mut waits = Vec::new();
        loop {
            let (start, failure) = (clock.now(), Failure::new(FailureKind::Conflict, "conflict"));
            let mut wait = Box::pin(attempts.wait_after(failure, false));
            if let Some(result) = (&mut wait).now_or_never() {
                assert_eq!(result.unwrap_err().kind(), FailureKind::Conflict);
                break;
            }
            clock.advance_to(clock.next_deadline().unwrap());
            wait.now_or_never().unwrap().unwrap();
            waits.push(clock.now().duration_since(start).as_millis());
        }
        assert!(waits[..2] == [25, 50] || waits[0] >= 25, "{waits:?}");
        assert!(waits.iter().all(|wait| (25..=2_000).contains(wait)), "{waits:?}");
        assert!(clock.now() < Timestamp::UNIX_EPOCH + Duration::from_secs(10) && waits.len() > 7, "{waits:?}");
    }

    #[test]
    fn only_what_is_safe_is_repeated() {
        let repeats = |kind, repeatable| {
            let (_, mut attempts) = attempts();
            let waiting = attempts.wait_after(Failure::new(kind, ""), repeatable).now_or_never();
            waiting.is_none()
        };
        for kind in [FailureKind::Unreachable, FailureKind::Conflict, FailureKind::Interrupted] {
            assert!(repeats(kind, false), "{kind:?}");
        }
        for kind in [FailureKind::Rejected, FailureKind::Refused, FailureKind::TimedOut, FailureKind::Busy] {
            assert!(!repeats(kind, true), "{kind:?}");
        }
        assert!(repeats(FailureKind::OutcomeUnknown, true) && !repeats(FailureKind::OutcomeUnknown, false));
    }
}
