//! The stores that the fleet's processes share.

use std::sync::Arc;
use std::time::Duration;

use stint_core::clock::Clock;
use stint_core::ports::{Breakers, KeyPool, Queue, QueueSettings, Throttle, WakeupSource, Wakeups};
use stint_core::worker::Worker;
use stint_embedded::Embedded;
use stint_testkit::FaultInjector;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::message::{QUEUE, REFRESH_QUEUE};
use stint_warcraftlogs::next_worker::NextWorker;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::store::{Discovers, Milestones, Players, RefreshResults, Rules, SqliteStore, Zones};

use super::FaultPlan;
use super::faulty_stores::FaultyStore;

/// Every port of the fleet.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) milestones: Arc<dyn Milestones>,
    pub(crate) zones: Arc<dyn Zones>,
    pub(crate) refresh_results: Arc<dyn RefreshResults>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) refreshes: Arc<dyn Queue>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) breakers: Arc<dyn Breakers>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    pub(crate) due: Arc<dyn WakeupSource>,
}

impl Stores {
    pub(super) fn new(settings: &Settings, embedded: &Embedded, clock: &Arc<dyn Clock>) -> Stores {
        let store = Arc::new(SqliteStore::open(embedded, clock.clone()).unwrap());
        let max_receives = RankFetcher::SPEC.queue().unwrap().max_receives;
        let visibility_timeout = Duration::from_secs(settings.wcl_visibility_seconds);
        let queue = QueueSettings { visibility_timeout, max_receives };
        Stores {
            rules: store.clone(),
            discovers: store.clone(),
            players: store.clone(),
            milestones: store.clone(),
            zones: store.clone(),
            refresh_results: store,
            queue: embedded.queue(QUEUE, queue),
            refreshes: embedded.queue(REFRESH_QUEUE, queue),
            pool: embedded.key_pool(settings.ledger()).unwrap(),
            breakers: embedded.breakers(),
            throttle: embedded.throttle(),
            wakeups: embedded.wakeups(),
            due: embedded.wakeups(),
        }
    }

    /// The ports with which a worker starts the next one.
    pub(super) fn next_worker(&self) -> NextWorker {
        NextWorker { wakeups: self.wakeups.clone(), milestones: self.milestones.clone() }
    }

    /// The same stores for a process with the kill point of `faults`.
    pub(crate) fn with_faults(&self, faults: &FaultPlan) -> Stores {
        Stores {
            rules: FaultyStore::new(&self.rules, faults),
            discovers: FaultyStore::new(&self.discovers, faults),
            players: FaultyStore::new(&self.players, faults),
            milestones: FaultyStore::new(&self.milestones, faults),
            zones: FaultyStore::new(&self.zones, faults),
            refresh_results: FaultyStore::new(&self.refresh_results, faults),
            queue: FaultInjector::new(&self.queue, faults),
            refreshes: FaultInjector::new(&self.refreshes, faults),
            pool: FaultInjector::new(&self.pool, faults),
            breakers: FaultInjector::new(&self.breakers, faults),
            throttle: FaultInjector::new(&self.throttle, faults),
            wakeups: FaultInjector::new(&self.wakeups, faults),
            due: FaultInjector::new(&self.due, faults),
        }
    }
}
