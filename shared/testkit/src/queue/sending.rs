//! Sending, counting and peeking.

use std::time::Duration;

use stint_core::clock::between;
use stint_core::ports::{Counts, MAX_BATCH, MAX_BODY, MAX_DELAY, NewMessage, PortError, PortResult};

use super::{assert_nothing_visible, bodies, queue, receive, receive_one, send};
use crate::suite::pass;
use crate::world::QueueWorld;

/// A message has an id, the body that was sent, a count of one, and the time of the send.
pub async fn a_sent_message_arrives_as_it_was_sent(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    assert_eq!(queue.name(), "work");
    let sent_at = world.time().now();
    send(&*queue, &["{\"name\": \"Ånn\", \"quote\": \"it's\"}\n"]).await?;
    let delivery = receive_one(&*queue).await?;
    assert_eq!(delivery.body, "{\"name\": \"Ånn\", \"quote\": \"it's\"}\n");
    assert_eq!(delivery.receive_count, 1);
    assert!(!delivery.message_id.is_empty());
    let off = between(sent_at, delivery.sent_at).max(between(delivery.sent_at, sent_at));
    assert!(off < Duration::from_secs(5), "sent at {sent_at}, and the queue says {}", delivery.sent_at);
    Ok(())
}

/// The largest body is allowed.
pub async fn a_body_of_the_full_size_arrives(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    let body = "x".repeat(MAX_BODY);
    send(&*queue, &[&body]).await?;
    assert_eq!(receive_one(&*queue).await?.body.len(), MAX_BODY);
    Ok(())
}

/// An empty list is not an error.
pub async fn sending_nothing_does_nothing(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    queue.send(&[]).await?;
    assert_nothing_visible(&*queue).await
}

/// A batch with too many messages, an empty or too large body, or too long a delay is refused, and none of it is sent.
pub async fn a_batch_beyond_the_limits_is_refused_whole(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    let good = NewMessage::new("good");
    let late = NewMessage { body: "late".into(), delay: MAX_DELAY + Duration::from_secs(1) };
    let batches = [
        vec![good.clone(); MAX_BATCH + 1],
        vec![good.clone(), NewMessage::new("")],
        vec![good.clone(), NewMessage::new("x".repeat(MAX_BODY + 1))],
        vec![good.clone(), late],
    ];
    for batch in batches {
        let refused = queue.send(&batch).await;
        assert!(matches!(refused, Err(PortError::Invalid(_))), "{refused:?}");
    }
    assert_nothing_visible(&*queue).await?;
    queue.send(&vec![good; MAX_BATCH]).await?;
    assert_eq!(receive(&*queue, MAX_BATCH).await?.len(), MAX_BATCH);
    Ok(())
}

/// A delayed message is invisible until its delay is over.
pub async fn a_delayed_message_waits(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 3).await?;
    let delayed = NewMessage { body: "later".into(), delay: Duration::from_secs(3) };
    queue.send(&[delayed, NewMessage::new("now")]).await?;
    let received = receive(&*queue, 2).await?;
    assert_eq!(bodies(&received), ["now"].into());
    queue.acknowledge(&[received[0].receipt.clone()]).await?;
    pass!(world, Duration::from_secs(1));
    assert_nothing_visible(&*queue).await?;
    pass!(world, Duration::from_secs(3));
    assert_eq!(receive_one(&*queue).await?.body, "later");
    Ok(())
}

/// Two queues of one store are independent, and a receipt of one has no effect in the other.
pub async fn queues_do_not_share_messages(world: &dyn QueueWorld) -> PortResult<()> {
    let first = queue(world, 3).await?;
    let settings = stint_core::ports::QueueSettings { visibility_timeout: super::VISIBILITY_TIMEOUT, max_receives: 3 };
    let second = world.queue("other-work", settings).await?;
    send(&*first, &["first"]).await?;
    assert_nothing_visible(&*second).await?;
    send(&*second, &["second"]).await?;
    assert_eq!(receive_one(&*first).await?.body, "first");
    assert_eq!(receive_one(&*second).await?.body, "second");
    assert_eq!(first.purge(true).await?, 1);
    pass!(world, super::AFTER_THE_TIMEOUT);
    assert_eq!(receive_one(&*second).await?.body, "second");
    Ok(())
}

/// Each message counts once: as visible, leased, delayed or dead-lettered.
pub async fn each_message_is_counted_once(world: &dyn QueueWorld) -> PortResult<()> {
    if !world.counts_are_exact() {
        return Ok(());
    }
    let queue = queue(world, 3).await?;
    assert_eq!(queue.counts().await?, Counts::default());
    let delayed = NewMessage { body: "delayed".into(), delay: Duration::from_secs(60) };
    send(&*queue, &["a", "b", "c", "d", "e"]).await?;
    queue.send(&[delayed]).await?;
    let leased = receive(&*queue, 3).await?;
    queue.reject(&leased[0].receipt, "unreadable").await?;
    queue.release(&[leased[1].receipt.clone()], Duration::from_secs(60), "not now").await?;
    let counts = queue.counts().await?;
    assert_eq!(counts, Counts { visible: 2, in_flight: 1, delayed: 2, dead_letters: 1 });
    assert_eq!(counts.unfinished(), 5);
    pass!(world, super::AFTER_THE_TIMEOUT);
    assert_eq!(queue.counts().await?, Counts { visible: 3, in_flight: 0, delayed: 2, dead_letters: 1 });
    Ok(())
}

/// Peeking shows the visible messages, raises no receive count and removes nothing.
pub async fn peeking_does_not_receive(world: &dyn QueueWorld) -> PortResult<()> {
    let queue = queue(world, 1).await?;
    assert_eq!(queue.peek(10).await?, []);
    send(&*queue, &["a", "b", "c"]).await?;
    let leased = receive_one(&*queue).await?;
    for _ in 0..3 {
        let seen = queue.peek(10).await?;
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| seen.receive_count == 0 && seen.message_id != leased.message_id));
    }
    assert_eq!(queue.peek(1).await?.len(), 1);
    assert_eq!(receive(&*queue, 2).await?.len(), 2);
    Ok(())
}
