//! How many invocations of a worker may run at once.

use serde::Serialize;
use stint_core::ports::{Concurrency, Throttle};
use stint_core::worker::{Spec, Worker};
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};
use stint_poe_stashes::watcher::Watcher;
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;

use super::Context;
use super::breakers::{BreakerView, upstreams_of_discovery};
use crate::table::Table;
use crate::wiring::{Stores, specs};

/// Shows throttles, or changes one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint throttle\n  stint throttle pause discover\n  stint throttle set rank-fetcher 8"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show every worker.
    Show,
    /// Set how many invocations of a worker may run at once.
    Set(Set),
    /// Start no more invocations of a worker until it is resumed.
    Pause(Named),
    /// End a pause.
    Resume(Named),
}

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  stint throttle set rank-fetcher 8\n\nThe rank fetcher and the reviver set the rank \
                        fetcher's number themselves, as points come and go; to hold it back for good, set \
                        CONCURRENCY_LIMIT or pause it."
)]
struct Set {
    /// The worker.
    #[arg(value_parser = worker)]
    worker: Spec,
    /// So many at once; 0 stops receiving.
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000))]
    concurrency: u32,
}

#[derive(clap::Args)]
struct Named {
    /// The worker.
    #[arg(value_parser = worker)]
    worker: Spec,
}

/// A worker's throttle as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ThrottleView {
    pub(crate) worker: &'static str,
    /// What holds when nothing was set.
    pub(crate) default: u32,
    pub(crate) set: Option<u32>,
    pub(crate) paused: bool,
    pub(crate) effective: u32,
    /// What holds it back beside the pause and the number: the upstream that it calls is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<String>,
}

impl ThrottleView {
    /// What `concurrency` means for a worker.
    pub(crate) fn new(spec: &Spec, concurrency: Concurrency) -> ThrottleView {
        let Concurrency { set, paused } = concurrency;
        let effective = concurrency.effective(spec.concurrency);
        ThrottleView { worker: spec.name, default: spec.concurrency, set, paused, effective, waits: None }
    }
}

#[derive(Serialize)]
struct Listed {
    workers: Vec<ThrottleView>,
}

/// Shows or changes throttles.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        None | Some(Action::Show) => show(context).await,
        Some(Action::Set(Set { worker, concurrency })) => {
            let throttle = context.stores().await?.throttle;
            throttle.set(worker.name, concurrency).await?;
            if worker.queue().is_none() {
                let name = worker.name;
                context.output.warning(&format!("{name} runs by schedule, one at a time; to stop it, pause it"));
            }
            changed(&worker, &*throttle, context).await
        }
        Some(Action::Pause(Named { worker })) => {
            let throttle = context.stores().await?.throttle;
            throttle.pause(worker.name).await?;
            changed(&worker, &*throttle, context).await
        }
        Some(Action::Resume(Named { worker })) => {
            let throttle = context.stores().await?.throttle;
            throttle.resume(worker.name).await?;
            changed(&worker, &*throttle, context).await
        }
    }
}

fn worker(name: &str) -> Result<Spec, String> {
    let known = specs().find(|spec| spec.name == name).copied();
    known.ok_or_else(|| {
        let names: Vec<&str> = specs().map(|spec| spec.name).collect();
        format!("there is no such worker; there are {}", names.join(", "))
    })
}

async fn show(context: &Context) -> anyhow::Result<()> {
    let Stores { throttle, breakers, .. } = context.existing_stores().await?;
    let (settings, now) = (context.settings()?, context.clock.now());
    let mut workers = Vec::new();
    for spec in specs() {
        let mut view = ThrottleView::new(spec, throttle.read(spec.name).await?);
        let upstreams = BreakerView::read(&*breakers, upstreams_of(spec, &settings)).await?;
        view.waits = upstreams.iter().find_map(|upstream| upstream.wait(now));
        workers.push(view);
    }
    context.output.result(&Listed { workers }, |listed| {
        let mut table = Table::new(["worker", ">runs at once", ">set to", ">default", "paused"]);
        for view in &listed.workers {
            let set = view.set.map_or_else(|| "-".to_owned(), |set| set.to_string());
            let paused = if view.paused { "yes" } else { "no" }.to_owned();
            table.row([view.worker.to_owned(), view.effective.to_string(), set, view.default.to_string(), paused]);
        }
        let waits = listed.workers.iter().filter_map(|view| Some((view.worker, view.waits.as_deref()?)));
        let waits: String = waits.map(|(worker, waits)| format!("\n{worker} {waits}")).collect();
        format!("{table}{waits}{}", if waits.is_empty() { "" } else { "\n" })
    })
}

/// The upstreams without which a worker has nothing to do.
fn upstreams_of(spec: &Spec, settings: &Settings) -> &'static [&'static str] {
    let calls: [(&Spec, &'static [&'static str]); 5] = [
        (&Discover::SPEC, upstreams_of_discovery(settings)),
        (&RankFetcher::SPEC, &[UPSTREAM]),
        (&Refresher::SPEC, &[UPSTREAM]),
        (&Follower::SPEC, &[PAGES_UPSTREAM]),
        (&Watcher::SPEC, &[HEAD_UPSTREAM]),
    ];
    let of = calls.iter().find(|(caller, _)| (caller.fleet, caller.name) == (spec.fleet, spec.name));
    of.map_or(&[], |(_, upstreams)| upstreams)
}

async fn changed(spec: &Spec, throttle: &dyn Throttle, context: &Context) -> anyhow::Result<()> {
    let view = ThrottleView::new(spec, throttle.read(spec.name).await?);
    context.output.result(&view, |ThrottleView { worker, effective, paused, .. }| {
        if *paused {
            return format!("{worker} is paused; end it with `stint throttle resume {worker}`\n");
        }
        format!("{worker} runs {effective} at once\n")
    })
}
