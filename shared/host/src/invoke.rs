//! One invocation of a worker, and what becomes of its messages.
//!
//! # What may happen between any two lines
//! The process may die before, between or after the acknowledgements: what was not acknowledged becomes visible again
//! when its visibility times out, and workers do the same work twice without harm.

use std::time::Duration;

use futures::future::{Either, select};
use stint_core::clock::after;
use stint_core::ports::{Delivery, PortResult, Queue, Receipt};
use stint_core::worker::{AnyWorker, Disposition, Event, Invocation, Outcome, Stop, WorkerError};

use crate::counters::Counters;
use crate::local::Ports;

/// Before a batch whose invocation failed is visible again, for each time it was received.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Invokes `worker` and gives it its time-out, not more.
pub(crate) async fn invoke(
    worker: &dyn AnyWorker,
    event: Event,
    ports: &Ports,
    stop: &Stop,
) -> Result<Outcome, WorkerError> {
    let spec = worker.spec();
    let deadline = after(ports.clock.now(), spec.timeout);
    let invocation = Invocation::new(ports.clock.clone(), deadline, stop.clone());
    let run = worker.invoke(event, &invocation);
    match select(run, ports.clock.sleep_until(deadline)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(WorkerError::Failed(format!("timed out after {} s", spec.timeout.as_secs()))),
    }
}

/// Invokes `worker` on a batch and disposes of the messages as it says.
pub(crate) async fn invoke_batch(
    worker: &dyn AnyWorker,
    queue: &dyn Queue,
    batch: Vec<Delivery>,
    ports: &Ports,
    counters: &Counters,
    stop: &Stop,
) {
    let outcome = invoke(worker, Event::Batch(batch.clone()), ports, stop).await;
    Counters::add(&counters.invocations, 1);
    let name = worker.spec().name;
    match &outcome {
        Ok(outcome) => tracing::debug!(worker = name, report = %outcome.report, "{name} is done with a batch"),
        Err(error) => tracing::warn!(worker = name, %error, "{name} failed: {error}"),
    }
    if outcome.as_ref().map_or(true, |outcome| outcome.idle) {
        Counters::add(&counters.wasted, 1);
    }
    if let Err(error) = dispose(queue, &batch, outcome, counters).await {
        // The messages come back by themselves.
        tracing::error!(worker = name, %error, "cannot dispose of a batch of {name}: {error}");
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
        Err(error) => {
            let receipts: Vec<Receipt> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
            let receives = batch.iter().map(|delivery| delivery.receive_count).max().unwrap_or(1);
            Counters::add(&counters.released, receipts.len());
            return queue.release(&receipts, RETRY_DELAY * receives, &error.to_string()).await;
        }
    };
    let fate = |delivery: &Delivery| {
        let exceptions = &outcome.exceptions;
        exceptions.iter().find(|exception| exception.message_id == delivery.message_id).map(|found| &found.disposition)
    };
    // First what is done: a queue that then fails over an exception must not have finished work done again.
    let done = batch.iter().filter(|delivery| fate(delivery).is_none());
    let done: Vec<Receipt> = done.map(|delivery| delivery.receipt.clone()).collect();
    queue.acknowledge(&done).await?;
    Counters::add(&counters.succeeded, done.len());
    for delivery in batch {
        match fate(delivery) {
            None => {}
            Some(Disposition::Retry { reason, delay }) => {
                Counters::add(&counters.released, 1);
                queue.release(std::slice::from_ref(&delivery.receipt), *delay, reason).await?;
            }
            Some(Disposition::Reject { reason }) => {
                Counters::add(&counters.rejected, 1);
                queue.reject(&delivery.receipt, reason).await?;
            }
        }
    }
    Ok(())
}
