//! Which backend stands behind which port: the only place that knows both.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::FutureExt;
use futures::future::select;
use stint_core::clock::Clock;
use stint_core::ports::{KeyPool, Queue, QueueSettings, Throttle, Wakeups};
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Spec, Stop, Worker};
use stint_embedded::{Embedded, Mode};
use stint_host::{Changed, LocalHost, Ports};
use stint_http::{Client, ReqwestTransport, Transport};
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::Budget;
use stint_warcraftlogs::client::Api;
use stint_warcraftlogs::config::{DiscoverySource, Settings};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::{Discover, DiscoverSettings};
use stint_warcraftlogs::discovery::{PlayerSource, RankingPages, Reports};
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::publish::{Git, GitSettings, Publisher};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;
use stint_warcraftlogs::store::{Directory, Discovers, Players, Rules, SqliteStore};

/// The workers of the `warcraftlogs` fleet, in the order of the data's way through them.
pub(crate) const WARCRAFTLOGS: [Spec; 6] =
    [Discover::SPEC, Aggregator::SPEC, RankFetcher::SPEC, Refresher::SPEC, Reviver::SPEC, DbGenerator::SPEC];

/// What the `warcraftlogs` fleet keeps: enough for every command that only looks or sets.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) discovers: Arc<dyn Discovers>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) queue: Arc<dyn Queue>,
    /// Beside the queue, for those who do not wait their turn.
    pub(crate) refreshes: Arc<dyn Queue>,
    pub(crate) pool: Arc<dyn KeyPool>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) wakeups: Arc<dyn Wakeups>,
    embedded: Embedded,
    clock: Arc<dyn Clock>,
}

