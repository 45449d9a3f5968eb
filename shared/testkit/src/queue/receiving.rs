//! Receiving, acknowledging, releasing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::SignedDuration;
use stint_core::ports::{MAX_BATCH, MAX_VISIBILITY, MAX_WAIT, PortResult, Receipt};

use super::{AFTER_THE_TIMEOUT, VISIBILITY_TIMEOUT, assert_nothing_visible, bodies, queue, receive, receive_one, send};
use crate::suite::pass;
use crate::world::QueueWorld;

/// The poller waits between calls; the queue does not.
pub async fn a_receive_from_an_empty_queue_returns_at_once(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    assert_eq!(queue.receive(MAX_BATCH).await?, []);
    Ok(())
}

/// It ends even if its wait is very long.
pub async fn a_long_poll_of_an_empty_queue_ends(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    assert_eq!(queue.receive_patiently(MAX_BATCH, Duration::from_secs(1)).await?, []);
    assert_eq!(queue.receive_patiently(0, MAX_WAIT * 10).await?, []);
    Ok(())
}

/// One call is enough, because it asks every server. Its messages are leased as usual, and it does not wait when
/// messages are there.
pub async fn a_long_poll_returns_visible_messages(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["a"]).await?;
    let leased = queue.receive_patiently(MAX_BATCH, MAX_WAIT * 10).await?;
    assert_eq!((bodies(&leased), leased[0].receive_count), (["a"].into(), 1));
    assert_nothing_visible(&*queue).await
}

/// `max` is a limit, clamped to a batch.
pub async fn a_receive_returns_at_most_max_messages(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["1", "2", "3", "4", "5", "6", "7"]).await?;
    send(&*queue, &["8", "9", "10", "11", "12", "13"]).await?;
    assert!(queue.receive(2).await?.len() <= 2);
    assert!(queue.receive(1_000).await?.len() <= MAX_BATCH);
    Ok(())
}

/// While a message is leased, no other receiver gets it.
pub async fn a_message_is_leased_to_one_receiver_at_a_time(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["a", "b", "c"]).await?;
    let received = receive(&*queue, 3).await?;
    assert_eq!(bodies(&received), ["a", "b", "c"].into());
    let ids: BTreeSet<&str> = received.iter().map(|delivery| delivery.message_id.as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert_nothing_visible(&*queue).await
}

/// Concurrent receivers on two handles to a queue get each message once.
pub async fn two_receivers_never_share_a_message(world: &dyn QueueWorld) -> PortResult<()> {
    let (one, two) = (queue(world, 3).await?, queue(world, 3).await?);
    for batch in 0..4 {
        let bodies: Vec<String> = (0..10).map(|number| format!("{}", batch * 10 + number)).collect();
        send(&*one, &bodies.iter().map(String::as_str).collect::<Vec<&str>>()).await?;
    }
    let receives = (0..12).map(|number| if number % 2 == 0 { one.receive(5) } else { two.receive(5) });
    let mut received: Vec<_> = try_join_all(receives).await?.into_iter().flatten().collect();
    received.extend(receive(&*two, 40 - received.len()).await?);
    assert_eq!(received.len(), 40);
    assert_eq!(bodies(&received).len(), 40);
    Ok(())
}

/// A message that was not acknowledged in time is received again, with another receipt and a count that is higher by
/// one.
pub async fn a_message_is_received_again_after_its_visibility_timeout(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["a"]).await?;
    let first = receive_one(&*queue).await?;
    pass!(world, AFTER_THE_TIMEOUT);
    let second = receive_one(&*queue).await?;
    assert_eq!(second.message_id, first.message_id);
    assert_eq!(second.body, first.body);
    assert_eq!(second.sent_at, first.sent_at);
    assert_eq!(second.receive_count, 2);
    assert_ne!(second.receipt, first.receipt);
    Ok(())
}

/// An acknowledged message does not come back.
pub async fn an_acknowledged_message_does_not_come_back(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["a", "b"]).await?;
    let received = receive(&*queue, 2).await?;
    let receipts: Vec<Receipt> = received.into_iter().map(|delivery| delivery.receipt).collect();
    queue.acknowledge(&receipts).await?;
    pass!(world, AFTER_THE_TIMEOUT);
    assert_nothing_visible(&*queue).await?;
    assert_eq!(queue.dead_letters(10).await?, []);
    Ok(())
}

