//! The stores and queues of the fleet, sufficient for every command that only reads or sets.

use std::sync::Arc;

use anyhow::ensure;
use jiff::Timestamp;
use stint_core::ports::{Breakers, KeyPool, PortResult, Queue, Throttle, Wakeups};
use stint_core::worker::{Worker, WorkerId};
use stint_embedded::Embedded;
use stint_warcraftlogs::FLEET;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::BudgetStrategy;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::next_worker::{ALL_FRESH, NEXT_DUE};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
#[cfg(feature = "mongodb")]
use stint_warcraftlogs::store::MongoStore;
use stint_warcraftlogs::store::{Directory, Discovers, Milestones, Players, RefreshResults, Rules, SqliteStore, Zones};

use super::specs::{SETUP_COMMANDS, needs, queue_settings, trigger};
use crate::context::Context;
use crate::settings::from_environment;
use crate::views::queue::QueueView;
use crate::wiring::{BackendSettings, Backends, Database, Hosts};

/// The fleet's collections.
#[derive(Clone)]
pub(crate) struct Collections {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) milestones: Arc<dyn Milestones>,
    pub(crate) zones: Arc<dyn Zones>,
    pub(crate) refresh_results: Arc<dyn RefreshResults>,
}

impl Collections {
    /// Opens the collections of the selected backend. Files are created if needed.
    pub(crate) async fn open(backends: &Backends) -> anyhow::Result<Collections> {
        let clock = backends.clock.clone();
        Ok(match backends.database()? {
            Database::Sqlite(embedded) => Collections::from_store(SqliteStore::open(embedded, clock)?),
            #[cfg(feature = "mongodb")]
            Database::Mongo(mongo) => Collections::from_store(MongoStore::open(mongo, clock).await?),
        })
    }

    /// Opens the collections for reading only: in memory where there is no file yet.
    async fn open_read_only(backends: &Backends) -> anyhow::Result<Collections> {
        match backends.database()? {
            Database::Sqlite(_) if !SqliteStore::is_at(&backends.home) => {
                let embedded = Embedded::in_memory(backends.clock.clone())?;
                Ok(Collections::from_store(SqliteStore::open(&embedded, backends.clock.clone())?))
            }
            _ => Collections::open(backends).await,
        }
    }

    fn from_store<S: Rules + Discovers + Players + Directory + Milestones + Zones + RefreshResults + 'static>(
        store: S,
    ) -> Collections {
        let store = Arc::new(store);
        Collections {
            rules: store.clone(),
            discovers: store.clone(),
            players: store.clone(),
            directory: store.clone(),
            milestones: store.clone(),
            zones: store.clone(),
            refresh_results: store,
        }
    }
}

/// Returns the throttle of the fleet's workers. The source document's rule steers the rank fetcher's reserved concurrency.
pub(crate) async fn throttle(settings: &Settings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
    let reserved = (settings.budget_strategy == BudgetStrategy::WorstCase).then(|| RankFetcher::SPEC.id());
    backends.throttle(reserved.as_ref()).await
}

/// The stores and queues of the `warcraftlogs` fleet.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) milestones: Arc<dyn Milestones>,
    pub(crate) refresh_results: Arc<dyn RefreshResults>,
    pub(crate) hosts: Hosts,
    pub(crate) queue: Arc<dyn Queue>,
    /// The queue of refreshes, which do not wait for their turn in the backlog.
    pub(crate) refreshes: Arc<dyn Queue>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) breakers: Arc<dyn Breakers>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    /// Whether wake-ups start Lambda functions.
    calls_functions: bool,
}

impl Stores {
    /// Opens the stores of an existing folder. A read-only command creates nothing.
    pub(crate) async fn existing(context: &Context) -> anyhow::Result<Stores> {
        ensure!(
            context.is_installed(needs().ports)?,
            "{} is not a Stint folder: start with {}, or select another folder with --home or STINT_HOME",
            context.home.display(),
            SETUP_COMMANDS
        );
        let backends = context.backends(&BackendSettings::from_environment()?, needs()).await?;
        Stores::open_read_only(&from_environment()?, &backends).await
    }

