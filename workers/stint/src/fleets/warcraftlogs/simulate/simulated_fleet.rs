//! The environment of a simulation: the real workers, the real ledger, a stand-in upstream, and the model of AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use secrecy::SecretString;
use stint_core::clock::{Clock, ManualClock};
use stint_core::ledger::KeyId;
use stint_core::ports::{KeyPool, QueueSettings, Wakeups};
use stint_core::worker::AnyWorker;
use stint_http::{Breaker, Client, MemoryBreakers, Transport};
use stint_simulation::Fault;
use stint_simulation::control_plane::{AwsThrottle, MappingControl, MappingSetting, Reserved};
use stint_simulation::key_pool::MemoryKeyPool;
use stint_simulation::lambda::SimulatedFunction;
use stint_simulation::poller::SimulatedMapping;
use stint_simulation::scheduler::Scheduler;
use stint_simulation::sqs::{LONGEST_RETENTION, Sqs, SqsSettings};
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Detail, Faults as UpstreamFaults, Options, StandinKey};
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::{Budget, BudgetStrategy};
use stint_warcraftlogs::client::{Api, UPSTREAM};
use stint_warcraftlogs::config::{Key, Settings};
use stint_warcraftlogs::discover::{Discover, DiscoverSettings};
use stint_warcraftlogs::frozen::FrozenRaids;
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::next_worker::{NextWorker, start_fleet};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::rank_queries::LiveRankQueries;
use stint_warcraftlogs::reviver::Reviver;
use stint_warcraftlogs::store::{Rule, Rules};

use super::directory::Directory;
use super::milestones::{MemoryMilestones, NoopGenerator};
use super::population_stores::PopulationStores;
use super::rules::MemoryRules;
use super::scenario::Scenario;
use super::standin_transport::StandinTransport;
use super::upstream::{FaultyTransport, RankingSource};
use crate::fleets::warcraftlogs::specs::trigger;

/// When every simulation begins: 2026-01-01 00:00:00 UTC.
const START: i64 = 1_767_225_600;

/// Pages that a rule names beyond those that are likely to exist, so that a pass has to detect the end itself.
const SPARE_PAGES: u32 = 5;

/// How often the upstream fails if that fault is requested, in thousandths of its requests, and how slow it becomes.
const UPSTREAM_FAULTS: UpstreamFaults = UpstreamFaults {
    failed_before_charge: 10,
    failed_after_charge: 10,
    rate_limited: 0,
    slow: 5,
    slow_latency: Duration::from_secs(40),
};

/// How often, in thousandths of its requests, the upstream returns a short 429 if that fault is requested.
const RATE_LIMITED_PER_MILLE: u32 = 10;

/// All parts of a simulation.
pub(super) struct SimulatedFleet {
    pub(super) clock: ManualClock,
    pub(super) started: Timestamp,
    pub(super) upstream: Arc<Mutex<WarcraftLogs>>,
    pub(super) standin: Arc<StandinTransport>,
    pub(super) stores: Arc<PopulationStores>,
    pub(super) queue: Arc<Sqs>,
    pub(super) pool: Arc<MemoryKeyPool>,
    pub(super) throttle: Arc<AwsThrottle>,
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) milestones: Arc<MemoryMilestones>,
    pub(super) functions: Vec<Arc<SimulatedFunction>>,
    pub(super) fetcher: Arc<SimulatedFunction>,
    pub(super) mapping: SimulatedMapping,
    pub(super) budget: Budget,
    rules: Arc<MemoryRules>,
    settings: Settings,
}

