//! The conformance suite of the queue port. Durations are a few seconds, so that an adapter whose time cannot be moved
//! can wait for them.

mod dying;
mod lending;
mod sending;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stint_core::ports::{Delivery, NewMessage, PortResult, Queue, QueueSettings};

use crate::world::QueueWorld;

pub use dying::{
    a_message_that_is_given_back_for_the_last_time_dies_at_once,
    a_message_that_was_given_back_too_often_dies_of_its_last_error, a_message_that_was_received_too_often_dies,
    a_redriven_message_starts_over, a_rejected_message_dies_at_once, a_worn_out_message_makes_room_for_others,
    dead_letters_are_shown_and_not_touched, purging_deletes_dead_letters_or_everything,
    redriving_nothing_moves_nothing,
};
pub use lending::{
    a_clock_that_is_set_back_hides_no_message, a_loan_that_has_passed_goes_to_the_next_receiver,
    a_message_is_lent_to_one_receiver_at_a_time, a_message_that_is_given_back_keeps_its_count,
    a_patient_receive_brings_what_is_there, a_patient_receive_of_an_empty_queue_comes_to_an_end,
    a_receive_answers_at_most_what_was_asked_for, a_receive_of_an_empty_queue_answers_at_once,
    a_released_message_waits_for_its_delay, a_second_acknowledgement_does_nothing, a_stale_receipt_is_passed_over,
    a_very_long_release_is_clamped, an_acknowledged_message_is_gone, lists_of_receipts_may_be_empty,
    two_receivers_never_share_a_message,
};
pub use sending::{
    a_batch_beyond_the_limits_is_refused_whole, a_body_of_the_full_size_arrives, a_delayed_message_waits,
    a_sent_message_arrives_as_it_was_sent, counts_tell_what_is_where, peeking_shows_and_does_not_receive,
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
            counts_tell_what_is_where
            peeking_shows_and_does_not_receive
            a_receive_of_an_empty_queue_answers_at_once
            a_patient_receive_of_an_empty_queue_comes_to_an_end
            a_patient_receive_brings_what_is_there
            a_receive_answers_at_most_what_was_asked_for
            a_message_is_lent_to_one_receiver_at_a_time
            two_receivers_never_share_a_message
            a_loan_that_has_passed_goes_to_the_next_receiver
            an_acknowledged_message_is_gone
            a_second_acknowledgement_does_nothing
            a_stale_receipt_is_passed_over
            lists_of_receipts_may_be_empty
            a_released_message_waits_for_its_delay
            a_message_that_is_given_back_keeps_its_count
            a_very_long_release_is_clamped
            a_clock_that_is_set_back_hides_no_message
            a_message_that_was_received_too_often_dies
            a_message_that_was_given_back_too_often_dies_of_its_last_error
            a_message_that_is_given_back_for_the_last_time_dies_at_once
            a_worn_out_message_makes_room_for_others
            a_rejected_message_dies_at_once
            dead_letters_are_shown_and_not_touched
            a_redriven_message_starts_over
            redriving_nothing_moves_nothing
            purging_deletes_dead_letters_or_everything
        }
    };
}

/// The visibility timeout of the suite's queues, and a little more.
const LOAN: Duration = Duration::from_secs(2);
const BEYOND_THE_LOAN: Duration = Duration::from_secs(3);

/// Receives that may come back empty before a message counts as gone: SQS samples its servers.
const PATIENCE: usize = 20;

async fn queue(world: &dyn QueueWorld, max_receives: u32) -> PortResult<Arc<dyn Queue>> {
    world.queue("work", QueueSettings { visibility_timeout: LOAN, max_receives }).await
}

async fn send(queue: &dyn Queue, bodies: &[&str]) -> PortResult<()> {
    let messages: Vec<NewMessage> = bodies.iter().copied().map(NewMessage::new).collect();
    queue.send(&messages).await
}

/// Receives until there are `count` messages, or until no more come.
async fn receive(queue: &dyn Queue, count: usize) -> PortResult<Vec<Delivery>> {
    let mut received = Vec::new();
    let mut empty = 0;
    while received.len() < count && empty < PATIENCE {
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