    /// Opens the stores for reading only. No file is created.
    pub(crate) async fn open_read_only(settings: &Settings, backends: &Backends) -> anyhow::Result<Stores> {
        let pool = backends.read_only_pool(settings.ledger()).await?;
        Stores::with(settings, backends, Collections::open_read_only(backends).await?, pool).await
    }

    /// Opens the stores selected by the environment. A folder is created if needed.
    pub(crate) async fn from_environment(context: &Context) -> anyhow::Result<Stores> {
        let backends = context.backends(&BackendSettings::from_environment()?, needs()).await?;
        let collections = Collections::open(&backends).await?;
        Stores::open(&from_environment()?, &backends, collections).await
    }

    /// Opens all stores.
    pub(crate) async fn open(
        settings: &Settings,
        backends: &Backends,
        collections: Collections,
    ) -> anyhow::Result<Stores> {
        Stores::with(settings, backends, collections, backends.pool(settings.ledger()).await?).await
    }

    async fn with(
        settings: &Settings,
        backends: &Backends,
        collections: Collections,
        pool: Arc<dyn KeyPool>,
    ) -> anyhow::Result<Stores> {
        Ok(Stores {
            rules: collections.rules,
            discovers: collections.discovers,
            players: collections.players,
            directory: collections.directory,
            milestones: collections.milestones,
            refresh_results: collections.refresh_results,
            hosts: Hosts::of(backends)?,
            queue: backends.queue(trigger().queue, queue_settings(settings))?,
            refreshes: backends.queue(REFRESH_QUEUE, queue_settings(settings))?,
            pool,
            breakers: backends.breakers()?,
            throttle: throttle(settings, backends).await?,
            wakeups: backends.wakeups()?,
            calls_functions: !backends.is_hosted_here(),
        })
    }

    /// Starts a discovery if the fleet was ever started, because a rule is new and its next scheduled run may be half
    /// an hour away. A failure is only reported, because the schedule makes up for it.
    pub(crate) async fn start_discovery(&self, now: Timestamp) {
        self.start(NEXT_DUE, &Discover::SPEC.id(), now).await;
    }

    /// Starts the aggregator in the same way, because an operator changed players or rules. The aggregator determines
    /// whether there is work.
    pub(crate) async fn start_aggregator(&self, now: Timestamp) {
        self.start(ALL_FRESH, &Aggregator::SPEC.id(), now).await;
    }

    async fn start(&self, name: &str, worker: &WorkerId, now: Timestamp) {
        if let Err(error) = self.try_start(name, worker, now).await {
            tracing::warn!(%error, "cannot start {worker}, its schedule will: {error}");
        }
    }

    async fn try_start(&self, name: &str, worker: &WorkerId, now: Timestamp) -> PortResult<()> {
        if self.was_started().await? {
            self.wakeups.once(name, worker, now).await?;
        }
        Ok(())
    }

    /// Returns whether the workers are functions, which schedules in the cloud start.
    pub(crate) fn calls_functions(&self) -> bool {
        self.calls_functions
    }

    /// Returns whether the fleet ever ran here: then its schedules are set. Those of functions are set before they exist.
    pub(crate) async fn was_started(&self) -> PortResult<bool> {
        Ok(self.calls_functions || self.wakeups.list().await?.iter().any(|wakeup| wakeup.worker.fleet == FLEET))
    }

    /// Returns the current state of a queue of the fleet.
    pub(crate) async fn view(&self, queue: &Arc<dyn Queue>) -> PortResult<QueueView> {
        QueueView::read(&**queue, self.pool.count_parked(queue.name()).await?).await
    }

    /// Returns the fleet's queues, the backlog first.
    pub(crate) fn queues(&self) -> [&Arc<dyn Queue>; 2] {
        [&self.queue, &self.refreshes]
    }
}
