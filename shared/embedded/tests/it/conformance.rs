//! The embedded adapters pass the conformance suites, in both modes of the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use stint_core::clock::ManualClock;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{
    AlarmRecords, Breakers, KeyPool, Leases, PortResult, Queue, QueueSettings, RateLimits, Throttle, WakeupSource,
    Wakeups,
};
use stint_embedded::{Embedded, Mode};
use stint_testkit::rate_limits::RateLimitWorld;
use stint_testkit::{AlarmWorld, BreakerWorld, KeyPoolWorld, LeaseWorld, QueueWorld, ThrottleWorld, Time, WakeupWorld};
use tempfile::TempDir;

/// A folder that is opened twice if possible, as by two processes. The suites get ports of both in turn.
struct EmbeddedWorld {
    clock: ManualClock,
    ways: Vec<Embedded>,
    turn: AtomicUsize,
    home: Option<(TempDir, Mode)>,
}

impl EmbeddedWorld {
    fn new(clock: ManualClock, ways: Vec<Embedded>, home: Option<(TempDir, Mode)>) -> EmbeddedWorld {
        EmbeddedWorld { clock, ways, turn: AtomicUsize::new(0), home }
    }

    fn in_folder(mode: Mode) -> EmbeddedWorld {
        let clock = crate::clock();
        let home = tempfile::tempdir().unwrap();
        let open = || Embedded::open(home.path(), mode, Arc::new(clock.clone())).unwrap();
        let ways = vec![open(), open()];
        EmbeddedWorld::new(clock, ways, Some((home, mode)))
    }

    fn in_memory() -> EmbeddedWorld {
        let clock = crate::clock();
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        EmbeddedWorld::new(clock, vec![embedded], None)
    }

    fn way(&self) -> &Embedded {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        &self.ways[turn % self.ways.len()]
    }
}

#[async_trait]
impl QueueWorld for EmbeddedWorld {
    async fn queue(&self, name: &str, settings: QueueSettings) -> PortResult<Arc<dyn Queue>> {
        Ok(self.way().queue(name, settings))
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

#[async_trait]
impl WakeupWorld for EmbeddedWorld {
    async fn wakeups(&self) -> PortResult<Arc<dyn Wakeups>> {
        Ok(self.way().wakeups())
    }

    async fn source(&self) -> PortResult<Option<Arc<dyn WakeupSource>>> {
        Ok(Some(self.way().wakeups()))
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

#[async_trait]
impl RateLimitWorld for EmbeddedWorld {
    async fn rate_limits(&self) -> PortResult<Arc<dyn RateLimits>> {
        Ok(self.way().rate_limits()?)
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

#[async_trait]
impl ThrottleWorld for EmbeddedWorld {
    async fn throttle(&self) -> PortResult<Arc<dyn Throttle>> {
        Ok(self.way().throttle())
    }
}

#[async_trait]
impl BreakerWorld for EmbeddedWorld {
    async fn breakers(&self) -> PortResult<Arc<dyn Breakers>> {
        Ok(self.way().breakers())
    }
}

#[async_trait]
impl AlarmWorld for EmbeddedWorld {
    async fn records(&self) -> PortResult<Arc<dyn AlarmRecords>> {
        Ok(self.way().alarms())
    }
}

#[async_trait]
impl LeaseWorld for EmbeddedWorld {
    async fn leases(&self) -> PortResult<Arc<dyn Leases>> {
        Ok(self.way().leases())
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

#[async_trait]
impl KeyPoolWorld for EmbeddedWorld {
    async fn pool(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        Ok(self.way().key_pool(settings)?)
    }

    async fn reopen(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        let Some((home, mode)) = &self.home else { return self.pool(settings).await };
        Ok(Embedded::open(home.path(), *mode, Arc::new(self.clock.clone()))?.key_pool(settings)?)
    }

    fn time(&self) -> &dyn Time {
        &self.clock
    }
}

macro_rules! suites {
    ($mode:ident, $world:expr) => {
        mod $mode {
            mod queue {
                stint_testkit::queue_suite!(futures::executor::block_on, async { $world });
            }
            mod wakeups {
                stint_testkit::wakeups_suite!(futures::executor::block_on, async { $world });
            }
            mod throttle {
                stint_testkit::throttle_suite!(futures::executor::block_on, async { $world });
            }
            mod alarms {
                stint_testkit::alarms_suite!(futures::executor::block_on, async { $world });
            }
            mod breakers {
                stint_testkit::breakers_suite!(futures::executor::block_on, async { $world });
            }
            mod leases {
                stint_testkit::leases_suite!(futures::executor::block_on, async { $world });
            }
            mod rate_limits {
                stint_testkit::rate_limits_suite!(futures::executor::block_on, async { $world });
            }
            mod key_pool {
                stint_testkit::key_pool_suite!(futures::executor::block_on, async { $world });
            }
        }
    };
}

suites!(inline, crate::conformance::EmbeddedWorld::in_folder(stint_embedded::Mode::Inline));
suites!(in_memory, crate::conformance::EmbeddedWorld::in_memory());
suites!(shared, crate::conformance::EmbeddedWorld::in_folder(stint_embedded::Mode::Shared));
