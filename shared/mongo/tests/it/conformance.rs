//! The conformance suite of the key pool port. Each handle has its own connections and its own ledger in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use stint_core::ledger::LedgerSettings;
use stint_core::ports::{AlarmRecords, Breakers, KeyPool, Leases, PortResult};
use stint_mongo::testing::TestDatabase;
use stint_mongo::{Mongo, MongoAlarms, MongoBreakers, MongoKeyPool, MongoLeases};
use stint_testkit::{AlarmWorld, BreakerWorld, KeyPoolWorld, LeaseWorld, Time};

use crate::clock::FrozenClock;

struct World {
    clock: FrozenClock,
    database: TestDatabase,
    handles: [Mongo; 2],
    turn: AtomicUsize,
}

impl World {
    async fn new() -> World {
        World::on(TestDatabase::new()).await
    }

    async fn atomic() -> World {
        World::on(TestDatabase::atomic()).await
    }

    async fn on(database: TestDatabase) -> World {
        let handles = [database.connect().await, database.connect().await];
        World { clock: FrozenClock::new(), database, handles, turn: AtomicUsize::new(0) }
    }

    async fn open(&self, mongo: &Mongo, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        Ok(Arc::new(MongoKeyPool::open(mongo, settings, Arc::new(self.clock.clone())).await?))
    }
}

#[async_trait]
impl BreakerWorld for World {
    async fn breakers(&self) -> PortResult<Arc<dyn Breakers>> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(MongoBreakers::new(&self.handles[turn % self.handles.len()])))
    }
}

#[async_trait]
impl AlarmWorld for World {
    async fn records(&self) -> PortResult<Arc<dyn AlarmRecords>> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(MongoAlarms::new(&self.handles[turn % self.handles.len()])))
    }

    async fn breathe(&self) {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl LeaseWorld for World {
    async fn leases(&self) -> PortResult<Arc<dyn Leases>> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(MongoLeases::new(&self.handles[turn % self.handles.len()], Arc::new(self.clock.clone()))))
    }

    fn time(&self) -> &dyn Time {
        &self.clock.0
    }
}

#[async_trait]
impl KeyPoolWorld for World {
    async fn pool(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        self.open(&self.handles[turn % self.handles.len()], settings).await
    }

    async fn reopen(&self, settings: LedgerSettings) -> PortResult<Arc<dyn KeyPool>> {
        self.open(&self.database.connect().await, settings).await
    }

    fn time(&self) -> &dyn Time {
        &self.clock.0
    }
}

mod alarms {
    stint_testkit::alarms_suite!(stint_mongo::testing::run_race, crate::conformance::World::new());
}

mod breakers {
    stint_testkit::breakers_suite!(stint_mongo::testing::run_race, crate::conformance::World::new());
}

mod leases {
    stint_testkit::leases_suite!(stint_mongo::testing::run_race, crate::conformance::World::new());
}

mod key_pool {
    stint_testkit::key_pool_suite!(stint_mongo::testing::run, crate::conformance::World::new());
}

mod breakers_on_the_atomic_server {
    stint_testkit::breakers_suite!(stint_mongo::testing::run_atomic, crate::conformance::World::atomic());
}

mod key_pool_on_the_atomic_server {
    stint_testkit::key_pool_suite!(stint_mongo::testing::run_atomic, crate::conformance::World::atomic());
}
