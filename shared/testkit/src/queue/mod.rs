//! The conformance suite of the queue port. Durations are a few seconds, so that an adapter whose time cannot be moved
//! can wait for them.

mod dead_letters;
mod receiving;
mod sending;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stint_core::ports::{Delivery, NewMessage, PortResult, Queue, QueueSettings};

use crate::world::QueueWorld;

pub use dead_letters::{
    a_dead_lettered_message_takes_no_place_in_a_batch, a_message_received_too_often_is_dead_lettered,
    a_message_released_too_often_is_dead_lettered_with_its_last_error, a_redriven_message_starts_over,
    a_rejected_message_is_dead_lettered_at_once, purging_deletes_dead_letters_or_everything,
    reading_dead_letters_changes_nothing, redriving_nothing_moves_nothing, the_last_release_dead_letters_at_once,
};
pub use receiving::{
    a_clock_that_is_set_back_hides_no_message, a_long_poll_of_an_empty_queue_ends,
    a_long_poll_returns_visible_messages, a_message_is_leased_to_one_receiver_at_a_time,
    a_message_is_received_again_after_its_visibility_timeout, a_receive_from_an_empty_queue_returns_at_once,
    a_receive_returns_at_most_max_messages, a_released_message_keeps_its_receive_count,
    a_released_message_waits_for_its_delay, a_second_acknowledgement_does_nothing, a_stale_receipt_is_ignored,
    a_very_long_release_is_clamped, an_acknowledged_message_does_not_come_back, lists_of_receipts_may_be_empty,
    two_receivers_never_share_a_message,
};
pub use sending::{
    a_batch_beyond_the_limits_is_refused_whole, a_body_of_the_full_size_arrives, a_delayed_message_waits,
    a_sent_message_arrives_as_it_was_sent, each_message_is_counted_once, peeking_does_not_receive,
    queues_do_not_share_messages, sending_nothing_does_nothing,
};

/// The conformance tests of the queue port: `queue_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::QueueWorld`].
#[macro_export]
macro_rules! queue_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            queue, $run, $world,
            a_sent_message_arrives_as_it_was_sent
            a_body_of_the_full_size_arrives
            sending_nothing_does_nothing
            a_batch_beyond_the_limits_is_refused_whole
            a_delayed_message_waits
            queues_do_not_share_messages
            each_message_is_counted_once
            peeking_does_not_receive
            a_receive_from_an_empty_queue_returns_at_once
            a_long_poll_of_an_empty_queue_ends
            a_long_poll_returns_visible_messages
            a_receive_returns_at_most_max_messages
            a_message_is_leased_to_one_receiver_at_a_time
            two_receivers_never_share_a_message
            a_message_is_received_again_after_its_visibility_timeout
            an_acknowledged_message_does_not_come_back
            a_second_acknowledgement_does_nothing
            a_stale_receipt_is_ignored
            lists_of_receipts_may_be_empty
            a_released_message_waits_for_its_delay
            a_released_message_keeps_its_receive_count
            a_very_long_release_is_clamped
            a_clock_that_is_set_back_hides_no_message
            a_message_received_too_often_is_dead_lettered
            a_message_released_too_often_is_dead_lettered_with_its_last_error
            the_last_release_dead_letters_at_once
            a_dead_lettered_message_takes_no_place_in_a_batch
            a_rejected_message_is_dead_lettered_at_once
            reading_dead_letters_changes_nothing
            a_redriven_message_starts_over
            redriving_nothing_moves_nothing
            purging_deletes_dead_letters_or_everything
        }
    };
}

/// The visibility timeout of the suite's queues, and a little more.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2);
const AFTER_THE_TIMEOUT: Duration = Duration::from_secs(3);

/// Receives that may come back empty before a message counts as gone: SQS samples its servers.
const MOST_EMPTY_RECEIVES: usize = 20;

async fn queue(world: &dyn QueueWorld, max_receives: u32) -> PortResult<Arc<dyn Queue>> {
    world.queue("work", QueueSettings { visibility_timeout: VISIBILITY_TIMEOUT, max_receives }).await
}

async fn send(queue: &dyn Queue, bodies: &[&str]) -> PortResult<()> {
    let messages: Vec<NewMessage> = bodies.iter().copied().map(NewMessage::new).collect();
    queue.send(&messages).await
}

/// Receives until there are `count` messages, or until no more come.
async fn receive(queue: &dyn Queue, count: usize) -> PortResult<Vec<Delivery>> {
    let mut received = Vec::new();
    let mut empty = 0;
    while received.len() < count && empty < MOST_EMPTY_RECEIVES {
        let batch = queue.receive(count - received.len()).await?;
        empty = if batch.is_empty() { empty + 1 } else { 0 };
        received.extend(batch);
    }
    Ok(received)
}

async fn receive_one(queue: &dyn Queue) -> PortResult<Delivery> {
    let received = receive(queue, 1).await?;
    assert_eq!(received.len(), 1, "a message was expected");
    Ok(received[0].clone())
}

async fn assert_nothing_visible(queue: &dyn Queue) -> PortResult<()> {
    assert_eq!(receive(queue, 1).await?, [], "no message was expected");
    Ok(())
}

fn bodies(deliveries: &[Delivery]) -> BTreeSet<&str> {
    deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
}
