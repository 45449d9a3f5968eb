//! What becomes of a batch's messages: the part that both hosts share.
//!
//! # What may happen between any two lines
//! The process may die before, between or after these calls: what was neither acknowledged nor given back becomes
//! visible again when its visibility times out, and workers do the same work twice without harm.

use std::time::Duration;

use stint_core::ports::{Delivery, PortResult, Queue, Receipt};
use stint_core::telemetry::Metric;
use stint_core::worker::{Disposition, Outcome};

use crate::counters::Counters;

/// Before a batch whose invocation failed is visible again, for each time it was received.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The messages that are simply done.
pub(crate) fn done<'a>(batch: &'a [Delivery], outcome: &Outcome) -> Vec<&'a Delivery> {
    batch.iter().filter(|delivery| fate(delivery, outcome).is_none()).collect()
}

/// Gives a whole batch back, because its invocation failed.
pub(crate) async fn give_back(
    queue: &dyn Queue,
    batch: &[Delivery],
    reason: &str,
    counters: &Counters,
) -> PortResult<()> {
    let receipts: Vec<Receipt> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
    let receives = batch.iter().map(|delivery| delivery.receive_count).max().unwrap_or(1);
    Counters::add(&counters.released, receipts.len());
    Metric::Released.record(queue.name(), receipts.len() as f64);
    queue.release(&receipts, RETRY_DELAY * receives, reason).await
}

/// Gives back or rejects the messages that are not simply done, and answers the ids of those that will come back. One
/// whose disposal fails is among them: nobody has moved it.
pub(crate) async fn dispose_of_exceptions(
    queue: &dyn Queue,
    batch: &[Delivery],
    outcome: &Outcome,
    counters: &Counters,
) -> Vec<String> {
    let mut returning = Vec::new();
    for delivery in batch {
        let (disposed, returns) = match fate(delivery, outcome) {
            None => continue,
            Some(Disposition::Retry { reason, delay }) => {
                Counters::add(&counters.released, 1);
                Metric::Released.record(queue.name(), 1.0);
                tracing::info!(message_id = delivery.message_id, reason, "a message is given back: {reason}");
                (queue.release(std::slice::from_ref(&delivery.receipt), *delay, reason).await, true)
            }
            Some(Disposition::Reject { reason }) => {
                Counters::add(&counters.rejected, 1);
                Metric::DeadLetters.record(queue.name(), 1.0);
                tracing::info!(message_id = delivery.message_id, reason, "a message is rejected: {reason}");
                (queue.reject(&delivery.receipt, reason).await, false)
            }
        };
        if let Err(error) = &disposed {
            let queue = queue.name();
            tracing::error!(message_id = delivery.message_id, %error, "cannot dispose of a message of {queue}: {error}");
        }
        if returns || disposed.is_err() {
            returning.push(delivery.message_id.clone());
        }
    }
    returning
}

fn fate<'a>(delivery: &Delivery, outcome: &'a Outcome) -> Option<&'a Disposition> {
    let mut exceptions = outcome.exceptions.iter();
    exceptions.find(|exception| exception.message_id == delivery.message_id).map(|found| &found.disposition)
}
