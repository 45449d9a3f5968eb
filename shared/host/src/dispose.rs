//! Disposal of a batch's messages, shared by both hosts.
//!
//! # What may happen between any two lines
//! The process may exit before, between or after these calls. A message that was neither acknowledged nor released
//! becomes visible again after its visibility timeout, and workers tolerate doing the same work twice.

use std::collections::BTreeMap;
use std::time::Duration;

use stint_core::ports::{Delivery, MAX_DELAY, NewMessage, PortResult, Queue, Receipt};
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

/// Returns a batch to its queue because a store cannot be reached, for at least `delay`. A message that has no receive left
/// would become a dead letter: it is sent again, with all its receives, and the received one is deleted. Where that fails,
/// as without the right to send, it is released like the others.
pub(crate) async fn release_for_outage(
    queue: &dyn Queue,
    batch: &[Delivery],
    max_receives: u32,
    delay: Duration,
    reason: &str,
    counters: &Counters,
) -> PortResult<()> {
    Counters::add(&counters.released, batch.len());
    Metric::Released.record(queue.name(), batch.len() as f64);
    let mut released = Vec::new();
    for delivery in batch {
        let is_last = delivery.receive_count >= max_receives;
        if !is_last || !send_again(queue, delivery, delay).await {
            released.push(delivery.receipt.clone());
        }
    }
    if released.is_empty() { Ok(()) } else { queue.release(&released, delay, reason).await }
}

/// Sends a copy of a message and deletes the received one. If the process exits in between, both are worked on.
async fn send_again(queue: &dyn Queue, delivery: &Delivery, delay: Duration) -> bool {
    let copy = NewMessage { body: delivery.body.clone(), delay: delay.min(MAX_DELAY) };
    let sent = queue.send(std::slice::from_ref(&copy)).await;
    if let Err(error) = &sent {
        let queue = queue.name();
        tracing::warn!(message_id = delivery.message_id, %error, "cannot send a message of {queue} again: {error}");
        return false;
    }
    if let Err(error) = queue.acknowledge(std::slice::from_ref(&delivery.receipt)).await {
        tracing::warn!(message_id = delivery.message_id, %error, "a message that was sent again is not deleted: {error}");
    }
    true
}

/// Splits off the messages that are to be retried.
pub(crate) fn split_retried(batch: Vec<Delivery>, outcome: &Outcome) -> (Vec<Delivery>, Vec<Delivery>) {
    let is_retried = |delivery: &Delivery| matches!(disposition_of(delivery, outcome), Some(Disposition::Retry { .. }));
    batch.into_iter().partition(is_retried)
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
