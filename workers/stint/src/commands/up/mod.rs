//! Runs fleets on this machine until somebody stops them.

mod poe_stashes;
mod warcraftlogs;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use futures::future::{Either, FutureExt, LocalBoxFuture, join_all, select};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::between;
use stint_core::worker::Stop;
use stint_host::Totals;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::wiring::{BackendSettings, FLEETS, FleetSettings, Installation, Plan, QueueBackend, fleet_names, plan};

/// How a running fleet is looked at.
#[derive(Clone, Copy)]
struct Looks {
    /// Between two of them.
    every: Duration,
    /// How long queues must have looked empty before they are.
    settled: Duration,
}

/// At files: nothing is as cheap.
const OF_FILES: Looks = Looks { every: Duration::from_secs(1), settled: Duration::ZERO };

/// At SQS, where a look is two paid requests to a queue, and where counts are right a minute after the last change.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
const OF_SQS: Looks = Looks { every: Duration::from_secs(15), settled: Duration::from_secs(60) };

/// What is still running this long after the signal is left to its visibility time-out and its holds' end.
const DRAIN: Duration = Duration::from_secs(30);

/// What to run, and how.
#[derive(clap::Args)]
#[command(after_help = "Every setting is also an environment variable; see docs/configuration.md.")]
pub(crate) struct Arguments {
    /// The fleets; without any, all whose settings are there.
    fleets: Vec<String>,

    /// Stop by itself when nothing is queued or parked any more.
    #[arg(long)]
    until_drained: bool,

    #[command(flatten)]
    settings: FleetSettings,

    #[command(flatten)]
    backends: BackendSettings,
}

/// What was done.
#[derive(Serialize)]
struct Summary {
    drained: bool,
    #[serde(flatten)]
    totals: Totals,
}

/// A fleet while it runs here.
#[async_trait(?Send)]
trait Running {
    /// Sets it going. Its schedules are set already.
    async fn start(&self, context: &Context) -> anyhow::Result<()>;

    /// Says what it is about to do, and what is missing.
    async fn say_what_happens(&self, context: &Context) -> anyhow::Result<()>;

    /// Shows what it does. Answers whether nothing is left to do.
    async fn look(&mut self, now: Timestamp) -> anyhow::Result<bool>;

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
    let stop = Stop::default();
    let backends = context.backends(&arguments.backends).await?;
    let installation = Installation::build(&plans, settings, &backends, stop.clone()).await?;
    let mut running = open(&plans, &installation, settings, context).await?;
    let loops: Vec<_> = installation.host.loops().into_iter().map(tokio::spawn).collect();
    let looks = if arguments.backends.choice().queues == QueueBackend::Sqs { OF_SQS } else { OF_FILES };
    let watching = Box::pin(watch(&mut running, context, arguments.until_drained, looks));
    let watched = match select(watching, Box::pin(interrupted())).await {
        Either::Left((watched, _)) => watched,
        Either::Right((signal, _)) => {
            signal.map(|()| context.output.line("stopping: what is under way is finished first"))
        }
    };
    stop.set();
    let drained = drain(loops, context).await;
    watched?;
    let summary = Summary { drained, totals: installation.host.counters().totals() };
    context.output.result(&summary, |summary| {
        let Totals { invocations, succeeded, .. } = summary.totals;
        format!("stopped after {invocations} invocations and {succeeded} messages done\n")
    })
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

/// Shows progress; ends only if asked to end when everything is done.
async fn watch(
    running: &mut [Box<dyn Running>],
    context: &Context,
    until_drained: bool,
    looks: Looks,
) -> anyhow::Result<()> {
    let mut drained_since = None;
    loop {
        let now = context.clock.now();
        let mut is_drained = true;
        for fleet in running.iter_mut() {
            is_drained &= fleet.look(now).await?;
        }
        drained_since = is_drained.then(|| drained_since.unwrap_or(now));
        if until_drained && drained_since.is_some_and(|since| between(since, now) >= looks.settled) {
            running.iter_mut().for_each(|fleet| fleet.finish());
            return Ok(());
        }
        context.clock.sleep(looks.every).await;
    }
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    match select(Box::pin(tokio::signal::ctrl_c()), Box::pin(terminate.recv())).await {
        Either::Left((pressed, _)) => pressed?,
        Either::Right(_) => {}
    }
    Ok(())
}

/// Waits for what is under way. A second signal, or a while, ends the wait: messages come back by themselves, and holds
/// end by themselves.
async fn drain(loops: Vec<tokio::task::JoinHandle<()>>, context: &Context) -> bool {
    let patience = select(context.clock.sleep(DRAIN), Box::pin(interrupted()));
    match select(Box::pin(join_all(loops)), patience).await {
        Either::Left(_) => true,
        Either::Right(_) => {
            context
                .output
                .line("stopped while work was under way; its messages come back when their visibility times out");
            false
        }
    }
}
