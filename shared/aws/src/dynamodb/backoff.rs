//! Waits between the attempts of a request, on the clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after};

/// The longest wait after the first attempt; it doubles with each one.
const FIRST: Duration = Duration::from_millis(25);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(1);

/// Waits of random length, so that writers that met each other once do not meet again.
pub(super) struct Backoff {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    cap: Duration,
}

impl Backoff {
    /// Begins a period in which attempts are made.
    pub(super) fn new(clock: &Arc<dyn Clock>, within: Duration) -> Backoff {
        Backoff { clock: clock.clone(), deadline: after(clock.now(), within), cap: FIRST }
    }

    /// Waits before the next attempt. Returns `false` at once if that would begin after the deadline.
    pub(super) async fn pause(&mut self) -> bool {
        // Without randomness the longest wait is as good as any.
        let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let wait = self.cap.mul_f64(share);
        if after(self.clock.now(), wait) > self.deadline {
            return false;
        }
        self.clock.sleep(wait).await;
        self.cap = (self.cap * 2).min(LONGEST);
        true
    }
}