/// The caller cannot do anything about it, so it is not an error.
pub async fn a_second_acknowledgement_does_nothing(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    send(&*queue, &["a"]).await?;
    let leased = receive_one(&*queue).await?;
    queue.acknowledge(std::slice::from_ref(&leased.receipt)).await?;
    queue.acknowledge(&[leased.receipt.clone(), leased.receipt]).await?;
    send(&*queue, &["b"]).await?;
    assert_eq!(receive_one(&*queue).await?.body, "b");
    Ok(())
}

/// After another receiver has taken the message, the old receipt can neither delete nor release nor reject it.
pub async fn a_stale_receipt_is_ignored(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 5).await?;
    send(&*queue, &["a"]).await?;
    let stale = receive_one(&*queue).await?.receipt;
    pass!(world, AFTER_THE_TIMEOUT);
    let current = receive_one(&*queue).await?;
    queue.acknowledge(std::slice::from_ref(&stale)).await?;
    queue.release(std::slice::from_ref(&stale), Duration::ZERO, "stale").await?;
    queue.reject(&stale, "stale").await?;
    assert_nothing_visible(&*queue).await?;
    assert_eq!(queue.dead_letters(10).await?, []);
    pass!(world, AFTER_THE_TIMEOUT);
    let next = receive_one(&*queue).await?;
    assert_eq!((next.message_id, next.receive_count), (current.message_id, 3));
    Ok(())
}

/// Empty lists are not an error.
pub async fn lists_of_receipts_may_be_empty(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    queue.acknowledge(&[]).await?;
    queue.release(&[], Duration::ZERO, "nothing").await
}

/// A released message is visible after the delay: not before it, and not only when the visibility timeout ends.
pub async fn a_released_message_waits_for_its_delay(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 5).await?;
    send(&*queue, &["a"]).await?;
    let leased = receive_one(&*queue).await?;
    queue.release(&[leased.receipt], Duration::ZERO, "at once").await?;
    let leased = receive_one(&*queue).await?;
    queue.release(&[leased.receipt], VISIBILITY_TIMEOUT * 2, "later").await?;
    pass!(world, AFTER_THE_TIMEOUT);
    assert_nothing_visible(&*queue).await?;
    pass!(world, VISIBILITY_TIMEOUT);
    assert_eq!(receive_one(&*queue).await?.body, "a");
    Ok(())
}

/// A release is not a receive: only receives are counted.
pub async fn a_released_message_keeps_its_receive_count(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 5).await?;
    send(&*queue, &["a"]).await?;
    for count in 1..=3 {
        let leased = receive_one(&*queue).await?;
        assert_eq!(leased.receive_count, count);
        queue.release(&[leased.receipt], Duration::ZERO, "again").await?;
    }
    Ok(())
}

/// A delay beyond the longest visibility timeout is clamped to that timeout.
pub async fn a_very_long_release_is_clamped(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 5).await?;
    send(&*queue, &["a"]).await?;
    let leased = receive_one(&*queue).await?;
    queue.release(&[leased.receipt], MAX_VISIBILITY * 10, "much later").await?;
    assert_nothing_visible(&*queue).await?;
    pass!(world, MAX_VISIBILITY + Duration::from_secs(1));
    assert_eq!(receive_one(&*queue).await?.body, "a");
    Ok(())
}

/// After the clock is set back, no message is hidden for longer than intended: neither one sent meanwhile, nor one in
/// flight, nor one released.
pub async fn a_clock_that_is_set_back_hides_no_message(world: &dyn QueueWorld) -> PortResult<()> {
    for back in [30, 90, 2 * 3_600, 3 * 86_400] {
        let queue = queue(world, 9).await?;
        send(&*queue, &["released", "leased"]).await?;
        let leased = receive(&*queue, 2).await?;
        let released = leased.iter().find(|delivery| delivery.body == "released").expect("the message");
        queue.release(std::slice::from_ref(&released.receipt), VISIBILITY_TIMEOUT, "a test").await?;
        send(&*queue, &["sent"]).await?;
        if !world.time().jump(SignedDuration::from_secs(-back)) {
            return Ok(());
        }
        assert_eq!(bodies(&receive(&*queue, 1).await?), ["sent"].into(), "set back by {back} s");
        pass!(world, AFTER_THE_TIMEOUT);
        let all = receive(&*queue, 3).await?;
        assert_eq!(bodies(&all), ["released", "leased", "sent"].into(), "set back by {back} s");
        let receipts: Vec<Receipt> = all.into_iter().map(|delivery| delivery.receipt).collect();
        queue.acknowledge(&receipts).await?;
    }
    Ok(())
}
