//! Runs fleets on this machine until they are stopped.

mod drained;
mod poe_stashes;
mod warcraftlogs;
mod watch;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::worker::Stop;
use stint_host::Totals;
use tokio::task::{JoinError, JoinSet};

use super::Context;
use super::stopping::{STOPPING, drained, interrupted};
use super::upkeep::check_after_a_kill;
use crate::wiring::{BackendSettings, FLEETS, FleetSettings, Installation, Plan, fleet_names, plan};
use watch::watch;
pub(super) use watch::{Looks, Until};

/// What to run, and how.
#[derive(clap::Args)]
#[command(after_help = "Every setting is also an environment variable; see docs/configuration.md.")]
pub(crate) struct Arguments {
    /// The fleets; without any, all whose settings are there.
    fleets: Vec<String>,

    /// Stop by itself when nothing is left to do: no rule is due, no player waits anywhere, and the databases are written.
    /// What rests, such as a rule after a ban, is named, and the exit code is 1.
    #[arg(long)]
    until_drained: bool,

    #[command(flatten)]
    settings: FleetSettings,

    #[command(flatten)]
    backends: BackendSettings,
}

/// What was done.
#[derive(Serialize)]
pub(super) struct Summary {
    drained: bool,
    /// By a person.
    #[serde(skip)]
    pub(super) interrupted: bool,
    #[serde(flatten)]
    pub(super) totals: Totals,
}

/// What a fleet is at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Work {
    /// There is something to do.
    UnderWay,
    /// Nothing is left to do.
    Done,
    /// Nothing more will be done, for this reason, and not because all is done.
    Stopped(String),
}

/// A fleet while it runs here.
#[async_trait(?Send)]
trait Running {
    /// Sets it going. Its schedules are set already.
    async fn start(&self, context: &Context) -> anyhow::Result<()>;

    /// Says what it is about to do, and what is missing.
    async fn say_what_happens(&self, context: &Context) -> anyhow::Result<()>;

    /// Shows what it does.
    async fn look(&mut self, now: Timestamp) -> anyhow::Result<()>;

    /// Returns what it is at, as of the last look. Called only with `--until-drained`.
    async fn work(&mut self, now: Timestamp) -> anyhow::Result<Work>;

    /// Ends the showing.
    fn finish(&mut self);
}

/// Takes a fleet out of an installation, to look at it.
type Open = for<'a> fn(
    &'a Installation<'a>,
    &'a FleetSettings,
    &'a Context,
) -> LocalBoxFuture<'a, anyhow::Result<Box<dyn Running>>>;

/// How each fleet is looked at.
const RUNNING: [(&str, Open); 2] = [
    (stint_warcraftlogs::FLEET, |installation, settings, context| {
        warcraftlogs::open(installation, settings, context).boxed_local()
    }),
    (stint_poe_stashes::FLEET, |installation, settings, context| {
        poe_stashes::open(installation, settings, context).boxed_local()
    }),
];

/// Runs until Ctrl-C or SIGTERM, then drains.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let settings = &arguments.settings;
    let plans = chosen(&arguments.fleets, settings)?;
    check_after_a_kill(context)?;
    let backends = context.backends(&arguments.backends).await?;
    let installation = Installation::build(&plans, settings, &backends, Stop::default()).await?;
    let until = Until { drained: arguments.until_drained, looks: Looks::at(arguments.backends.choice().queues) };
    let summary = here(&plans, &installation, settings, until, context).await?;
    context.output.result(&summary, |summary| {
        let Totals { invocations, succeeded, .. } = summary.totals;
        format!("stopped after {invocations} invocations and {succeeded} messages done\n")
    })
}

/// Runs an installation until it is over, and drains it. It is run once. Other commands see meanwhile that this process runs
/// the fleets.
pub(super) async fn here(
    plans: &[&Plan],
    installation: &Installation<'_>,
    settings: &FleetSettings,
    until: Until,
    context: &Context,
) -> anyhow::Result<Summary> {
    let fleets = plans.iter().map(|plan| plan.name.to_owned()).collect();
    installation.hosts()?.beside(fleets, run_here(plans, installation, settings, until, context)).await
}

async fn run_here(
    plans: &[&Plan],
    installation: &Installation<'_>,
    settings: &FleetSettings,
    until: Until,
    context: &Context,
) -> anyhow::Result<Summary> {
    let mut running = open(plans, installation, settings, context).await?;
    let mut loops: JoinSet<()> = installation.host.loops().into_iter().collect();
    let ended = until_over(watch(&mut running, context, until), &mut loops, context).await;
    installation.stop.set();
    let drained = drain(&mut loops, context).await;
    let interrupted = ended?;
    Ok(Summary { drained, interrupted, totals: installation.host.counters().totals() })
}

