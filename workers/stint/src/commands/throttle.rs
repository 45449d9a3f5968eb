//! How many invocations of a worker may run at once.

use std::sync::Arc;

use serde::Serialize;
use stint_core::ports::Throttle;
use stint_core::worker::WorkerId;

use super::selection::Selection;
use crate::context::Context;
use crate::fleets::fleet::Fleet;
use crate::fleets::settings::FleetSettings;
use crate::fleets::{FleetWorker, all_workers, first_queue_worker, parse_worker};
use crate::table::Table;
use crate::views::breakers::BreakerView;
use crate::views::throttle::ThrottleView;
use crate::wiring::BackendSettings;

/// Shows throttles, or changes one.
#[derive(clap::Args)]
#[command(after_help = examples())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show every worker, or one.
    Show(Show),
    /// Set how many invocations of a worker may run at once.
    Set(Set),
    /// Start no more invocations of a worker until it is resumed.
    Pause(WorkerArgument),
    /// End a pause.
    Resume(WorkerArgument),
}

#[derive(clap::Args)]
struct Show {
    /// Only this worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = parse_worker)]
    worker: Option<FleetWorker>,
}

#[derive(clap::Args)]
#[command(after_help = set_help())]
struct Set {
    /// The worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = parse_worker)]
    worker: FleetWorker,
    /// The number of concurrent invocations; 0 stops receiving.
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000))]
    concurrency: u32,
}

#[derive(clap::Args)]
struct WorkerArgument {
    /// The worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = parse_worker)]
    worker: FleetWorker,
}

/// A worker's throttle, beside those of other fleets.
#[derive(Serialize)]
struct WorkerThrottle {
    fleet: &'static str,
    #[serde(flatten)]
    view: ThrottleView,
}

impl WorkerThrottle {
    async fn read(FleetWorker { spec, .. }: FleetWorker, throttle: &dyn Throttle) -> anyhow::Result<WorkerThrottle> {
        Ok(WorkerThrottle { fleet: spec.fleet, view: ThrottleView::new(spec, throttle.read(&spec.id()).await?) })
    }

    fn id(&self) -> WorkerId {
        WorkerId::new(self.fleet, self.view.worker)
    }
}

#[derive(Serialize)]
struct Listed {
    workers: Vec<WorkerThrottle>,
}

fn examples() -> String {
    let first = all_workers().next().map(|worker| worker.short_name()).unwrap_or_default();
    format!("Examples:\n  stint throttle\n  stint throttle pause {first}\n  {}", set_example())
}

fn set_help() -> String {
    format!(
        "Example:\n  {}\n\nA fleet that spends points adjusts the concurrency of the worker that spends them to the points that are left; to limit it permanently, set the fleet's own limit or pause it.",
        set_example()
    )
}

fn set_example() -> String {
    format!("stint throttle set {} 8", first_queue_worker().map(|worker| worker.short_name()).unwrap_or_default())
}

/// Shows or changes throttles.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        None => show(None, context).await,
        Some(Action::Show(Show { worker })) => show(worker, context).await,
        Some(Action::Set(Set { worker, concurrency })) => {
            let throttle = throttle(worker, context).await?;
            throttle.set(&worker.spec.id(), concurrency).await?;
            if worker.spec.queue().is_none() {
                let id = worker.spec.id();
                context.output.warning(&format!("{id} runs by schedule, one at a time; to stop it, pause it"));
            }
            print_changed(worker, &*throttle, context).await
        }
        Some(Action::Pause(WorkerArgument { worker })) => {
            let throttle = throttle(worker, context).await?;
            throttle.pause(&worker.spec.id()).await?;
            print_changed(worker, &*throttle, context).await
        }
        Some(Action::Resume(WorkerArgument { worker })) => {
            let throttle = throttle(worker, context).await?;
            throttle.resume(&worker.spec.id()).await?;
            print_changed(worker, &*throttle, context).await
        }
    }
}

