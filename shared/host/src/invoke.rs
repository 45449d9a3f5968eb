//! Runs one invocation of a worker, and disposes of its messages in the local host.

use std::sync::Arc;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{Delivery, PortResult, Queue, Receipt};
use stint_core::worker::{AnyWorker, Event, Invocation, Outcome, StopSignal, WorkerError};
use tracing::Instrument;

use crate::counters::Counters;
use crate::dispose::{dispose_of_exceptions, done, release_batch};
use crate::local::Ports;
use crate::telemetry::InvocationRecorder;

/// Invokes `worker` once, by hand. Schedules and throttles do not apply; the worker's time-out does.
pub async fn invoke(
    worker: &dyn AnyWorker,
    event: Event,
    clock: &Arc<dyn Clock>,
    stop: &StopSignal,
) -> Result<Outcome, WorkerError> {
    invoke_until(worker, event, clock, after(clock.now(), worker.spec().timeout), stop).await
}

/// Invokes `worker` with a time-out at `deadline`.
pub(crate) async fn invoke_until(
    worker: &dyn AnyWorker,
    event: Event,
    clock: &Arc<dyn Clock>,
    deadline: Timestamp,
    stop: &StopSignal,
) -> Result<Outcome, WorkerError> {
    let begun = clock.now();
    let given = between(begun, deadline);
    let invocation = Invocation::new(clock.clone(), deadline, stop.clone());
    let watch = InvocationRecorder::begin(&worker.spec(), &event, begun);
    let run = Box::pin(worker.invoke(event, &invocation).instrument(watch.span()));
    let outcome = match select(run, clock.sleep_until(deadline)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(WorkerError::Failed(format!("timed out after {:.0} s", given.as_secs_f64()))),
    };
    watch.end(&outcome);
    outcome
}

/// Invokes `worker` on a batch that was just received, for no longer than the lease of the messages, and disposes of
/// them by its outcome.
pub(crate) async fn invoke_batch(
    worker: &dyn AnyWorker,
    queue: &dyn Queue,
    batch: Vec<Delivery>,
    ports: &Ports,
    counters: &Counters,
    stop: &StopSignal,
) {
    let given = worker.spec().timeout.min(queue.visibility_timeout());
    let deadline = after(ports.clock.now(), given);
    let outcome = invoke_until(worker, Event::Batch(batch.clone()), &ports.clock, deadline, stop).await;
    let id = worker.spec().id();
    counters.count_batch(&outcome);
    match &outcome {
        Ok(outcome) => tracing::debug!(worker = %id, report = %outcome.report, "{id} is done with a batch"),
        Err(error) => tracing::warn!(worker = %id, %error, "{id} failed: {error}"),
    }
    if let Err(error) = dispose(queue, &batch, outcome, counters).await {
        // The messages become visible again after their visibility timeout.
        tracing::error!(worker = %id, %error, "cannot dispose of a batch of {id}: {error}");
    }
}

async fn dispose(
    queue: &dyn Queue,
    batch: &[Delivery],
    outcome: Result<Outcome, WorkerError>,
    counters: &Counters,
) -> PortResult<()> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return release_batch(queue, batch, &error.to_string(), counters).await,
    };
    // Acknowledge finished messages first: if the queue then fails at an exception, finished work is not done again.
    let done: Vec<Receipt> = done(batch, &outcome).into_iter().map(|delivery| delivery.receipt.clone()).collect();
    queue.acknowledge(&done).await?;
    Counters::add(&counters.succeeded, done.len());
    dispose_of_exceptions(queue, batch, &outcome, counters).await;
    Ok(())
}
