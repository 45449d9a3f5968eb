//! The clock of this machine.

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, between};

/// The wall clock. It waits on tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one clock that really waits")]
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        tokio::time::sleep(between(self.now(), deadline)).boxed()
    }
}
