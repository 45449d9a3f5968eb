//! Runs fleets on this machine until somebody stops them.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures::future::{Either, join_all, select};
use serde::Serialize;
use stint_core::clock::between;
use stint_core::worker::Stop;
use stint_host::Totals;
use stint_warcraftlogs::config::{BudgetStrategy, DiscoverySource, Settings};
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::progress::{Progress, Snapshot};
use crate::wiring::{BackendSettings, Fleet, QueueBackend, WARCRAFTLOGS};

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
    /// The fleets; without any, all that work today.
    fleets: Vec<String>,

    /// Stop by itself when nothing is queued or parked any more.
    #[arg(long)]
    until_drained: bool,

    #[command(flatten)]
    settings: Settings,

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

/// Runs until Ctrl-C or SIGTERM, then drains.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.fleets.iter().find(|fleet| *fleet != stint_warcraftlogs::FLEET) {
        bail!("there is no fleet '{unknown}'; the one that works today is {}", stint_warcraftlogs::FLEET);
    }
    let settings = &arguments.settings;
    ensure!(
        !settings.wcl_keys.is_empty(),
        "WCL_KEYS is not set: the rank fetcher needs at least one API key, as id:secret"
    );
    let stop = Stop::default();
    let backends = context.backends(&arguments.backends).await?;
    let fleet = Fleet::build(settings, &backends, stop.clone()).await?;
    start(&fleet, context).await?;
    say_what_happens(&fleet, settings, context).await?;
    let loops: Vec<_> = fleet.host.loops().into_iter().map(tokio::spawn).collect();
    let looks = if arguments.backends.choice().queues == QueueBackend::Sqs { OF_SQS } else { OF_FILES };
    let watching = Box::pin(watch(&fleet, context, arguments.until_drained, looks));
    let watched = match select(watching, Box::pin(interrupted())).await {
        Either::Left((watched, _)) => watched,
        Either::Right((signal, _)) => {
            signal.map(|()| context.output.line("stopping: what is under way is finished first"))
        }
    };
    stop.set();
    let drained = drain(loops, context).await;
    watched?;
    let summary = Summary { drained, totals: fleet.host.counters().totals() };
    context.output.result(&summary, |summary| {
        let Totals { invocations, succeeded, .. } = summary.totals;
        format!("stopped after {invocations} invocations and {succeeded} messages done\n")
    })
}

/// Sets the schedules, and wakes those workers once that find out by themselves whether there is something to do: a
/// fresh installation then begins at once, and one that died with its concurrency at 0 comes back.
async fn start(fleet: &Fleet, context: &Context) -> anyhow::Result<()> {
    fleet.host.set_schedules().await?;
    for worker in ["discover", "reviver"] {
        fleet.stores.wakeups.once(&format!("start-{worker}"), worker, context.clock.now()).await?;
    }
    Ok(())
}

async fn say_what_happens(fleet: &Fleet, settings: &Settings, context: &Context) -> anyhow::Result<()> {
    let rules = fleet.stores.rules.list().await?.documents.len();
    let source = match settings.discovery_source {
        DiscoverySource::Pages => "ranking pages",
        DiscoverySource::Reports => "the API's reports",
    };
    let strategy = match settings.budget_strategy {
        BudgetStrategy::Ledger => "ledger",
        BudgetStrategy::WorstCase => "worst-case",
    };
    let keys = settings.wcl_keys.len();
    let (site, api) = (&settings.wcl_site_url, &settings.wcl_api_url);
    context.output.line(&format!(
        "{}: {rules} discovery rules on {source} of {site}, {keys} keys for {api}, strategy {strategy}; state in {}",
        stint_warcraftlogs::FLEET,
        context.home.display()
    ));
    if rules == 0 {
        context.output.line(
            "there are no discovery rules yet, so nothing will be discovered; add one: stint rules add --raid 26 \
             --difficulty 3 --start-page 1 --end-page 600",
        );
    }
    for spec in WARCRAFTLOGS {
        tracing::info!(worker = spec.name, "{} {}", spec.name, spec.summary);
    }
    Ok(())
}

/// Shows progress; ends only if asked to end when everything is done.
async fn watch(fleet: &Fleet, context: &Context, until_drained: bool, looks: Looks) -> anyhow::Result<()> {
    let mut progress = Progress::new(&context.output, None);
    let budget = &fleet.budget;
    let mut drained_since = None;
    loop {
        let now = context.clock.now();
        let snapshot = Snapshot::take(&fleet.stores, &budget.worker, budget.concurrency_limit, now).await?;
        progress.show(&snapshot);
        drained_since = snapshot.is_drained().then(|| drained_since.unwrap_or(now));
        if until_drained && drained_since.is_some_and(|since| between(since, now) >= looks.settled) {
            progress.finish();
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
