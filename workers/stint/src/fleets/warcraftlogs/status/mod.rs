//! The state of the fleet.

mod input;
mod text;
mod waits;

use jiff::Timestamp;
use serde::Serialize;
use stint_warcraftlogs::FLEET;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discovery::upstream;
use stint_warcraftlogs::store::{Backlog, Freshness, PlayerCounts, UpstreamPause};

use super::commands::keys::KeyView;
use super::commands::rules::{RuleState, RuleView, active_pauses, pause_of};
use super::stores::Stores;
use crate::fleets::fleet::FleetStatus;
use crate::views::breakers::BreakerView;
use crate::views::queue::QueueView;
use crate::views::schedules::ScheduleView;
use crate::views::throttle::ThrottleView;
use crate::wiring::Backends;
use input::StatusInput;

/// The number of rules that are shown individually; `stint wcl rules list` shows all.
const RULES_SHOWN: usize = 20;

#[derive(Serialize)]
struct WclStatus {
    fleet: &'static str,
    rules: RulesStatus,
    /// Upstreams that discovery leaves alone at the moment.
    resting: Vec<UpstreamPause>,
    /// Discovered players, by state.
    discovers: Backlog,
    queues: Vec<QueueView>,
    players: PlayerCounts,
    keys: Vec<KeyView>,
    /// The upstreams, and whether each is considered down.
    upstreams: Vec<BreakerView>,
    workers: Vec<WorkerStatus>,
    /// Everything that will start a worker by time.
    schedules: Vec<ScheduleView>,
    /// Whether the workers are functions. The text lists the schedules of functions alone, since a machine's are the
    /// next runs of its workers.
    #[serde(skip)]
    calls_functions: bool,
    /// What the operator should do, if something is missing.
    hints: Vec<String>,
}

/// The number of rules, and the rules that are shown: running and waiting rules first.
#[derive(Serialize)]
struct RulesStatus {
    total: usize,
    running: usize,
    interrupted: usize,
    resting: usize,
    due: usize,
    fresh: usize,
    shown: Vec<RuleView>,
}

#[derive(Serialize)]
struct WorkerStatus {
    #[serde(flatten)]
    throttle: ThrottleView,
    /// The queue that feeds it, if there is one.
    queue: Option<&'static str>,
    /// By schedule or wake-up.
    next_run: Option<Timestamp>,
    /// What it does or waits for, as text.
    says: String,
}

/// Returns the state of the fleet, read from its stores. `backends` is `None` if this folder was never used.
pub(super) async fn read_status(
    settings: &Settings,
    backends: Option<&Backends>,
    now: Timestamp,
) -> anyhow::Result<FleetStatus> {
    let freshness = Freshness::at(now, settings.refresh_after());
    let input = match backends {
        Some(backends) => {
            let stores = Stores::open_read_only(settings, backends).await?;
            StatusInput::read(&stores, backends.schedules().await?, &freshness).await?
        }
        None => StatusInput::default(),
    };
    let is_set_up = input.is_set_up() || !settings.wcl_keys.is_empty();
    let status = wcl_status(&input, settings, now);
    FleetStatus::new(&status, is_set_up, |status, text| text::write(text, status, now))
}

fn wcl_status(input: &StatusInput, settings: &Settings, now: Timestamp) -> WclStatus {
    let delay = settings.discovery_delay();
    let resting = active_pauses(input.upstreams.clone(), now);
    let upstream = pause_of(&resting, &upstream(settings));
    let view = |status| RuleView::new(status, delay, now).with_upstream_pause(upstream);
    let mut rules: Vec<RuleView> = input.rules.iter().map(view).collect();
    rules.sort_by_key(|rule| rule.state);
    let workers = waits::workers(input, &rules, settings, now);
    WclStatus {
        fleet: FLEET,
        rules: rules_status(rules),
        resting,
        discovers: input.backlog,
        queues: vec![input.queue.clone(), input.refreshes.clone()],
        players: input.players,
        keys: KeyView::all(&input.keys, now),
        upstreams: input.breakers.clone(),
        workers,
        schedules: input.schedule_views(),
        calls_functions: input.calls_functions,
        hints: waits::hints(input, settings, now),
    }
}

fn rules_status(mut rules: Vec<RuleView>) -> RulesStatus {
    let count = |state| rules.iter().filter(|rule| rule.state == state).count();
    let mut status = RulesStatus {
        total: rules.len(),
        running: count(RuleState::Running),
        interrupted: count(RuleState::Interrupted),
        resting: count(RuleState::Resting),
        due: count(RuleState::Due),
        fresh: count(RuleState::Fresh),
        shown: Vec::new(),
    };
    rules.truncate(RULES_SHOWN);
    status.shown = rules;
    status
}
