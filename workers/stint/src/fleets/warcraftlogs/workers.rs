//! Builds the fleet's workers, each with only the ports that it needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use async_trait::async_trait;
use secrecy::ExposeSecret;
use stint_core::circuit::CircuitSettings;
use stint_core::clock::Clock;
use stint_core::ports::Queue;
use stint_core::registry::Registry;
use stint_core::worker::{Worker, WorkerSpec};
use stint_http::{Breaker, Client, ReqwestTransport, Transport};
use stint_warcraftlogs::FLEET;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::Budget;
use stint_warcraftlogs::client::{Api, UPSTREAM};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::{Discover, DiscoverSettings};
use stint_warcraftlogs::discovery::{
    AlarmedSource, ApiServerIds, BreakerGuardedPages, DiscoverySource, PlayerSource, RankingPages, Reports, SITE,
    ServerIds, WithoutServerIds,
};
use stint_warcraftlogs::frozen::FrozenRaids;
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::next_worker::NextWorker;
use stint_warcraftlogs::publish::{Git, GitSettings, Limits, Publisher};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::rank_queries::LiveRankQueries;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;
use tokio::sync::OnceCell;

use super::specs::{queue_settings, trigger};
use super::stores::{Collections, Stores, throttle};
use super::up::RunningWarcraftLogs;

use crate::context::Context;
use crate::fleets::fleet::{self, RunningFleet};
use crate::wiring::{Backends, ReportLog};

/// Returns the transport that reaches real upstreams, and stand-ins on loopback.
pub(super) fn transport(settings: &Settings) -> anyhow::Result<Arc<dyn Transport>> {
    let transport = ReqwestTransport::new(&settings.wcl_user_agent).context("WCL_USER_AGENT")?;
    Ok(Arc::new(transport))
}

/// Builds the workers of the `warcraftlogs` fleet.
pub(super) struct Workers<'a> {
    settings: &'a Settings,
    backends: &'a Backends,
    /// One budget for all workers, because it counts what the process has done.
    budget: OnceCell<Budget>,
    transport: OnceCell<Arc<dyn Transport>>,
    /// One connection for all workers.
    collections: OnceCell<Collections>,
}

impl<'a> Workers<'a> {
    pub(super) fn new(settings: &'a Settings, backends: &'a Backends) -> Workers<'a> {
        let (budget, transport, collections) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Workers { settings, backends, budget, transport, collections }
    }

    /// Returns the stores and queues of the fleet.
    pub(super) async fn stores(&self) -> anyhow::Result<Stores> {
        Stores::open(self.settings, self.backends, self.collections().await?).await
    }

    async fn collections(&self) -> anyhow::Result<Collections> {
        self.collections.get_or_try_init(|| Collections::open(self.backends)).await.cloned()
    }

    /// Returns the budget. From now on, the keys of the settings are marked as in use.
    pub(super) async fn budget(&self) -> anyhow::Result<Budget> {
        self.budget.get_or_try_init(|| self.new_budget()).await.cloned()
    }

    /// Returns the budget for workers that plan it and may therefore change the throttle. Until the first batch has
    /// been planned, the operator's limit applies, not the worker's own default.
    async fn planned_budget(&self) -> anyhow::Result<Budget> {
        let budget = self.budget().await?;
        let Budget { throttle, worker, concurrency_limit, .. } = &budget;
        if throttle.read(worker).await?.limit.is_none() {
            throttle.set(worker, *concurrency_limit).await?;
        }
        Ok(budget)
    }

    async fn new_budget(&self) -> anyhow::Result<Budget> {
        let (settings, clock) = (self.settings, &self.backends.clock);
        ensure!(
            !settings.wcl_keys.is_empty(),
            "WCL_KEYS is not set: the workers that call the API need at least one key, as id:secret"
        );
        let breaker = self.breaker(UPSTREAM, settings.breaker())?;
        let client = Client::new(self.transport().await?, clock.clone()).guarded(Arc::new(breaker));
        let api = Api::new(settings, client, clock.clone()).map_err(|error| anyhow!(error))?;
        let collections = self.collections().await?;
        let pool = self.backends.pool(settings.ledger()).await?;
        let throttle = throttle(settings, self.backends).await?;
        pool.configure(&settings.key_ids()).await?;
        Ok(Budget {
            pool,
            throttle,
            wakeups: self.backends.wakeups()?,
            queue: self.queue(trigger().queue)?,
            refreshes: self.queue(REFRESH_QUEUE)?,
            api: Arc::new(api),
            rank_queries: Arc::new(LiveRankQueries::new(collections.rules, settings.ranks.options(), clock.clone())),
            frozen: Arc::new(FrozenRaids::new(collections.zones, settings.refresh_frozen)),
            clock: clock.clone(),
            worker: settings.lambda_to_revive.clone(),
            unit: settings.unit(),
            concurrency_limit: settings.concurrency_limit,
            counts: Arc::default(),
        })
    }

    /// Returns the breaker of an upstream.
    fn breaker(&self, upstream: &str, settings: CircuitSettings) -> anyhow::Result<Breaker> {
        let (breakers, records) = (self.backends.breakers()?, self.backends.alarm_records()?);
        let breakers = self.backends.alarming(breakers, records, FLEET);
        Ok(Breaker::new(upstream, breakers, self.backends.clock.clone(), settings))
    }

    async fn transport(&self) -> anyhow::Result<Arc<dyn Transport>> {
        self.transport.get_or_try_init(async || transport(self.settings)).await.cloned()
    }

    fn queue(&self, name: &str) -> anyhow::Result<Arc<dyn Queue>> {
        self.backends.queue(name, queue_settings(self.settings))
    }

    async fn discover(&self) -> anyhow::Result<Discover> {
        let settings = self.settings;
        let collections = self.collections().await?;
        let discover = DiscoverSettings {
            delay: settings.discovery_delay(),
            pages_per_chunk: settings.pages_per_thread,
            pause: Duration::from_secs(u64::from(settings.wcl_ban_rest_minutes) * 60),
        };
        let alarms = self.backends.alarms(self.backends.alarm_records()?);
        let source = Arc::new(AlarmedSource::new(self.source().await?, alarms));
        let next_worker = self.next_worker().await?;
        Ok(Discover::new(collections.rules, collections.discovers, source, next_worker, discover))
    }

    /// Returns the ports that start the next worker.
    async fn next_worker(&self) -> anyhow::Result<NextWorker> {
        let milestones = self.collections().await?.milestones;
        Ok(NextWorker { wakeups: self.backends.wakeups()?, milestones })
    }

    async fn source(&self) -> anyhow::Result<Arc<dyn PlayerSource>> {
        let settings = self.settings;
        Ok(match settings.discovery_source {
            DiscoverySource::Pages => {
                let interval = Duration::from_millis(settings.wcl_page_interval_ms);
                let site = Arc::new(self.breaker(SITE, settings.site_breaker())?);
                let client = Client::with_interval(self.transport().await?, self.backends.clock.clone(), interval);
                let (clock, servers) = (self.backends.clock.clone(), self.servers().await?);
                let client = client.guarded(site.clone());
                let pages = RankingPages::new(client, settings.wcl_site_url.clone(), clock, servers);
                let api =
                    if settings.has_one_host() { Some(self.breaker(UPSTREAM, settings.breaker())?) } else { None };
                Arc::new(BreakerGuardedPages::new(Arc::new(pages), site, api.map(Arc::new)))
            }
            DiscoverySource::Reports => Arc::new(Reports::new(self.budget().await?, settings)),
        })
    }

    /// Ranking pages need no key, except for the ids of servers that rules name.
    async fn servers(&self) -> anyhow::Result<Arc<dyn ServerIds>> {
        if self.settings.wcl_keys.is_empty() {
            return Ok(Arc::new(WithoutServerIds));
        }
        Ok(Arc::new(ApiServerIds::new(self.budget().await?)))
    }

    async fn aggregator(&self) -> anyhow::Result<Aggregator> {
        let collections = self.collections().await?;
        if self.settings.refresh_frozen {
            collections.zones.clear_frozen().await?;
        }
        let pool = self.backends.pool(self.settings.ledger()).await?;
        let queue = self.queue(trigger().queue)?;
        let (next_worker, settings) = (self.next_worker().await?, self.settings.into());
        Ok(Aggregator::new(collections.rules, collections.discovers, queue, pool, next_worker, settings))
    }
}