impl Stores {
    /// Opens the folder `home`, and creates it if need be.
    pub(crate) fn open(settings: &Settings, home: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Stores> {
        let embedded = Embedded::open(home, Mode::Shared, clock.clone())
            .with_context(|| format!("STINT_HOME: cannot use the folder {}", home.display()))?;
        let store = Arc::new(SqliteStore::open(&embedded, clock.clone())?);
        Ok(Stores {
            rules: store.clone(),
            discovers: store.clone(),
            players: store.clone(),
            directory: store,
            queue: embedded.queue(trigger().queue, queue_settings(settings)),
            refreshes: embedded.queue(REFRESH_QUEUE, queue_settings(settings)),
            pool: embedded.key_pool(settings.ledger()),
            throttle: embedded.throttle(),
            wakeups: embedded.wakeups(),
            embedded,
            clock,
        })
    }

    /// The fleet's queues, the backlog first.
    pub(crate) fn queues(&self) -> [&Arc<dyn Queue>; 2] {
        [&self.queue, &self.refreshes]
    }
}

/// The `warcraftlogs` fleet, ready to run here.
pub(crate) struct Fleet {
    pub(crate) stores: Stores,
    pub(crate) budget: Budget,
    pub(crate) host: Arc<LocalHost>,
}

impl Fleet {
    /// Builds the fleet on the embedded default. Requests leave through `transport`.
    pub(crate) async fn build(
        settings: &Settings,
        home: &Path,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
        stop: Stop,
    ) -> anyhow::Result<Fleet> {
        settings.check().map_err(|error| anyhow!(error))?;
        let stores = Stores::open(settings, home, clock.clone())?;
        stores.pool.configure(&settings.key_ids()).await?;
        // Until the first batch has planned, the operator's limit holds, not the worker's own default.
        if stores.throttle.read(&settings.lambda_to_revive).await?.set.is_none() {
            stores.throttle.set(&settings.lambda_to_revive, settings.concurrency_limit).await?;
        }
        let budget = budget(settings, &stores, transport.clone())?;
        let registry = registry(settings, home, &stores, &budget, transport);
        let host = Arc::new(LocalHost::new(registry, ports(&stores), stop));
        Ok(Fleet { stores, budget, host })
    }
}

/// The transport that reaches real upstreams, and stand-ins on loopback.
pub(crate) fn transport(settings: &Settings) -> anyhow::Result<Arc<dyn Transport>> {
    let transport = ReqwestTransport::new(&settings.wcl_user_agent).context("WCL_USER_AGENT")?;
    Ok(Arc::new(transport))
}

fn budget(settings: &Settings, stores: &Stores, transport: Arc<dyn Transport>) -> anyhow::Result<Budget> {
    let client = Client::new(transport, stores.clock.clone());
    let api = Api::new(settings, client, stores.clock.clone()).map_err(|error| anyhow!(error))?;
    Ok(Budget {
        pool: stores.pool.clone(),
        throttle: stores.throttle.clone(),
        wakeups: stores.wakeups.clone(),
        queue: stores.queue.clone(),
        refreshes: stores.refreshes.clone(),
        api: Arc::new(api),
        clock: stores.clock.clone(),
        worker: settings.lambda_to_revive.clone(),
        unit: settings.wcl_call_budget,
        concurrency_limit: settings.concurrency_limit,
        tally: Arc::default(),
    })
}

fn registry(
    settings: &Settings,
    home: &Path,
    stores: &Stores,
    budget: &Budget,
    transport: Arc<dyn Transport>,
) -> Registry {
    let delay = settings.discovery_delay();
    let discover = DiscoverSettings {
        delay,
        pages_per_chunk: settings.pages_per_thread,
        rest: Duration::from_secs(u64::from(settings.wcl_ban_rest_minutes) * 60),
    };
    let source = source(settings, stores, budget, transport);
    let generated = settings.lua_out.clone().unwrap_or_else(|| home.join("databases"));
    Registry::new()
        .with(Discover::new(stores.rules.clone(), stores.discovers.clone(), source, discover))
        .with(aggregator(settings, stores))
        .with(RankFetcher::new(budget.clone(), stores.players.clone(), settings.budget_strategy))
        .with(Refresher::new(budget.clone(), stores.players.clone(), settings.budget_strategy))
        .with(Reviver::new(budget.clone(), settings.budget_strategy))
        .with(DbGenerator::new(stores.players.clone(), publisher(settings, home), generated))
}

fn aggregator(settings: &Settings, stores: &Stores) -> Aggregator {
    let (rules, discovers) = (stores.rules.clone(), stores.discovers.clone());
    Aggregator::new(rules, discovers, stores.queue.clone(), stores.pool.clone(), settings.aggregator())
}

fn source(
    settings: &Settings,
    stores: &Stores,
    budget: &Budget,
    transport: Arc<dyn Transport>,
) -> Arc<dyn PlayerSource> {
    match settings.discovery_source {
        DiscoverySource::Pages => {
            let interval = Duration::from_millis(settings.wcl_page_interval_ms);
            let client = Client::with_interval(transport, stores.clock.clone(), interval);
            Arc::new(RankingPages::new(client, settings.wcl_site_url.clone()))
        }
        DiscoverySource::Reports => Arc::new(Reports::new(budget.clone(), settings.discovery_delay())),
    }
}

/// Git, if a repository is set and no folder is asked for in its stead.
fn publisher(settings: &Settings, home: &Path) -> Option<Arc<dyn Publisher>> {
    let url = settings.lua_repository.as_ref().filter(|_| settings.lua_out.is_none())?;
    Some(Arc::new(Git::new(GitSettings {
        branch: settings.lua_branch.clone(),
        author_name: settings.git_author_name.clone(),
        author_email: settings.git_author_email.clone(),
        token: settings.git_token.clone(),
        ssh_key: settings.git_ssh_key.clone(),
        ..GitSettings::new(url, home)
    })))
}

fn ports(stores: &Stores) -> Ports {
    let (queues, keys) = (stores.embedded.queues().clone(), stores.embedded.keys().clone());
    let changed: Changed = Arc::new(move || select(queues.changed(), keys.changed()).map(drop).boxed());
    Ports {
        queues: stores.queues().map(|queue| (queue.name().to_owned(), queue.clone())).into(),
        throttle: stores.throttle.clone(),
        wakeups: stores.wakeups.clone(),
        due: stores.embedded.wakeups(),
        clock: stores.clock.clone(),
        changed,
    }
}

/// The queue that feeds the rank fetcher.
pub(crate) fn trigger() -> QueueTrigger {
    let queue = RankFetcher::SPEC.queue();
    // The constant above has one; a test below says so.
    queue.unwrap_or(QueueTrigger { queue: "", batch: 0, visibility_timeout: Duration::ZERO, max_receives: 1 })
}

fn queue_settings(settings: &Settings) -> QueueSettings {
    let visibility_timeout = Duration::from_secs(settings.wcl_visibility_seconds);
    QueueSettings { visibility_timeout, max_receives: trigger().max_receives }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_fetcher_is_fed_by_its_queue() {
        assert_eq!(trigger().queue, stint_warcraftlogs::message::QUEUE);
    }

    /// The settings of the queues come from one trigger.
    #[test]
    fn the_refresher_treats_its_messages_as_the_rank_fetcher_does() {
        assert_eq!(Refresher::SPEC.queue(), Some(QueueTrigger { queue: REFRESH_QUEUE, ..trigger() }));
    }
}
