//! One process of the fleet, wired as in the binary.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::Clock;
use stint_core::registry::Registry;
use stint_core::worker::{Event, Invocation, Outcome, StopSignal, Worker, WorkerError, WorkerId, WorkerSpec};
use stint_host::{Changed, LocalHost, Observer, Ports, Totals};
use stint_http::{Breaker, Client, Transport};
use stint_testkit::Workers;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::Budget;
use stint_warcraftlogs::client::{Api, UPSTREAM};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::{Discover, DiscoverSettings};
use stint_warcraftlogs::discovery::{
    ApiServerIds, BreakerGuardedPages, DiscoverySource, PlayerSource, RankingPages, Reports, SITE,
};
use stint_warcraftlogs::frozen::FrozenRaids;
use stint_warcraftlogs::message::{QUEUE, REFRESH_QUEUE};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::rank_queries::LiveRankQueries;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;
use stint_warcraftlogs::store::{Milestone, Milestones};

use super::faulty_stores::FaultyStore;
use super::{FaultPlan, FleetWorld, Stores};

/// Interval at which a process is checked for being idle.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Time-out of a worker that is run by hand, unless the test sets another.
const MANUAL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Workers and their host, with everything that a process keeps in memory.
pub(crate) struct Process {
    pub(crate) budget: Budget,
    host: Arc<LocalHost>,
    workers: Workers,
    clock: Arc<dyn Clock>,
    /// The stores themselves: reading them is not a kill point.
    stores: Stores,
    report_log: ReportLog,
}

/// The reports of scheduled workers, in the order in which they ended.
type ReportLog = Arc<Mutex<Vec<Entry>>>;

/// The report of one invocation, and its time; an error as text.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) worker: WorkerId,
    pub(crate) report: Value,
}

impl Process {
    pub(super) fn start(world: &FleetWorld, faults: &FaultPlan) -> Process {
        let network: Arc<dyn Transport> = world.network.clone();
        Process::start_on(world, world.stores.with_faults(faults), FaultyStore::new(&network, faults))
    }

    pub(super) fn start_on(world: &FleetWorld, stores: Stores, transport: Arc<dyn Transport>) -> Process {
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let budget = budget(world, &stores, &transport, &clock);
        let registry = registry(&world.settings, &stores, &budget, &transport);
        let files = world.embedded.clone();
        let changed: Changed = Arc::new(move || files.changed());
        let ports = Ports {
            queues: BTreeMap::from([
                (QUEUE.to_owned(), stores.queue.clone()),
                (REFRESH_QUEUE.to_owned(), stores.refreshes.clone()),
            ]),
            throttle: stores.throttle.clone(),
            wakeups: stores.wakeups.clone(),
            due: stores.due.clone(),
            clock: clock.clone(),
            changed,
        };
        let stop = StopSignal::default();
        let report_log = ReportLog::default();
        let observer = observer(report_log.clone(), clock.clone());
        let host = LocalHost::new(registry.clone(), ports, stop.clone()).observed_by(observer);
        let host = Arc::new(match world.look_every {
            Some(interval) => host.looking_every(interval),
            None => host,
        });
        // The binary does this before anything else. A second time changes nothing, so it is not a kill point.
        let configured = world.stores.pool.configure(&world.settings.key_ids()).now_or_never();
        configured.unwrap().unwrap();
        let workers = Workers::new(stint_warcraftlogs::FLEET, registry, clock.clone(), stop);
        Process { budget, host, workers, clock, stores: world.stores.clone(), report_log }
    }

    /// Runs a worker once, by hand, and returns its report.
    pub(crate) async fn run(&self, worker: &'static str) -> Value {
        self.workers.run(worker, Value::Null).await
    }

    /// Runs a worker once, with `time` until its deadline.
    pub(crate) async fn invoke(
        &self,
        worker: &'static str,
        event: Event,
        time: Duration,
    ) -> Result<Outcome, WorkerError> {
        self.workers.invoke(worker, event, time).await
    }

    /// Passes a body to a worker, by hand.
    pub(crate) async fn invoke_by_hand(&self, worker: &'static str, body: &str) {
        let outcome =
            self.invoke(worker, Event::Manual(serde_json::from_str(body).unwrap()), MANUAL_TIMEOUT).await.unwrap();
        assert_eq!(outcome.exceptions.len(), 0, "{body}");
    }

    /// Discovers until no rule is due.
    pub(crate) async fn discover_everything(&self) {
        while self.run("discover").await["rule"].is_string() {}
    }

    /// Runs the host until nothing is queued or parked any more, then drains it. A process can only be run once.
    pub(crate) async fn run_until_idle(&self) {
        self.run_while(async {
            while !self.is_idle().await {
                self.clock.sleep(POLL_INTERVAL).await;
            }
        })
        .await;
    }

    /// Runs the host until `instant`, then drains it.
    pub(crate) async fn run_until(&self, instant: Timestamp) {
        self.run_while(self.clock.sleep_until(instant)).await;
    }

    /// Runs the host beside `main`, then drains it.
    pub(crate) async fn run_while(&self, main: impl Future<Output = ()>) {
        self.workers.run_while(self.host.loops(), main).await;
    }

