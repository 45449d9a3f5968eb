//! What runs, what waits, and why: read from the stores alone, whichever process runs the fleet.

mod facts;
mod poe_stashes;
mod waits;
mod words;

use std::path::PathBuf;

use anyhow::ensure;
use jiff::Timestamp;
use serde::Serialize;
use stint_warcraftlogs::FLEET;
use stint_warcraftlogs::discovery::upstream;
use stint_warcraftlogs::store::{Backlog, Freshness, PlayerCounts, UpstreamRest};

use super::Context;
use super::breakers::BreakerView;
use super::keys::KeyView;
use super::queue::QueueView;
use super::rules::{RuleState, RuleView, rest_of, resting};
use super::throttle::ThrottleView;
use facts::Facts;
use poe_stashes::PoeStatus;
pub(super) use waits::refresh_waits_for_points;

/// Rules that are shown one by one; `stint rules list` has all.
const RULES_SHOWN: usize = 20;

/// Nothing to choose.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint status\n  watch -n 5 stint status\n  stint status --json | jq '.fleets[].workers'"
)]
pub(crate) struct Arguments {}

/// An installation at one moment.
#[derive(Serialize)]
struct Status {
    home: PathBuf,
    now: Timestamp,
    fleets: Vec<AnyFleet>,
}

/// A fleet, in its own words.
#[derive(Serialize)]
#[serde(untagged)]
enum AnyFleet {
    WarcraftLogs(Box<FleetStatus>),
    PoeStashes(Box<PoeStatus>),
}

#[derive(Serialize)]
struct FleetStatus {
    fleet: &'static str,
    rules: RulesStatus,
    /// Upstreams that no discovery asks now.
    resting: Vec<UpstreamRest>,
    /// Discovered players, by what is to become of them.
    discovers: Backlog,
    queues: Vec<QueueView>,
    players: PlayerCounts,
    keys: Vec<KeyView>,
    /// What the fleet calls, and whether it is held to be down.
    upstreams: Vec<BreakerView>,
    workers: Vec<WorkerStatus>,
    /// What to do next, if something is missing.
    hints: Vec<String>,
}

/// How many rules there are, and those that are shown: what runs and waits first.
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
    /// The queue that feeds it, if one does.
    queue: Option<&'static str>,
    /// By schedule or wake-up.
    next_run: Option<Timestamp>,
    /// What it does or waits for, in words.
    says: String,
}

/// Shows how the fleets stand.
pub(crate) async fn run(_arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    ensure!(
        context.home.is_dir() || context.is_installed()?,
        "there is no folder {}: begin with `stint rules add --help` and `stint up`, or name another folder with \
         --home or STINT_HOME",
        context.home.display()
    );
    let settings = context.settings()?;
    let now = context.clock.now();
    // An empty folder stays empty: who only looks creates nothing.
    let freshness = Freshness::at(now, settings.aggregator().refresh_after);
    let facts = if context.is_installed()? {
        Facts::read(&context.stores().await?, &freshness).await?
    } else {
        Facts::default()
    };
    let poe = if context.is_installed()? { PoeStatus::read(context, now).await? } else { None };
    let poe: Vec<AnyFleet> = poe.into_iter().map(|status| AnyFleet::PoeStashes(Box::new(status))).collect();
    let mut fleets = Vec::new();
    // A fleet that was never set up is shown only where there is no other: its hints say how to begin.
    if poe.is_empty() || facts.is_set_up() || !settings.wcl_keys.is_empty() {
        fleets.push(AnyFleet::WarcraftLogs(Box::new(fleet_status(&facts, &settings, now))));
    }
    fleets.extend(poe);
    let home = std::path::absolute(&context.home).unwrap_or_else(|_| context.home.clone());
    context.output.result(&Status { home, now, fleets }, words::in_words)
}

fn fleet_status(facts: &Facts, settings: &stint_warcraftlogs::config::Settings, now: Timestamp) -> FleetStatus {
    let delay = settings.discovery_delay();
    let resting = resting(facts.upstreams.clone(), now);
    let upstream = rest_of(&resting, &upstream(settings));
    let view = |status| RuleView::new(status, delay, now).under(upstream);
    let mut rules: Vec<RuleView> = facts.rules.iter().map(view).collect();
    rules.sort_by_key(|rule| rule.state);
    let workers = waits::workers(facts, &rules, settings, now);
    FleetStatus {
        fleet: FLEET,
        rules: rules_status(rules),
        resting,
        discovers: facts.backlog,
        queues: vec![facts.queue.clone(), facts.refreshes.clone()],
        players: facts.players,
        keys: KeyView::all(&facts.keys, now),
        upstreams: facts.breakers.clone(),
        workers,
        hints: waits::hints(facts, settings, now),
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