impl SimulatedFleet {
    /// Creates all parts. Nothing runs yet.
    pub(super) fn new(scenario: &Scenario, settings: Settings) -> anyhow::Result<SimulatedFleet> {
        let started = Timestamp::from_second(START)?;
        let clock = ManualClock::new(started);
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let options = options(scenario, &settings, started);
        let settings = point_at_standin(settings, scenario, &options)?;
        let upstream = Arc::new(Mutex::new(WarcraftLogs::new(options)));
        let standin = Arc::new(StandinTransport::new(&upstream, scenario.exclusive, time.clone()));
        let population = upstream.lock().unwrap_or_else(std::sync::PoisonError::into_inner).population();
        let (seed, faults) = (scenario.seed, &scenario.faults);
        let stores = Arc::new(PopulationStores::new(Directory::new(&population), time.clone(), seed, faults));
        let rules = Arc::new(MemoryRules::new(time.clone()));
        let sqs = |name| Arc::new(Sqs::new(name, queue_settings(&settings, started), time.clone(), seed, faults));
        // Nothing requests a refresh in a simulation, so no worker serves that queue.
        let (queue, refreshes) = (sqs(trigger().queue), sqs(REFRESH_QUEUE));
        let pool = Arc::new(MemoryKeyPool::new(settings.ledger(), time.clone(), seed, faults));
        let scheduler = Arc::new(Scheduler::new(time.clone(), seed, faults));
        let milestones = Arc::new(MemoryMilestones::default());
        let next_worker = NextWorker { wakeups: scheduler.clone(), milestones: milestones.clone() };
        let (reserved, control) = controls(&settings);
        let throttle = Arc::new(throttle(&settings, seed, &time, &reserved, &control));
        let budget = Budget {
            pool: pool.clone(),
            throttle: throttle.clone(),
            wakeups: scheduler.clone(),
            queue: queue.clone(),
            refreshes,
            api: Arc::new(api(&settings, &standin, scenario, &time)?),
            rank_queries: Arc::new(LiveRankQueries::new(rules.clone(), settings.ranks.options(), time.clone())),
            frozen: Arc::new(FrozenRaids::new(rules.clone(), settings.refresh_frozen)),
            clock: time.clone(),
            worker: settings.lambda_to_revive.clone(),
            unit: settings.unit(),
            concurrency_limit: settings.concurrency_limit,
            counts: Arc::default(),
        };
        let delay = settings.discovery_delay();
        let interval = Duration::from_millis(settings.wcl_page_interval_ms);
        let source = Arc::new(RankingSource::new(population, time.clone(), interval));
        let discover = DiscoverSettings {
            delay,
            pages_per_chunk: settings.pages_per_thread,
            pause: Duration::from_secs(u64::from(settings.wcl_ban_rest_minutes) * 60),
        };
        let function = |worker: Arc<dyn AnyWorker>, reserved: Option<Arc<Reserved>>| {
            SimulatedFunction::new(worker, reserved, time.clone(), seed, faults)
        };
        let strategy = settings.budget_strategy;
        let fetcher = RankFetcher::new(budget.clone(), stores.clone(), strategy, next_worker.clone());
        let fetcher = function(Arc::new(fetcher), Some(reserved));
        let discover = Discover::new(rules.clone(), stores.clone(), source, next_worker.clone(), discover);
        let aggregator = Aggregator::new(
            rules.clone(),
            stores.clone(),
            queue.clone(),
            pool.clone(),
            next_worker,
            (&settings).into(),
        );
        let functions = vec![
            function(Arc::new(discover), None),
            function(Arc::new(aggregator), None),
            function(Arc::new(Reviver::new(budget.clone(), strategy)), None),
            function(Arc::new(NoopGenerator(milestones.clone())), None),
            fetcher.clone(),
        ];
        let mapping = SimulatedMapping::new(queue.clone(), fetcher.clone(), trigger().batch, control, time.clone());
        Ok(SimulatedFleet {
            clock,
            started,
            upstream,
            standin,
            stores,
            queue,
            pool,
            throttle,
            scheduler,
            milestones,
            functions,
            fetcher,
            mapping,
            budget,
            rules,
            settings,
        })
    }

    /// Does what a deployment does once: it sets keys, rules and schedules. Schedules count from their creation; the
    /// workers that `stint up` starts at once are started at once here too.
    pub(super) async fn deploy(&self) -> anyhow::Result<()> {
        self.pool.configure(&self.settings.key_ids()).await?;
        let (pairs, players) = {
            let upstream = self.upstream.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (upstream.options().rankings.clone(), upstream.options().players)
        };
        for (position, (raid, difficulty)) in pairs.into_iter().enumerate() {
            let end_page = players / 100 + SPARE_PAGES;
            let id = format!("{position:024x}");
            self.rules.put(&Rule { id, raid, difficulty, start_page: 1, end_page, ..Rule::default() }).await?;
        }
        for function in &self.functions {
            let spec = function.spec();
            if let Some(every) = spec.schedule() {
                self.scheduler.every(&format!("schedule-{}", spec.name), &spec.id(), every.period()).await?;
            }
        }
        Ok(start_fleet(&*self.scheduler, self.clock.now()).await?)
    }

