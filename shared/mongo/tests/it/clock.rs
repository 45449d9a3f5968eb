//! The clock of these tests: time stands still, and whoever waits lets the others go first.

use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};

/// Moves when a test says so. A wait ends as soon as everybody else had a turn: what waits here waits for the server,
/// which lives in real time.
#[derive(Clone)]
pub(crate) struct Standing(pub(crate) ManualClock);

impl Standing {
    /// The same instant in each process.
    pub(crate) fn new() -> Standing {
        Standing(ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap()))
    }
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}