    /// Sets the workers' schedules, as `stint up` does.
    pub(crate) async fn set_schedules(&self) {
        self.host.set_schedules().await.unwrap();
    }

    /// The reports of a scheduled worker so far.
    pub(crate) fn reports(&self, worker: &'static str) -> Vec<Entry> {
        self.report_log.lock().unwrap().iter().filter(|entry| entry.worker.name == worker).cloned().collect()
    }

    /// The host's counts.
    pub(crate) fn totals(&self) -> Totals {
        self.host.counters().totals()
    }

    async fn is_idle(&self) -> bool {
        for queue in [&self.stores.queue, &self.stores.refreshes] {
            let parked = self.stores.pool.count_parked(queue.name()).await.unwrap();
            if parked + queue.counts().await.unwrap().unfinished() > 0 {
                return false;
            }
        }
        true
    }
}

fn observer(report_log: ReportLog, clock: Arc<dyn Clock>) -> Observer {
    Arc::new(move |worker, outcome| {
        let report = match outcome {
            Ok(outcome) => outcome.report.clone(),
            Err(error) => Value::from(error.to_string()),
        };
        report_log.lock().unwrap().push(Entry { at: clock.now(), worker: worker.clone(), report });
    })
}

fn budget(world: &FleetWorld, stores: &Stores, transport: &Arc<dyn Transport>, clock: &Arc<dyn Clock>) -> Budget {
    let settings = &world.settings;
    let breaker = Breaker::new(UPSTREAM, stores.breakers.clone(), clock.clone(), settings.breaker());
    let client = Client::new(transport.clone(), clock.clone());
    let client = if world.guarded { client.guarded(Arc::new(breaker)) } else { client };
    Budget {
        pool: stores.pool.clone(),
        throttle: stores.throttle.clone(),
        wakeups: stores.wakeups.clone(),
        queue: stores.queue.clone(),
        refreshes: stores.refreshes.clone(),
        api: Arc::new(Api::new(settings, client, clock.clone()).unwrap()),
        rank_queries: Arc::new(LiveRankQueries::new(stores.rules.clone(), settings.ranks.options(), clock.clone())),
        frozen: Arc::new(FrozenRaids::new(stores.zones.clone(), settings.refresh_frozen)),
        clock: clock.clone(),
        worker: settings.lambda_to_revive.clone(),
        unit: settings.unit(),
        concurrency_limit: settings.concurrency_limit,
        counts: Arc::default(),
    }
}

fn registry(settings: &Settings, stores: &Stores, budget: &Budget, transport: &Arc<dyn Transport>) -> Registry {
    let delay = settings.discovery_delay();
    let pause = Duration::from_secs(u64::from(settings.wcl_ban_rest_minutes) * 60);
    let discover = DiscoverSettings { delay, pages_per_chunk: settings.pages_per_thread, pause };
    let source: Arc<dyn PlayerSource> = match settings.discovery_source {
        DiscoverySource::Pages => {
            let interval = Duration::from_millis(settings.wcl_page_interval_ms);
            let site = Breaker::new(SITE, stores.breakers.clone(), budget.clock.clone(), settings.site_breaker());
            let site = Arc::new(site);
            let client = Client::with_interval(transport.clone(), budget.clock.clone(), interval).guarded(site.clone());
            let (clock, servers) = (budget.clock.clone(), Arc::new(ApiServerIds::new(budget.clone())));
            let pages = Arc::new(RankingPages::new(client, settings.wcl_site_url.clone(), clock, servers));
            let api = budget.api.breaker().filter(|_| settings.has_one_host()).cloned();
            Arc::new(BreakerGuardedPages::new(pages, site, api))
        }
        DiscoverySource::Reports => Arc::new(Reports::new(budget.clone(), settings)),
    };
    Registry::new()
        .with(Discover::new(stores.rules.clone(), stores.discovers.clone(), source, stores.next_worker(), discover))
        .with(aggregator(settings, stores))
        .with(RankFetcher::new(budget.clone(), stores.players.clone(), settings.budget_strategy, stores.next_worker()))
        .with(Refresher::new(
            budget.clone(),
            stores.players.clone(),
            stores.refresh_results.clone(),
            settings.budget_strategy,
        ))
        .with(Reviver::new(budget.clone(), settings.budget_strategy))
        .with(Generator(stores.milestones.clone()))
}

/// Replaces the database generator, whose files are not on virtual time: records when it ran.
struct Generator(Arc<dyn Milestones>);

impl Worker for Generator {
    const SPEC: WorkerSpec = DbGenerator::SPEC;

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.pass(Milestone::Generated, invocation.now()).await?;
        Ok(Outcome::default())
    }
}

fn aggregator(settings: &Settings, stores: &Stores) -> Aggregator {
    if settings.refresh_frozen {
        stores.zones.clear_frozen().now_or_never().unwrap().unwrap();
    }
    let (rules, discovers) = (stores.rules.clone(), stores.discovers.clone());
    let (queue, pool) = (stores.queue.clone(), stores.pool.clone());
    Aggregator::new(rules, discovers, queue, pool, stores.next_worker(), settings.into())
}
