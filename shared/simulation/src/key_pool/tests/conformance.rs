//! The conformance suite of the key pool port, on the pool in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::ManualClock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{KeyPool, PortResult};
use stint_testkit::{KeyPoolWorld, Time};

use crate::faults::Faults;
use crate::key_pool::MemoryKeyPool;

/// A pool that returns as many handles as are asked for.
struct World {
    clock: ManualClock,
    pool: MemoryKeyPool,
}

impl World {
    fn new() -> World {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let settings = LedgerSettings::without_reserve(Duration::from_secs(3_600));
        let pool = MemoryKeyPool::new(settings, Arc::new(clock.clone()), 1, &Faults::none());
        World { clock, pool }
    }
}

#[async_trait]
impl KeyPoolWorld for World {
    async fn pool(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        Ok(Arc::new(self.pool.another_handle(settings, 2)))
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

stint_testkit::key_pool_suite!(futures::executor::block_on, async { World::new() });
