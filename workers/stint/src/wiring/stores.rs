//! What the fleet keeps: enough for every command that only looks or sets.

use std::sync::Arc;
use std::time::Duration;

use stint_core::ports::{KeyPool, Queue, QueueSettings, Throttle, Wakeups};
use stint_core::worker::{QueueTrigger, Spec};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::store::{Directory, Discovers, Players, Rules};

use super::backends::Backends;
use super::plans::specs;
use super::trigger;

/// What the `warcraftlogs` fleet keeps.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) queue: Arc<dyn Queue>,
    /// Beside the queue, for those who do not wait their turn.
    pub(crate) refreshes: Arc<dyn Queue>,
    /// Those of the other fleets.
    pub(crate) others: Vec<Arc<dyn Queue>>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
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
            queue: backends.queue(trigger().queue, queue_settings(settings))?,
            refreshes: backends.queue(REFRESH_QUEUE, queue_settings(settings))?,
            others: others(backends)?,
            pool: backends.pool(settings.ledger()).await?,
            throttle: backends.throttle().await?,
            wakeups: backends.wakeups()?,
        })
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