/// The fleets that are named, all of whose settings must be there; without names, those whose settings are.
fn chosen(names: &[String], settings: &FleetSettings) -> anyhow::Result<Vec<&'static Plan>> {
    let named = names.iter().map(|name| {
        plan(name).with_context(|| format!("there is no fleet '{name}'; those that work today are {}", fleet_names()))
    });
    let named: Vec<&Plan> = named.collect::<anyhow::Result<_>>()?;
    for plan in &named {
        let missing = (plan.missing)(settings);
        ensure!(missing.is_none(), "{}", missing.unwrap_or_default());
    }
    if !named.is_empty() {
        return Ok(named);
    }
    let ready: Vec<&Plan> = FLEETS.iter().filter(|plan| (plan.missing)(settings).is_none()).collect();
    let missing: Vec<String> =
        FLEETS.iter().filter_map(|plan| Some(format!("{}: {}", plan.name, (plan.missing)(settings)?))).collect();
    ensure!(!ready.is_empty(), "no fleet can run; {}", missing.join("; "));
    Ok(ready)
}

/// Sets schedules and fleets going, and says what happens.
async fn open(
    plans: &[&Plan],
    installation: &Installation<'_>,
    settings: &FleetSettings,
    context: &Context,
) -> anyhow::Result<Vec<Box<dyn Running>>> {
    installation.host.set_schedules().await?;
    let mut running = Vec::new();
    for (_, open) in RUNNING.iter().filter(|(name, _)| plans.iter().any(|plan| plan.name == *name)) {
        let fleet = open(installation, settings, context).await?;
        fleet.start(context).await?;
        fleet.say_what_happens(context).await?;
        running.push(fleet);
    }
    for spec in plans.iter().flat_map(|plan| plan.workers) {
        tracing::info!(worker = spec.name, "{} {}", spec.name, spec.summary);
    }
    Ok(running)
}

/// Completes when the watch is over, at a signal, or when the host has ended by itself. Returns whether it was a signal.
async fn until_over(
    watching: impl Future<Output = anyhow::Result<()>>,
    loops: &mut JoinSet<()>,
    context: &Context,
) -> anyhow::Result<bool> {
    let told = select(Box::pin(interrupted()), Box::pin(loops.join_next()));
    match select(Box::pin(watching), told).await {
        Either::Left((watched, _)) => watched.map(|()| false),
        Either::Right((Either::Left((signal, _)), _)) => {
            signal.map(|()| context.output.line(STOPPING))?;
            Ok(true)
        }
        Either::Right((Either::Right((ended, _)), _)) => Err(broken(ended)),
    }
}

/// Why the host has ended without having been told to: whatever it fed stands still.
fn broken(ended: Option<Result<(), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Err(error)) => anyhow!("a part of the host has failed, and all of it is stopped: {error}"),
        Some(Ok(())) | None => {
            anyhow!("a part of the host has ended by itself, and all of it is stopped; the log says why")
        }
    }
}

/// Waits for what is under way, and answers whether it was finished.
async fn drain(loops: &mut JoinSet<()>, context: &Context) -> bool {
    let all = Box::pin(async { while loops.join_next().await.is_some() {} });
    let done = drained(all, context).await.is_some();
    if !done {
        context.output.line("stopped while work was under way; its messages come back when their visibility times out");
    }
    done
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stint_host::SystemClock;

    use super::*;
    use crate::output::Output;

    #[tokio::test]
    async fn a_host_that_has_lost_a_part_is_stopped() {
        let context = Context { home: "home".into(), output: Output::new(true), clock: Arc::new(SystemClock) };
        let over = async |mut loops: JoinSet<()>| {
            let ended = until_over(std::future::pending(), &mut loops, &context).await;
            ended.unwrap_err().to_string()
        };
        let mut loops: JoinSet<()> = [std::future::pending::<()>()].into_iter().collect();
        loops.spawn(async { panic!("a worker is broken") });
        let error = over(loops).await;
        assert!(error.contains("all of it is stopped: task") && error.contains("a worker is broken"), "{error}");
        let mut loops: JoinSet<()> = [std::future::pending::<()>()].into_iter().collect();
        loops.spawn(async {});
        assert!(over(loops).await.starts_with("a part of the host has ended by itself"));
    }
}
