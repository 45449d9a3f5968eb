//! What an adapter supplies to run the suites: its ports, and time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use stint_core::clock::{Clock, ManualClock};
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{Breakers, KeyPool, PortResult, Queue, QueueSettings, Throttle, WakeupSource, Wakeups};

/// The time that an adapter lives in.
#[async_trait]
pub trait Time: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Lets `duration` pass. Answers `false`, at once, where so much time can neither be moved nor waited for; the
    /// test then ends there.
    async fn pass(&self, duration: Duration) -> bool;

    /// Sets the clock that the adapter reads, while no time passes. Returns `false` where it cannot be set; the test then
    /// ends there.
    fn jump(&self, by: SignedDuration) -> bool {
        let _ = by;
        false
    }
}

#[async_trait]
impl Time for ManualClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    async fn pass(&self, duration: Duration) -> bool {
        self.advance(duration);
        true
    }

    fn jump(&self, by: SignedDuration) -> bool {
        ManualClock::jump(self, by);
        true
    }
}

/// A store of queues, empty, that no other test uses.
#[async_trait]
pub trait QueueWorld: Send + Sync {
    /// The queue `name`. Asked twice for the same, answers another way to the same queue.
    async fn queue(&self, name: &str, settings: QueueSettings) -> PortResult<Arc<dyn Queue>>;

    /// The time that the queues live in.
    fn time(&self) -> &dyn Time;

    /// Whether counts can be relied on. In the cloud they are estimates.
    fn counts_are_exact(&self) -> bool {
        true
    }
}

/// A store of wake-ups, empty, that no other test uses.
#[async_trait]
pub trait WakeupWorld: Send + Sync {
    /// The wake-ups.
    async fn wakeups(&self) -> PortResult<Arc<dyn Wakeups>>;

    /// Where a host learns what is due. `None` where the vendor calls the worker by himself.
    async fn source(&self) -> PortResult<Option<Arc<dyn WakeupSource>>>;

    /// The time that the wake-ups live in.
    fn time(&self) -> &dyn Time;
}

/// A store of throttles that no other test uses.
#[async_trait]
pub trait ThrottleWorld: Send + Sync {
    /// The throttles. Asked twice, answers another way to the same ones.
    async fn throttle(&self) -> PortResult<Arc<dyn Throttle>>;
}

/// A store of breakers' records that no other test uses.
#[async_trait]
pub trait BreakerWorld: Send + Sync {
    /// The records. Asked twice, returns another way to the same ones.
    async fn breakers(&self) -> PortResult<Arc<dyn Breakers>>;
}

/// A key pool without keys that no other test uses.
#[async_trait]
pub trait KeyPoolWorld: Send + Sync {
    /// The key pool. Asked twice, answers another way to the same pool, as another process has it.
    async fn pool(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>>;

    /// The same pool, with its store opened anew where that is possible: whoever worked with it before is dead.
    async fn reopen(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        self.pool(settings).await
    }

    /// The time that the pool lives in.
    fn time(&self) -> &dyn Time;
}