#[async_trait]
impl fleet::WorkerBuilder for Workers<'_> {
    async fn build_into(&self, registry: Registry, spec: &WorkerSpec) -> anyhow::Result<Registry> {
        let (settings, strategy) = (self.settings, self.settings.budget_strategy);
        let players = || async { anyhow::Ok(self.collections().await?.players) };
        Ok(match spec.name {
            name if name == Discover::SPEC.name => registry.with(self.discover().await?),
            name if name == Aggregator::SPEC.name => registry.with(self.aggregator().await?),
            name if name == RankFetcher::SPEC.name => registry.with(RankFetcher::new(
                self.planned_budget().await?,
                players().await?,
                strategy,
                self.next_worker().await?,
            )),
            name if name == Refresher::SPEC.name => {
                let refresh_results = self.collections().await?.refresh_results;
                registry.with(Refresher::new(self.planned_budget().await?, players().await?, refresh_results, strategy))
            }
            name if name == Reviver::SPEC.name => registry.with(Reviver::new(self.planned_budget().await?, strategy)),
            name if name == DbGenerator::SPEC.name => {
                let home = &self.backends.home;
                let generated = settings.lua_out.clone().unwrap_or_else(|| home.join("databases"));
                // An operator who names a folder wants the databases written there, not pushed.
                let repository = git(settings, home, &self.backends.clock).filter(|_| settings.lua_out.is_none());
                let publisher = repository.map(|repository| Arc::new(Git::new(repository)) as Arc<dyn Publisher>);
                let generator = DbGenerator::new(players().await?, publisher, generated);
                let generator = generator.with_options(settings.databases());
                let generator = generator.with_milestones(self.collections().await?.milestones);
                registry.with(generator.with_archives(settings.lua_archives.clone()))
            }
            unknown => bail!("unknown worker {unknown}"),
        })
    }

    async fn running(&self, report_log: &ReportLog, context: &Context) -> anyhow::Result<Box<dyn RunningFleet>> {
        let (stores, budget) = (self.stores().await?, self.budget().await?);
        Ok(Box::new(RunningWarcraftLogs::new(stores, budget, self.settings, report_log, context)))
    }
}

/// Returns the repository to push to and the options, if a repository is set.
pub(super) fn git(settings: &Settings, home: &Path, clock: &Arc<dyn Clock>) -> Option<GitSettings> {
    let url = settings.lua_repository.as_ref()?.expose_secret();
    Some(GitSettings {
        branch: settings.lua_branch.clone(),
        history: settings.lua_history,
        author_name: settings.git_author_name.clone(),
        author_email: settings.git_author_email.clone(),
        token: settings.git_token.clone(),
        ssh_key: settings.git_ssh_key.clone(),
        limits: Limits {
            silence: Duration::from_secs(settings.git_timeout_seconds),
            deadline: Duration::from_secs(settings.git_deadline_seconds),
            ..GitSettings::LIMITS
        },
        ..GitSettings::new(url, home, clock.clone())
    })
}
