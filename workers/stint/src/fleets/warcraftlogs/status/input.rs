//! Everything that the status is derived from, read once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::ledger::{KeyState, KeyStatus};
use stint_core::ports::{Concurrency, Counts, Schedule};
use stint_core::worker::{Worker, WorkerId, WorkerSpec};
use stint_warcraftlogs::FLEET;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::discovery::SITE;
use stint_warcraftlogs::message::REFRESH_QUEUE;
use stint_warcraftlogs::store::{Backlog, Freshness, MilestoneTimes, PlayerCounts, RuleStatus, UpstreamPause};

use crate::fleets::warcraftlogs::specs::{WORKERS, trigger};
use crate::fleets::warcraftlogs::stores::Stores;
use crate::views::breakers::BreakerView;
use crate::views::queue::QueueView;
use crate::views::schedules::ScheduleView;

/// The fleet's upstreams.
const UPSTREAMS: [&str; 2] = [UPSTREAM, SITE];

/// The stores at one moment. The default value is an unused installation.
pub(super) struct StatusInput {
    pub(super) rules: Vec<RuleStatus>,
    /// Upstreams that discovery leaves alone, or left alone before.
    pub(super) upstreams: Vec<UpstreamPause>,
    /// Discovered players, by state.
    pub(super) backlog: Backlog,
    pub(super) queue: QueueView,
    pub(super) refreshes: QueueView,
    pub(super) players: PlayerCounts,
    pub(super) keys: Vec<KeyStatus>,
    /// The fleet's schedules and wake-ups.
    pub(super) schedules: Vec<Schedule>,
    /// When each stage was last passed.
    milestones: MilestoneTimes,
    /// Whether the workers are functions, which schedules in the cloud start.
    pub(super) calls_functions: bool,
    /// The upstreams, and whether each is considered down.
    pub(super) breakers: Vec<BreakerView>,
    throttles: BTreeMap<WorkerId, Concurrency>,
}

impl Default for StatusInput {
    fn default() -> StatusInput {
        let queue = |name: &str| QueueView { queue: name.to_owned(), counts: Counts::default(), parked: 0 };
        StatusInput {
            rules: Vec::new(),
            upstreams: Vec::new(),
            backlog: Backlog::default(),
            queue: queue(trigger().queue),
            refreshes: queue(REFRESH_QUEUE),
            players: PlayerCounts::default(),
            keys: Vec::new(),
            schedules: Vec::new(),
            milestones: MilestoneTimes::default(),
            calls_functions: false,
            breakers: UPSTREAMS.map(BreakerView::unused).to_vec(),
            throttles: BTreeMap::new(),
        }
    }
}

impl StatusInput {
    /// Reads the stores one after the other. While a fleet runs, the numbers are not of the same instant.
    pub(super) async fn read(
        stores: &Stores,
        mut schedules: Vec<Schedule>,
        freshness: &Freshness,
    ) -> anyhow::Result<StatusInput> {
        let mut throttles = BTreeMap::new();
        for spec in &WORKERS {
            throttles.insert(spec.id(), stores.throttle.read(&spec.id()).await?);
        }
        schedules.retain(|schedule| schedule.worker.fleet == FLEET);
        Ok(StatusInput {
            rules: stores.rules.list().await?.documents,
            upstreams: stores.rules.upstreams().await?,
            backlog: stores.discovers.backlog(freshness).await?,
            queue: stores.view(&stores.queue).await?,
            refreshes: stores.view(&stores.refreshes).await?,
            players: stores.players.counts().await?,
            keys: stores.pool.keys().await?,
            schedules,
            milestones: stores.milestones.reached().await?,
            calls_functions: stores.calls_functions(),
            breakers: BreakerView::read(&*stores.breakers, &UPSTREAMS).await?,
            throttles,
        })
    }

    /// Returns whether the fleet was ever set up: there are rules, or keys that were once in use.
    pub(super) fn is_set_up(&self) -> bool {
        !self.rules.is_empty() || !self.keys.is_empty()
    }

    /// Returns what a worker that calls these upstreams waits for while one of them is down.
    pub(super) fn outage(&self, upstreams: &[&str], now: Timestamp) -> Option<String> {
        let called = self.breakers.iter().filter(|breaker| upstreams.contains(&breaker.upstream));
        called.filter_map(|breaker| breaker.wait(now)).next()
    }

    /// Returns the throttle of a worker.
    pub(super) fn throttle(&self, spec: &WorkerSpec) -> Concurrency {
        self.throttles.get(&spec.id()).copied().unwrap_or(Concurrency { limit: None, paused: false })
    }

    /// Returns when the worker runs next, by schedule or wake-up.
    pub(super) fn next_run(&self, spec: &WorkerSpec) -> Option<Timestamp> {
        let own = self.schedules.iter().filter(|schedule| schedule.worker == spec.id());
        own.filter_map(|schedule| schedule.next_due).min()
    }

    /// Returns when a worker was last done, as far as the stores record it.
    fn last_done(&self, worker: &WorkerId) -> Option<Timestamp> {
        let MilestoneTimes { aggregated, generated, .. } = self.milestones;
        if *worker == Discover::SPEC.id() {
            self.rules.iter().filter_map(|status| status.rule.last_run).max()
        } else if *worker == Aggregator::SPEC.id() {
            aggregated
        } else {
            generated.filter(|_| *worker == DbGenerator::SPEC.id())
        }
    }

    /// Returns the schedules, each with when its worker was last done.
    pub(super) fn schedule_views(&self) -> Vec<ScheduleView> {
        let view = |schedule: &Schedule| ScheduleView {
            last_done: self.last_done(&schedule.worker),
            schedule: schedule.clone(),
        };
        self.schedules.iter().map(view).collect()
    }

    /// Returns the keys that were set when the fleet last ran.
    pub(super) fn keys_in_use(&self) -> impl Iterator<Item = &KeyStatus> {
        self.keys.iter().filter(|key| key.state != KeyState::Retired)
    }
}
