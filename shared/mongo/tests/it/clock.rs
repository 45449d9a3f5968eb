//! The clock of these tests: time does not pass by itself, and a sleeping task lets the others run first.

use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};

/// Moves only when a test advances it. A sleep ends as soon as all other tasks had a turn: the tasks here wait for the
/// server, which runs in real time.
#[derive(Clone)]
pub(crate) struct FrozenClock(pub(crate) ManualClock);

impl FrozenClock {
    /// The same instant in each process.
    pub(crate) fn new() -> FrozenClock {
        FrozenClock(ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap()))
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}
