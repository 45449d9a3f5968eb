//! One process of the fleet, wired as the binary wires it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::Clock;
use stint_core::registry::Registry;
use stint_core::worker::{Event, Outcome, StopSignal, WorkerError};
use stint_host::{Changed, LocalHost, Ports};
use stint_poe_stashes::FLEET;
use stint_poe_stashes::client::Api;
use stint_poe_stashes::follower::{Follower, FollowerPorts, FollowerSettings};
use stint_poe_stashes::indexer::{Indexer, IndexerSettings};
use stint_poe_stashes::message::{CHAIN_QUEUE, PAGES_QUEUE};
use stint_poe_stashes::watcher::{Watcher, WatcherSettings, wake};
use stint_testkit::{FaultInjector, FaultPlan, Workers};

use super::fault_injector::FaultyStore;
use super::{Stores, World};

/// Interval at which the host checks its queues and schedules, which other processes here change, or time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Workers and their host, with all state that a process has in memory.
pub(crate) struct Process {
    pub(crate) api: Arc<Api>,
    workers: Workers,
    host: Arc<LocalHost>,
    clock: Arc<dyn Clock>,
    /// The stores without faults: reading them is not a step.
    stores: Stores,
}

impl Stores {
    /// Returns the same stores for a process with `faults`.
    fn with_faults(&self, faults: &FaultPlan) -> Stores {
        Stores {
            chain: FaultyStore::new(&self.chain, faults),
            heads: FaultyStore::new(&self.heads, faults),
            pages: FaultyStore::new(&self.pages, faults),
            index: FaultyStore::new(&self.index, faults),
            chain_queue: FaultInjector::new(&self.chain_queue, faults),
            stored: FaultInjector::new(&self.stored, faults),
            breakers: FaultInjector::new(&self.breakers, faults),
            throttle: FaultInjector::new(&self.throttle, faults),
            wakeups: FaultInjector::new(&self.wakeups, faults),
            due: FaultInjector::new(&self.due, faults),
        }
    }
}

impl Process {
    pub(super) fn start(world: &World, faults: &FaultPlan) -> Process {
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let stores = world.stores.with_faults(faults);
        let transport = FaultyStore::new(&world.transport, faults);
        let api = Arc::new(Api::new(&world.settings, transport, &stores.breakers, clock.clone()).unwrap());
        let registry = registry(world, &stores, &api);
        let files = world.embedded.clone();
        let changed: Changed = Arc::new(move || files.changed());
        let ports = Ports {
            queues: BTreeMap::from([
                (CHAIN_QUEUE.to_owned(), stores.chain_queue.clone()),
                (PAGES_QUEUE.to_owned(), stores.stored.clone()),
            ]),
            throttle: stores.throttle.clone(),
            wakeups: stores.wakeups.clone(),
            due: stores.due.clone(),
            clock: clock.clone(),
            changed,
        };
        let stop = StopSignal::default();
        let host = Arc::new(LocalHost::new(registry.clone(), ports, stop.clone()).looking_every(LOOK_EVERY));
        let workers = Workers::new(FLEET, registry, clock.clone(), stop);
        Process { api, workers, host, clock, stores: world.stores.clone() }
    }

    /// Runs a worker once, manually, with `time` until its deadline.
    pub(crate) async fn invoke(
        &self,
        worker: &'static str,
        event: Event,
        time: Duration,
    ) -> Result<Outcome, WorkerError> {
        self.workers.invoke(worker, event, time).await
    }

    /// Runs a worker once, manually, and returns its report.
    pub(crate) async fn run(&self, worker: &'static str, event: Value) -> Value {
        self.workers.run(worker, event).await
    }

    /// Follows the chain until `pages` more pages are fetched.
    pub(crate) async fn fetch(&self, pages: u64) -> Value {
        self.follow(pages).await.unwrap().report
    }

    /// Like `fetch`, but may fail.
    pub(crate) async fn follow(&self, pages: u64) -> Result<Outcome, WorkerError> {
        let event = Event::Manual(serde_json::json!({ "pages": pages }));
        self.invoke("follower", event, Duration::from_secs(15 * 60)).await
    }

    /// Runs the host, with its schedules, until the chain has fetched `pages` pages in all, then drains it. Returns
    /// when that was.
    pub(crate) async fn run_until_fetched(&self, pages: u64) -> Timestamp {
        let mut fetched_at = self.clock.now();
        self.run_while(async {
            while self.fetched().await < pages {
                self.clock.sleep(Duration::from_millis(100)).await;
            }
            fetched_at = self.clock.now();
        })
        .await;
        fetched_at
    }

    /// Runs the host beside `main`, then drains it.
    pub(crate) async fn run_while(&self, main: impl Future<Output = ()>) {
        let main = async {
            // A store may be down now: the binary would exit here, and be started again.
            while self.host.set_schedules().await.is_err() {}
            // As `stint up` does.
            wake(&*self.stores.chain, &*self.stores.wakeups, self.clock.now()).await.unwrap();
            main.await;
        };
        self.workers.run_while(self.host.loops(), main).await;
    }

    /// Runs the host until every stored page is indexed.
    pub(crate) async fn index_everything(&self) {
        self.run_while(async {
            while self.stores.stored.counts().await.unwrap().unfinished() > 0 {
                self.clock.sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }

    async fn fetched(&self) -> u64 {
        self.stores.chain.read().await.unwrap().map(|status| status.progress.totals.fetched).unwrap_or_default()
    }
}

fn registry(world: &World, stores: &Stores, api: &Arc<Api>) -> Registry {
    let settings = &world.settings;
    let follower = FollowerPorts {
        api: api.clone(),
        chain: stores.chain.clone(),
        pages: stores.pages.clone(),
        chain_queue: stores.chain_queue.clone(),
        stored: stores.stored.clone(),
    };
    let watcher = WatcherSettings { realm: settings.poe_realm, alarm: settings.lag_alarm() };
    let indexer =
        IndexerSettings { max_page: settings.poe_max_body as usize, event_retention: settings.event_retention() };
    Registry::new()
        .with(Follower::new(follower, FollowerSettings::from(settings)))
        .with(Watcher::new(
            api.clone(),
            stores.chain.clone(),
            stores.heads.clone(),
            stores.chain_queue.clone(),
            watcher,
        ))
        .with(Indexer::new(stores.pages.clone(), stores.index.clone(), indexer))
}
