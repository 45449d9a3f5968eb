//! The clock of these tests: time does not pass by itself, and a sleeping task lets the others run first.

use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};

/// Moves only when a test advances it. A sleep ends as soon as all other tasks had a turn: the tasks here wait for the
/// server, which runs in real time.
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
