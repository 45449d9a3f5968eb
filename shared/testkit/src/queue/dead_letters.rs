//! Dead letters: how messages get there, and back.

use std::time::Duration;

use stint_core::ports::{DeadLetter, PortResult, Queue};

use super::{AFTER_THE_TIMEOUT, assert_nothing_visible, bodies, queue, receive, receive_one, send};
use crate::suite::pass;
use crate::world::QueueWorld;

/// A message that is received `max_receives` times and never acknowledged is dead-lettered instead of received again.
pub async fn a_message_received_too_often_is_dead_lettered(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 2).await?;
    send(&*queue, &["poison"]).await?;
    for count in 1..=2 {
        assert_eq!(receive_one(&*queue).await?.receive_count, count);
        assert_eq!(queue.dead_letters(10).await?, []);
        pass!(world, AFTER_THE_TIMEOUT);
    }
    assert_nothing_visible(&*queue).await?;
    let dead = one_dead_letter(&*queue).await?;
    assert_eq!((dead.body.as_str(), dead.receive_count), ("poison", 2));
    assert!(dead.reason.contains("received 2 times"), "{}", dead.reason);
    assert!(!dead.message_id.is_empty());
    Ok(())
}

/// The reason of the last release is kept with the dead letter.
pub async fn a_message_released_too_often_is_dead_lettered_with_its_last_error(
    world: &dyn QueueWorld,
) -> PortResult<()> {
    let queue = queue(world, 2).await?;
    send(&*queue, &["poison"]).await?;
    for reason in ["the first error", "the last error"] {
        let leased = receive_one(&*queue).await?;
        queue.release(&[leased.receipt], Duration::ZERO, reason).await?;
    }
    assert_nothing_visible(&*queue).await?;
    let dead = one_dead_letter(&*queue).await?;
    assert!(dead.reason.contains("received 2 times"), "{}", dead.reason);
    assert!(dead.reason.contains("the last error"), "{}", dead.reason);
    Ok(())
}

/// Otherwise it would wait for a receive that it no longer has.
pub async fn the_last_release_dead_letters_at_once(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 1).await?;
    send(&*queue, &["poison"]).await?;
    let leased = receive_one(&*queue).await?;
    queue.release(std::slice::from_ref(&leased.receipt), Duration::from_secs(3_600), "the last error").await?;
    let dead = one_dead_letter(&*queue).await?;
    assert_eq!(dead.receive_count, 1);
    assert!(dead.reason.contains("the last error"), "{}", dead.reason);
    queue.release(&[leased.receipt], Duration::ZERO, "a second time").await?;
    assert_eq!(one_dead_letter(&*queue).await?, dead);
    assert_nothing_visible(&*queue).await?;
    Ok(())
}

/// A message that is being dead-lettered takes no place in a batch.
pub async fn a_dead_lettered_message_takes_no_place_in_a_batch(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 1).await?;
    send(&*queue, &["old", "older"]).await?;
    assert_eq!(receive(&*queue, 2).await?.len(), 2);
    pass!(world, AFTER_THE_TIMEOUT);
    send(&*queue, &["new", "newer"]).await?;
    assert_eq!(bodies(&receive(&*queue, 2).await?), ["new", "newer"].into());
    assert_nothing_visible(&*queue).await?;
    assert_eq!(queue.dead_letters(10).await?.len(), 2);
    Ok(())
}

/// A message that can never succeed is dead-lettered at its first receive, with the given reason.
pub async fn a_rejected_message_is_dead_lettered_at_once(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 100).await?;
    send(&*queue, &["nonsense"]).await?;
    let leased = receive_one(&*queue).await?;
    queue.reject(&leased.receipt, "field 'id' is missing").await?;
    let dead = one_dead_letter(&*queue).await?;
    assert_eq!((dead.body.as_str(), dead.receive_count), ("nonsense", 1));
    assert!(dead.reason.contains("field 'id' is missing"), "{}", dead.reason);
    queue.reject(&leased.receipt, "a second time").await?;
    queue.acknowledge(&[leased.receipt]).await?;
    pass!(world, AFTER_THE_TIMEOUT);
    assert_nothing_visible(&*queue).await?;
    assert_eq!(one_dead_letter(&*queue).await?, dead);
    Ok(())
}

