//! How many invocations of a worker may run at once.

use std::sync::Arc;

use serde::Serialize;
use stint_core::ports::Throttle;

use super::meant::Meant;
use crate::context::Context;
use crate::fleets::fleet::Fleet;
use crate::fleets::{Member, first_fed, member, members};
use crate::settings::from_environment;
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
    Pause(Named),
    /// End a pause.
    Resume(Named),
}

#[derive(clap::Args)]
struct Show {
    /// Only this worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = member)]
    worker: Option<Member>,
}

#[derive(clap::Args)]
#[command(after_help = set_help())]
struct Set {
    /// The worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = member)]
    worker: Member,
    /// The number of concurrent invocations; 0 stops receiving.
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000))]
    concurrency: u32,
}

#[derive(clap::Args)]
struct Named {
    /// The worker.
    #[arg(value_name = "FLEET/WORKER", value_parser = member)]
    worker: Member,
}

#[derive(Serialize)]
struct Listed {
    workers: Vec<ThrottleView>,
}

fn examples() -> String {
    let first = members().next().map(|member| member.in_short()).unwrap_or_default();
    format!("Examples:\n  stint throttle\n  stint throttle pause {first}\n  {}", set_example())
}

fn set_help() -> String {
    format!(
        "Example:\n  {}\n\nA fleet that spends points sets the number of the worker that spends them itself, as points \
         come and go; to hold it back for good, set the fleet's own limit or pause it.",
        set_example()
    )
}

fn set_example() -> String {
    format!("stint throttle set {} 8", first_fed().map(|member| member.in_short()).unwrap_or_default())
}

/// Shows or changes throttles.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        None => show(None, context).await,
        Some(Action::Show(Show { worker })) => show(worker, context).await,
        Some(Action::Set(Set { worker, concurrency })) => {
            let throttle = throttle(worker, context).await?;
            throttle.set(worker.spec.name, concurrency).await?;
            if worker.spec.queue().is_none() {
                let name = worker.spec.name;
                context.output.warning(&format!("{name} runs by schedule, one at a time; to stop it, pause it"));
            }
            changed(worker, &*throttle, context).await
        }
        Some(Action::Pause(Named { worker })) => {
            let throttle = throttle(worker, context).await?;
            throttle.pause(worker.spec.name).await?;
            changed(worker, &*throttle, context).await
        }
        Some(Action::Resume(Named { worker })) => {
            let throttle = throttle(worker, context).await?;
            throttle.resume(worker.spec.name).await?;
            changed(worker, &*throttle, context).await
        }
    }
}

/// Returns the throttle that controls a worker. Creates the folder if needed, but none of the fleet's own files.
async fn throttle(worker: Member, context: &Context) -> anyhow::Result<Arc<dyn Throttle>> {
    let backends = context.backends(&BackendSettings::from_environment()?, worker.fleet.needs()).await?;
    worker.fleet.throttle(&from_environment()?, &backends).await
}

async fn show(only: Option<Member>, context: &Context) -> anyhow::Result<()> {
    let named: Vec<&dyn Fleet> = only.iter().map(|member| member.fleet).collect();
    let Meant { fleets, settings, backends } = Meant::installed(&named, context).await?;
    let now = context.clock.now();
    let is_meant = |member: &Member| match only {
        Some(only) => only.spec.name == member.spec.name,
        None => fleets.iter().any(|fleet| fleet.name() == member.fleet.name()),
    };
    let mut workers = Vec::new();
    for Member { fleet, spec } in members().filter(is_meant) {
        let throttle = fleet.throttle(&settings, &backends).await?;
        let mut view = ThrottleView::new(spec, throttle.read(spec.name).await?);
        let breakers = fleet.breakers(&settings, &backends)?;
        let upstreams = BreakerView::read(&*breakers, fleet.upstreams_of(spec, &settings)).await?;
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

async fn changed(worker: Member, throttle: &dyn Throttle, context: &Context) -> anyhow::Result<()> {
    let view = ThrottleView::new(worker.spec, throttle.read(worker.spec.name).await?);
    context.output.result(&view, |ThrottleView { worker: name, effective, paused, .. }| {
        if *paused {
            return format!("{name} is paused; end it with `stint throttle resume {}`\n", worker.in_short());
        }
        format!("{name} runs {effective} at once\n")
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
    async fn a_worker_of_a_new_fleet_is_steered() {
        let home = tempfile::tempdir().unwrap();
        let context = Context { home: home.path().into(), output: Output::new(true), clock: Arc::new(SystemClock) };
        let worker = member("smp/sampler").unwrap();
        run(Arguments { action: Some(Action::Set(Set { worker, concurrency: 5 })) }, &context).await.unwrap();
        run(Arguments { action: Some(Action::Pause(Named { worker })) }, &context).await.unwrap();
        let held = throttle(worker, &context).await.unwrap().read("sampler").await.unwrap();
        assert_eq!((held.set, held.paused), (Some(5), true));
    }
}
