//! Disposal of a batch's messages, shared by both hosts.
//!
//! # What may happen between any two lines
//! The process may exit before, between or after these calls. A message that was neither acknowledged nor released
//! becomes visible again after its visibility timeout, and workers tolerate doing the same work twice.

use std::collections::BTreeMap;

use stint_core::ports::{Delivery, PortResult, Queue, Receipt};
use stint_core::telemetry::Metric;
use stint_core::worker::{Disposition, Outcome, retry_delay};

use crate::counters::Counters;

/// Returns the messages without an exception, which are done.
pub(crate) fn done<'a>(batch: &'a [Delivery], outcome: &Outcome) -> Vec<&'a Delivery> {
    batch.iter().filter(|delivery| disposition_of(delivery, outcome).is_none()).collect()
}

/// Releases a whole batch, because its invocation failed. Each message's delay depends on how many times it has failed.
pub(crate) async fn release_batch(
    queue: &dyn Queue,
    batch: &[Delivery],
    reason: &str,
    counters: &Counters,
) -> PortResult<()> {
    Counters::add(&counters.released, batch.len());
    Metric::Released.record(queue.name(), batch.len() as f64);
    let mut by_receives: BTreeMap<u32, Vec<Receipt>> = BTreeMap::new();
    for delivery in batch {
        by_receives.entry(delivery.receive_count).or_default().push(delivery.receipt.clone());
    }
    for (receives, receipts) in by_receives {
        queue.release(&receipts, retry_delay(receives), reason).await?;
    }
    Ok(())
}

/// Releases or rejects the messages with an exception, and returns the ids of those that will be received again. A
/// message whose disposal fails is among them, because it was not moved.
pub(crate) async fn dispose_of_exceptions(
    queue: &dyn Queue,
    batch: &[Delivery],
    outcome: &Outcome,
    counters: &Counters,
) -> Vec<String> {
    let mut returning = Vec::new();
    for delivery in batch {
        let (disposed, returns) = match disposition_of(delivery, outcome) {
            None => continue,
            Some(Disposition::Retry { reason }) => {
                Counters::add(&counters.released, 1);
                Metric::Released.record(queue.name(), 1.0);
                tracing::info!(message_id = delivery.message_id, reason, "a message is released: {reason}");
                let delay = retry_delay(delivery.receive_count);
                (queue.release(std::slice::from_ref(&delivery.receipt), delay, reason).await, true)
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

fn disposition_of<'a>(delivery: &Delivery, outcome: &'a Outcome) -> Option<&'a Disposition> {
    let mut exceptions = outcome.exceptions.iter();
    exceptions.find(|exception| exception.message_id == delivery.message_id).map(|found| &found.disposition)
}