/// Reading dead letters changes nothing. The oldest comes first, and `max` is a limit.
pub async fn reading_dead_letters_changes_nothing(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    for body in ["first", "second", "third"] {
        dead_letter(&*queue, body).await?;
        pass!(world, Duration::from_secs(1));
    }
    for _ in 0..3 {
        let dead = queue.dead_letters(10).await?;
        assert_eq!(dead.iter().map(|dead| dead.body.as_str()).collect::<Vec<_>>(), ["first", "second", "third"]);
        assert!(dead.is_sorted_by_key(|dead| dead.dead_lettered_at));
    }
    assert_eq!(queue.dead_letters(2).await?.len(), 2);
    assert_eq!(queue.dead_letters(0).await?, []);
    Ok(())
}

/// A redriven message has all its receives again, and receipts from before are stale.
pub async fn a_redriven_message_starts_over(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 1).await?;
    send(&*queue, &["a", "b"]).await?;
    let former = receive(&*queue, 2).await?;
    for delivery in &former {
        queue.reject(&delivery.receipt, "nonsense").await?;
    }
    assert_eq!(queue.redrive().await?, 2);
    assert_eq!(queue.dead_letters(10).await?, []);
    let again = receive(&*queue, 2).await?;
    assert_eq!(bodies(&again), ["a", "b"].into());
    assert!(again.iter().all(|delivery| delivery.receive_count == 1));
    for delivery in &former {
        queue.acknowledge(std::slice::from_ref(&delivery.receipt)).await?;
    }
    pass!(world, AFTER_THE_TIMEOUT);
    assert_nothing_visible(&*queue).await?;
    assert_eq!(queue.dead_letters(10).await?.len(), 2);
    Ok(())
}

/// Without dead letters there is nothing to move.
pub async fn redriving_nothing_moves_nothing(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    assert_eq!(queue.redrive().await?, 0);
    send(&*queue, &["a"]).await?;
    assert_eq!(queue.redrive().await?, 0);
    assert_eq!(receive_one(&*queue).await?.receive_count, 1);
    Ok(())
}

/// Purging deletes either the dead letters only, or also the visible, delayed and leased messages.
pub async fn purging_deletes_dead_letters_or_everything(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    assert_eq!(queue.purge(true).await?, 0);
    dead_letter(&*queue, "dead").await?;
    send(&*queue, &["leased", "visible"]).await?;
    assert_eq!(queue.purge(false).await?, 1);
    assert_eq!(queue.dead_letters(10).await?, []);
    dead_letter(&*queue, "dead again").await?;
    receive_one(&*queue).await?;
    assert_eq!(queue.purge(true).await?, 3);
    pass!(world, AFTER_THE_TIMEOUT);
    assert_nothing_visible(&*queue).await?;
    assert_eq!(queue.dead_letters(10).await?, []);
    Ok(())
}

/// Sends a message and rejects it, whatever else is in the queue.
async fn dead_letter(queue: &dyn Queue, body: &str) -> PortResult<()> {
    send(queue, &[body]).await?;
    for delivery in receive(queue, 10).await? {
        if delivery.body == body {
            queue.reject(&delivery.receipt, "nonsense").await?;
        } else {
            queue.release(&[delivery.receipt], Duration::ZERO, "not this one").await?;
        }
    }
    Ok(())
}

async fn one_dead_letter(queue: &dyn Queue) -> PortResult<DeadLetter> {
    let dead = queue.dead_letters(10).await?;
    assert_eq!(dead.len(), 1, "one dead letter was expected");
    Ok(dead[0].clone())
}
