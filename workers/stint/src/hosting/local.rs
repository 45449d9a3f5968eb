//! Runs fleets on this machine until their work is done or the process is told to stop.

use anyhow::anyhow;
use futures::future::{Either, select};
use serde::Serialize;
use stint_host::Totals;
use tokio::task::{JoinError, JoinSet};

use super::http::Listening;
use super::installation::Installation;
use super::stopping::{STOPPING_MESSAGE, drain, wait_for_signal};
use super::watch::{WatchOptions, watch};
use crate::context::Context;
use crate::fleets::fleet::RunningFleet;

/// What the fleets did.
#[derive(Serialize)]
pub(crate) struct Summary {
    drained: bool,
    /// Stopped by an operator.
    #[serde(skip)]
    pub(crate) interrupted: bool,
    #[serde(flatten)]
    pub(crate) totals: Totals,
}

/// Runs an installation until it is done or told to stop, and drains it; `listening` serves its routes. Called once per process. Meanwhile other
/// commands see that this process runs the fleets.
pub(crate) async fn run_local(
    installation: &Installation<'_>,
    listening: Option<Listening>,
    options: WatchOptions,
    context: &Context,
) -> anyhow::Result<Summary> {
    let fleets = installation.fleets().map(|fleet| fleet.name().to_owned()).collect();
    installation.hosts()?.record_while(fleets, run_fleets(installation, listening, options, context)).await
}

async fn run_fleets(
    installation: &Installation<'_>,
    listening: Option<Listening>,
    options: WatchOptions,
    context: &Context,
) -> anyhow::Result<Summary> {
    let mut running = start_fleets(installation, context).await?;
    let mut loops: JoinSet<()> = installation.host.loops().into_iter().collect();
    if let Some(listening) = listening {
        context.output.line(&format!("serving on http://{}", listening.address));
        loops.spawn(listening.serve());
    }
    let ended = wait_for_end(watch(&mut running, context, options), &mut loops, context).await;
    installation.stop.set();
    let drained = drain_loops(&mut loops, context).await;
    let interrupted = ended?;
    Ok(Summary { drained, interrupted, totals: installation.host.counters().totals() })
}

/// Sets schedules, starts the fleets, and prints what will happen.
async fn start_fleets(
    installation: &Installation<'_>,
    context: &Context,
) -> anyhow::Result<Vec<Box<dyn RunningFleet>>> {
    installation.host.set_schedules().await?;
    let mut running = Vec::new();
    for opened in &installation.open_fleets {
        let fleet = opened.builder.running(&installation.report_log, context).await?;
        fleet.start(context).await?;
        fleet.print_plan(context).await?;
        running.push(fleet);
    }
    for spec in installation.fleets().flat_map(|fleet| fleet.workers()) {
        tracing::info!(worker = %spec.id(), "{} {}", spec.id(), spec.summary);
    }
    Ok(running)
}

/// Completes when the watch is over, at a signal, or when the host has ended by itself. Returns whether it was a
/// signal.
async fn wait_for_end(
    watching: impl Future<Output = anyhow::Result<()>>,
    loops: &mut JoinSet<()>,
    context: &Context,
) -> anyhow::Result<bool> {
    let told = select(Box::pin(wait_for_signal()), Box::pin(loops.join_next()));
    match select(Box::pin(watching), told).await {
        Either::Left((watched, _)) => watched.map(|()| false),
        Either::Right((Either::Left((signal, _)), _)) => {
            signal.map(|()| context.output.line(STOPPING_MESSAGE))?;
            Ok(true)
        }
        Either::Right((Either::Right((ended, _)), _)) => Err(host_failure(ended)),
    }
}

/// Returns why the host ended without being told to. Nothing feeds the workers then.
fn host_failure(ended: Option<Result<(), JoinError>>) -> anyhow::Error {
    match ended {
        Some(Err(error)) => anyhow!("a host task failed, so the host is stopping: {error}"),
        Some(Ok(())) | None => {
            anyhow!("a host task ended unexpectedly, so the host is stopping; see the log")
        }
    }
}

/// Waits for running invocations. Returns whether all of them finished.
async fn drain_loops(loops: &mut JoinSet<()>, context: &Context) -> bool {
    let all = Box::pin(async { while loops.join_next().await.is_some() {} });
    let done = drain(all, context).await.is_some();
    if !done {
        context
            .output
            .line("stopped before all work was finished; unfinished messages return after their visibility time-out");
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
    async fn a_failed_task_stops_the_host() {
        let context = Context { home: "home".into(), output: Output::new(true), clock: Arc::new(SystemClock) };
        let over = async |mut loops: JoinSet<()>| {
            let ended = wait_for_end(std::future::pending(), &mut loops, &context).await;
            ended.unwrap_err().to_string()
        };
        let mut loops: JoinSet<()> = [std::future::pending::<()>()].into_iter().collect();
        loops.spawn(async { panic!("a worker is broken") });
        let error = over(loops).await;
        assert!(error.contains("the host is stopping: task") && error.contains("a worker is broken"), "{error}");
        let mut loops: JoinSet<()> = [std::future::pending::<()>()].into_iter().collect();
        loops.spawn(async {});
        assert!(over(loops).await.starts_with("a host task ended unexpectedly"));
    }
}