/// Returns the throttle that controls a worker. Creates the folder if needed, but none of the fleet's own files.
async fn throttle(worker: FleetWorker, context: &Context) -> anyhow::Result<Arc<dyn Throttle>> {
    let backends = context.backends(&BackendSettings::from_environment()?, worker.fleet.needs()).await?;
    worker.fleet.throttle(&FleetSettings::from_environment(&[worker.fleet.settings()])?, &backends).await
}

async fn show(only: Option<FleetWorker>, context: &Context) -> anyhow::Result<()> {
    let named: Vec<&'static dyn Fleet> = only.iter().map(|worker| worker.fleet).collect();
    let Selection { fleets, settings, backends } = Selection::existing(&named, context).await?;
    let now = context.clock.now();
    let is_selected = |worker: &FleetWorker| match only {
        Some(only) => only.spec.id() == worker.spec.id(),
        None => fleets.iter().any(|fleet| fleet.name() == worker.fleet.name()),
    };
    let mut workers = Vec::new();
    for worker in all_workers().filter(is_selected) {
        let FleetWorker { fleet, spec } = worker;
        let throttle = fleet.throttle(&settings, &backends).await?;
        let mut worker_throttle = WorkerThrottle::read(worker, &*throttle).await?;
        let breakers = fleet.breakers(&settings, &backends)?;
        let upstreams = BreakerView::read(&*breakers, fleet.upstreams_of(spec, &settings)).await?;
        worker_throttle.view.waits = upstreams.iter().find_map(|upstream| upstream.wait(now));
        workers.push(worker_throttle);
    }
    context.output.result(&Listed { workers }, |listed| {
        let mut table = Table::new(["worker", ">runs at once", ">set to", ">default", "paused"]);
        for worker_throttle in &listed.workers {
            let view = &worker_throttle.view;
            let set = view.set.map_or_else(|| "-".to_owned(), |set| set.to_string());
            let paused = if view.paused { "yes" } else { "no" }.to_owned();
            table.row([
                worker_throttle.id().to_string(),
                view.effective.to_string(),
                set,
                view.default.to_string(),
                paused,
            ]);
        }
        let waits = listed
            .workers
            .iter()
            .filter_map(|worker_throttle| Some((worker_throttle.id(), worker_throttle.view.waits.as_deref()?)));
        let waits: String = waits.map(|(worker, waits)| format!("\n{worker} {waits}")).collect();
        format!("{table}{waits}{}", if waits.is_empty() { "" } else { "\n" })
    })
}

async fn print_changed(worker: FleetWorker, throttle: &dyn Throttle, context: &Context) -> anyhow::Result<()> {
    let worker_throttle = WorkerThrottle::read(worker, throttle).await?;
    context.output.result(&worker_throttle, |worker_throttle| {
        let (id, ThrottleView { effective, paused, .. }) = (worker_throttle.id(), &worker_throttle.view);
        if *paused {
            return format!("{id} is paused; resume it with `stint throttle resume {}`\n", worker.short_name());
        }
        format!("{id}: concurrency {effective}\n")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stint_host::SystemClock;

    use super::*;
    use crate::output::Output;

    /// Uses the sample fleet. This file does not name it; only the list of fleets does.
    #[tokio::test]
    async fn the_throttle_of_a_worker_of_a_new_fleet_is_set() {
        let home = tempfile::tempdir().unwrap();
        let context = Context { home: home.path().into(), output: Output::new(true), clock: Arc::new(SystemClock) };
        let worker = parse_worker("smp/sampler").unwrap();
        run(Arguments { action: Some(Action::Set(Set { worker, concurrency: 5 })) }, &context).await.unwrap();
        run(Arguments { action: Some(Action::Pause(WorkerArgument { worker })) }, &context).await.unwrap();
        let held = throttle(worker, &context).await.unwrap().read(&worker.spec.id()).await.unwrap();
        assert_eq!((held.limit, held.paused), (Some(5), true));
        let of_another_fleet = WorkerId::read("elsewhere", worker.spec.name);
        let held = throttle(worker, &context).await.unwrap().read(&of_another_fleet).await.unwrap();
        assert_eq!((held.limit, held.paused), (None, false), "it only has the same name");
    }
}
