//! What an adapter supplies to run the suites: its ports, and time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use stint_core::clock::{Clock, ManualClock};
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{
    AlarmRecords, Blobs, Breakers, KeyPool, Leases, PortResult, Queue, QueueSettings, Throttle, WakeupSource, Wakeups,
};

/// The time of an adapter.
#[async_trait]
pub trait Time: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Lets `duration` pass. Returns `false` at once if so much time can be neither moved nor waited for; the test then
    /// ends there.
    async fn pass(&self, duration: Duration) -> bool;

    /// Sets the adapter's clock without letting time pass. Returns `false` if it cannot be set; the test then ends
    /// there.
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

/// An empty store of queues that no other test uses.
#[async_trait]
pub trait QueueWorld: Send + Sync {
    /// Returns the queue `name`. A second call with the same name returns another handle to the same queue.
    async fn queue(&self, name: &str, settings: QueueSettings) -> PortResult<Arc<dyn Queue>>;

    /// The time of the queues.
    fn time(&self) -> &dyn Time;

    /// Whether counts are exact. In the cloud they are estimates.
    fn counts_are_exact(&self) -> bool {
        true
    }
}

/// An empty store of wake-ups that no other test uses.
#[async_trait]
pub trait WakeupWorld: Send + Sync {
    /// Returns the wake-ups.
    async fn wakeups(&self) -> PortResult<Arc<dyn Wakeups>>;

    /// Where a host learns which wake-ups are due. `None` if the vendor calls the worker itself.
    async fn source(&self) -> PortResult<Option<Arc<dyn WakeupSource>>>;

    /// The time of the wake-ups.
    fn time(&self) -> &dyn Time;
}

/// A store of throttles that no other test uses.
#[async_trait]
pub trait ThrottleWorld: Send + Sync {
    /// Returns the throttles. A second call returns another handle to the same ones.
    async fn throttle(&self) -> PortResult<Arc<dyn Throttle>>;
}

/// A store of circuit breaker records that no other test uses.
#[async_trait]
pub trait BreakerWorld: Send + Sync {
    /// Returns the records. A second call returns another handle to the same ones.
    async fn breakers(&self) -> PortResult<Arc<dyn Breakers>>;
}

/// A store without alarms that no other test uses. Time is the suite's own.
#[async_trait]
pub trait AlarmWorld: Send + Sync {
    /// Returns the records. A second call returns another handle to the same ones.
    async fn records(&self) -> PortResult<Arc<dyn AlarmRecords>>;

    /// Lets other tasks and threads of the adapter run.
    async fn breathe(&self) {}
}

/// A store without blobs that no other test uses.
#[async_trait]
pub trait BlobWorld: Send + Sync {
    /// Returns the blobs. A second call returns another handle to the same ones.
    async fn blobs(&self) -> PortResult<Arc<dyn Blobs>>;
}

/// A key pool without keys that no other test uses.
#[async_trait]
pub trait KeyPoolWorld: Send + Sync {
    /// Returns the key pool. A second call returns another handle to the same pool, as another process would have.
    async fn pool(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>>;

    /// Returns the same pool with its store opened again where that is possible, as after a crash of every process that
    /// used it.
    async fn reopen(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        self.pool(settings).await
    }

    /// The time of the pool.
    fn time(&self) -> &dyn Time;
}

/// A store of leases that no other test uses.
#[async_trait]
pub trait LeaseWorld: Send + Sync {
    /// Returns the leases. A second call returns another handle to the same ones, as another process would have.
    async fn leases(&self) -> PortResult<Arc<dyn Leases>>;

    /// The time of the leases.
    fn time(&self) -> &dyn Time;
}
