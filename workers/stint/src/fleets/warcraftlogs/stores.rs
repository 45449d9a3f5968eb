//! What the fleet keeps: enough for every command that only looks or sets.

use std::sync::Arc;

use anyhow::ensure;
use jiff::Timestamp;
use stint_core::ports::{Breakers, KeyPool, PortResult, Queue, Throttle, Wakeups};
use stint_core::worker::Worker;
use stint_embedded::Embedded;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::handover::{ALL_FRESH, NEXT_DUE};
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::store::{
    Directory, Discovers, Milestones, MongoStore, Players, RefreshAnswers, Rules, SqliteStore, Zones,
};

use super::specs::{BEGINNING, needs, queue_settings, trigger};
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
    pub(crate) answers: Arc<dyn RefreshAnswers>,
}

impl Collections {
    /// Those that the backends choose. Files are created if need be.
    pub(crate) async fn open(backends: &Backends) -> anyhow::Result<Collections> {
        let clock = backends.clock.clone();
        Ok(match backends.database()? {
            Database::Sqlite(embedded) => Collections::of(SqliteStore::open(embedded, clock)?),
            Database::Mongo(mongo) => Collections::of(MongoStore::open(mongo, clock).await?),
        })
    }

    /// The same, but in memory where there is no file yet.
    async fn to_look_at(backends: &Backends) -> anyhow::Result<Collections> {
        match backends.database()? {
            Database::Sqlite(_) if !SqliteStore::is_at(&backends.home) => {
                let embedded = Embedded::in_memory(backends.clock.clone())?;
                Ok(Collections::of(SqliteStore::open(&embedded, backends.clock.clone())?))
            }
            _ => Collections::open(backends).await,
        }
    }

    fn of<S: Rules + Discovers + Players + Directory + Milestones + Zones + RefreshAnswers + 'static>(
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
            answers: store,
        }
    }
}

/// What the `warcraftlogs` fleet keeps.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) milestones: Arc<dyn Milestones>,
    pub(crate) answers: Arc<dyn RefreshAnswers>,
    pub(crate) hosts: Hosts,
    pub(crate) queue: Arc<dyn Queue>,
    /// Beside the queue, for those who do not wait their turn.
    pub(crate) refreshes: Arc<dyn Queue>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) breakers: Arc<dyn Breakers>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    /// Whether functions are what wake-ups start.
    calls_functions: bool,
}

impl Stores {
    /// Those of a folder that is there already: a command that only looks creates nothing.
    pub(crate) async fn existing(context: &Context) -> anyhow::Result<Stores> {
        ensure!(
            context.is_installed()?,
            "there is nothing of Stint in {}: begin with {}, or name another folder with --home or STINT_HOME",
            context.home.display(),
            BEGINNING
        );
        let backends = context.backends(&BackendSettings::from_environment()?, needs()).await?;
        Stores::to_look_at(&from_environment()?, &backends).await
    }

    /// Those of backends that are only looked at: no file is created.
    pub(crate) async fn to_look_at(settings: &Settings, backends: &Backends) -> anyhow::Result<Stores> {
        Stores::open(settings, backends, Collections::to_look_at(backends).await?).await
    }

    /// Those that the settings of the environment choose. A folder is created if need be.
    pub(crate) async fn of(context: &Context) -> anyhow::Result<Stores> {
        let backends = context.backends(&BackendSettings::from_environment()?, needs()).await?;
        let collections = Collections::open(&backends).await?;
        Stores::open(&from_environment()?, &backends, collections).await
    }

    /// All of them.
    pub(crate) async fn open(
        settings: &Settings,
        backends: &Backends,
        collections: Collections,
    ) -> anyhow::Result<Stores> {
        Ok(Stores {
            rules: collections.rules,
            discovers: collections.discovers,
            players: collections.players,
            directory: collections.directory,
            milestones: collections.milestones,
            answers: collections.answers,
            hosts: Hosts::of(backends)?,
            queue: backends.queue(trigger().queue, queue_settings(settings))?,
            refreshes: backends.queue(REFRESH_QUEUE, queue_settings(settings))?,
            pool: backends.pool(settings.ledger()).await?,
            breakers: backends.breakers()?,
            throttle: backends.throttle().await?,
            wakeups: backends.wakeups()?,
            calls_functions: !backends.is_hosted_here(),
        })
    }

    /// Starts a discovery, where the fleet was ever started: a rule is new, and its tick may be half an hour away. A failure is
    /// only said, since the tick makes up for it.
    pub(crate) async fn start_discovery(&self, now: Timestamp) {
        self.start(NEXT_DUE, Discover::SPEC.name, now).await;
    }

    /// Starts the aggregator likewise: players or rules have changed by hand. It finds out whether there is something to do.
    pub(crate) async fn start_aggregator(&self, now: Timestamp) {
        self.start(ALL_FRESH, Aggregator::SPEC.name, now).await;
    }

    async fn start(&self, name: &str, worker: &str, now: Timestamp) {
        if let Err(error) = self.try_start(name, worker, now).await {
            tracing::warn!(%error, "cannot start {worker}, its schedule will: {error}");
        }
    }

    async fn try_start(&self, name: &str, worker: &str, now: Timestamp) -> PortResult<()> {
        let is_started = self.calls_functions || !self.wakeups.list().await?.is_empty();
        if is_started {
            self.wakeups.once(name, worker, now).await?;
        }
        Ok(())
    }

    /// A queue of the fleet as it stands.
    pub(crate) async fn view(&self, queue: &Arc<dyn Queue>) -> PortResult<QueueView> {
        QueueView::read(&**queue, self.pool.count_parked(queue.name()).await?).await
    }

    /// The fleet's queues, the backlog first.
    pub(crate) fn queues(&self) -> [&Arc<dyn Queue>; 2] {
        [&self.queue, &self.refreshes]
    }
}
