//! What the fleet keeps: enough for every command that only looks or sets.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::ports::{Breakers, KeyPool, PortResult, Queue, QueueSettings, Throttle, Wakeups};
use stint_core::worker::{QueueTrigger, Spec, Worker};
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::handover::{ALL_FRESH, NEXT_DUE};
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::store::{Directory, Discovers, Milestones, Players, RefreshAnswers, Rules};

use super::backends::Backends;
use super::hosts::Hosts;
use super::plans::specs;
use super::trigger;

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
    /// Those of the other fleets.
    pub(crate) others: Vec<Arc<dyn Queue>>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) breakers: Arc<dyn Breakers>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    /// Whether functions are what wake-ups start.
    calls_functions: bool,
}

impl Stores {
    /// All of them.
    pub(crate) async fn open(settings: &Settings, backends: &Backends) -> anyhow::Result<Stores> {
        let collections = backends.collections().await?;
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
            others: others(backends)?,
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

    /// The fleet's queues, the backlog first.
    pub(crate) fn queues(&self) -> [&Arc<dyn Queue>; 2] {
        [&self.queue, &self.refreshes]
    }
}

/// The queues of the other fleets, for those who look into queues.
fn others(backends: &Backends) -> anyhow::Result<Vec<Arc<dyn Queue>>> {
    let triggers = specs().filter(|spec| spec.fleet != stint_warcraftlogs::FLEET).filter_map(Spec::queue);
    let queue = |QueueTrigger { queue, visibility_timeout, max_receives, .. }| {
        backends.queue(queue, QueueSettings { visibility_timeout, max_receives })
    };
    triggers.map(queue).collect()
}

/// How the fleet's queues treat their messages.
pub(super) fn queue_settings(settings: &Settings) -> QueueSettings {
    let visibility_timeout = Duration::from_secs(settings.wcl_visibility_seconds);
    QueueSettings { visibility_timeout, max_receives: trigger().max_receives }
}
