//! Runs one invocation of a worker, and disposes of its messages in the local host.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::circuit::Pass;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{Delivery, PortResult, Queue, Receipt};
use stint_core::worker::{AnyWorker, Event, Invocation, Outcome, StopSignal, WorkerError};
use tracing::Instrument;

use crate::counters::Counters;
use crate::dispose::{dispose_of_exceptions, done, release_batch, release_for_outage, split_retried};
use crate::store_gate::{StoreGate, latest_start};
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
        Either::Right(_) => Err(WorkerError::TimedOut(given)),
    };
    watch.end(&outcome);
    outcome
}

/// What a batch is worked on with.
pub(crate) struct BatchContext<'a> {
    pub(crate) worker: &'a dyn AnyWorker,
    pub(crate) queue: &'a dyn Queue,
    pub(crate) max_receives: u32,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) counters: &'a Counters,
    pub(crate) stop: &'a StopSignal,
    pub(crate) gate: &'a StoreGate,
}

/// Invokes a worker on a batch that was just received, for no longer than the lease of the messages, and disposes of
/// them by its outcome. While the worker's stores cannot be reached, the batch is kept, as far as its lease allows: then
/// the outage costs its messages no further receive.
pub(crate) async fn invoke_batch(context: &BatchContext<'_>, mut batch: Vec<Delivery>) {
    let BatchContext { worker, queue, clock, gate, stop, .. } = context;
    let lease_ends = after(clock.now(), queue.visibility_timeout());
    let given = worker.spec().timeout.min(queue.visibility_timeout());
    while !batch.is_empty() {
        let latest = latest_start(lease_ends, given, clock.now());
        let Some(pass) = gate.pass(*worker, latest, stop).await else {
            return context.release_for_outage(&batch).await;
        };
        let deadline = after(clock.now(), given);
        let outcome = invoke_until(*worker, Event::Batch(batch.clone()), clock, deadline, stop).await;
        batch = context.end(pass, batch, outcome).await;
    }
}

impl BatchContext<'_> {
    /// Disposes of what has an outcome. Returns the messages that wait for a store.
    async fn end(&self, pass: Pass, batch: Vec<Delivery>, outcome: Result<Outcome, WorkerError>) -> Vec<Delivery> {
        let id = self.worker.spec().id();
        self.counters.count_batch(&outcome);
        let is_unavailable = self.gate.report(pass, &outcome).is_some();
        match &outcome {
            Ok(outcome) => tracing::debug!(worker = %id, report = %outcome.report, "{id} is done with a batch"),
            // The gate has told it once.
            Err(error) if is_unavailable => tracing::debug!(worker = %id, %error, "{id} failed: {error}"),
            Err(error) => tracing::warn!(worker = %id, %error, "{id} failed: {error}"),
        }
        let (kept, done) = match &outcome {
            _ if !is_unavailable => (Vec::new(), batch),
            Ok(outcome) => split_retried(batch, outcome),
            Err(_) => return batch,
        };
        if let Err(error) = dispose(self.queue, &done, outcome, self.counters).await {
            // The messages become visible again after their visibility timeout.
            tracing::error!(worker = %id, %error, "cannot dispose of a batch of {id}: {error}");
        }
        kept
    }

    /// Returns a batch whose lease ends before its stores are back. It is not received again before they are.
    async fn release_for_outage(&self, batch: &[Delivery]) {
        let (id, reason) = (self.worker.spec().id(), "the worker's stores cannot be reached");
        let released =
            release_for_outage(self.queue, batch, self.max_receives, Duration::ZERO, reason, self.counters).await;
        if let Err(error) = released {
            tracing::warn!(worker = %id, %error, "cannot release a batch of {id}: {error}");
        }
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