    /// Returns whether the strategy holds points, so that the ledger knows of every call.
    pub(super) fn budget_holds(&self) -> bool {
        self.settings.budget_strategy == BudgetStrategy::Ledger
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn options(scenario: &Scenario, settings: &Settings, started: Timestamp) -> Options {
    let window = Duration::from_secs(settings.wcl_window_seconds);
    let faults = if scenario.faults.has(Fault::ServerErrors) { UPSTREAM_FAULTS } else { UpstreamFaults::default() };
    let rate_limited = scenario.faults.chance(Fault::RateLimits, RATE_LIMITED_PER_MILLE);
    let mut options = Options::with_keys(scenario.seed, scenario.players, &scenario.keys, window, started);
    for (key, phase) in options.keys.iter_mut().zip(&scenario.phases) {
        key.phase = window * *phase / 1_000;
    }
    Options { detail: Detail::Reduced, faults: UpstreamFaults { rate_limited, ..faults }, ..options }
}

/// Applies the scenario, and the settings that point a fleet at the stand-in. Nothing else differs from a real fleet.
fn point_at_standin(settings: Settings, scenario: &Scenario, options: &Options) -> anyhow::Result<Settings> {
    let key = |key: &StandinKey| Key { id: KeyId(key.id.clone()), secret: SecretString::from(key.secret.clone()) };
    Ok(Settings {
        wcl_keys: options.keys.iter().map(key).collect(),
        wcl_api_url: "http://stand-in.invalid/api/v2/client".parse()?,
        wcl_token_url: "http://stand-in.invalid/oauth/token".parse()?,
        concurrency_limit: scenario.workers.unwrap_or(settings.concurrency_limit),
        budget_strategy: scenario.strategy.unwrap_or(settings.budget_strategy),
        ..settings
    })
}

fn queue_settings(settings: &Settings, started: Timestamp) -> SqsSettings {
    let visibility_timeout = Duration::from_secs(settings.wcl_visibility_seconds);
    let queue = QueueSettings { visibility_timeout, max_receives: trigger().max_receives };
    SqsSettings { queue, retention: LONGEST_RETENTION, started }
}

/// Returns the concurrency controls as deployed: the ledger's fleet limits and steers its mapping, the source
/// document's fleet does neither.
fn controls(settings: &Settings) -> (Arc<Reserved>, Arc<MappingControl>) {
    let limit = settings.concurrency_limit;
    let capped = settings.budget_strategy == BudgetStrategy::Ledger;
    let maximum_concurrency = capped.then_some(limit.max(2));
    let control = MappingControl::new(MappingSetting { enabled: true, maximum_concurrency });
    (Reserved::new(Some(limit)), control)
}

/// Returns the throttle. The ledger's fleet steers its mapping and leaves reserved concurrency as deployed: lowering it
/// below what the mapping pulls would only waste receives. The source document's fleet lowers reserved concurrency.
fn throttle(
    settings: &Settings,
    seed: u64,
    clock: &Arc<dyn Clock>,
    reserved: &Arc<Reserved>,
    control: &Arc<MappingControl>,
) -> AwsThrottle {
    let worker = settings.lambda_to_revive.clone();
    let (mut all_reserved, mut mappings) = (BTreeMap::new(), BTreeMap::new());
    if settings.budget_strategy == BudgetStrategy::Ledger {
        mappings.insert(worker, control.clone());
    } else {
        all_reserved.insert(worker, reserved.clone());
    }
    AwsThrottle::new(clock.clone(), seed, all_reserved, mappings)
}

fn api(
    settings: &Settings,
    standin: &Arc<StandinTransport>,
    scenario: &Scenario,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Api> {
    let standin: Arc<dyn Transport> = standin.clone();
    let transport = if scenario.faults.is_none() {
        standin
    } else {
        Arc::new(FaultyTransport::new(standin, scenario.seed, &scenario.faults))
    };
    let breakers = Arc::new(MemoryBreakers::default());
    let breaker = Breaker::new(UPSTREAM, breakers, clock.clone(), settings.breaker());
    let client = Client::new(transport, clock.clone()).guarded(Arc::new(breaker));
    Api::new(settings, client, clock.clone()).map_err(|error| anyhow!(error))
}
