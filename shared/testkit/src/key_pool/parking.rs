//! Messages that wait for points.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::{Parked, PortResult};

use super::{LEASE, pool};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

/// At most `max` messages are leased, the longest-parked first.
pub async fn parked_messages_are_claimed_oldest_first(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let now = world.time().now();
    let [young, old, middle] = [(3, "young"), (1, "old"), (2, "middle")]
        .map(|(age, id)| parked(id, "body", after(now, Duration::from_secs(age))));
    pool.park(&[young.clone(), old.clone()]).await?;
    pool.park(std::slice::from_ref(&middle)).await?;
    assert_eq!(pool.count_parked("work").await?, 3);
    assert_eq!(pool.claim_parked("work", 0, LEASE).await?, []);
    assert_eq!(pool.claim_parked("work", 2, LEASE).await?, [old, middle]);
    assert_eq!(pool.claim_parked("work", 2, LEASE).await?, [young]);
    assert_eq!(pool.count_parked("work").await?, 3);
    Ok(())
}

/// If the process that leased the messages crashes, they are delayed by the lease.
pub async fn parked_messages_are_claimed_by_one_caller_at_a_time(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let (one, two) = (pool(world).await?, pool(world).await?);
    let message = parked("1", "body", world.time().now());
    one.park(std::slice::from_ref(&message)).await?;
    assert_eq!(one.claim_parked("work", 10, LEASE).await?, std::slice::from_ref(&message));
    assert_eq!(two.claim_parked("work", 10, LEASE).await?, []);
    pass!(world, LEASE - Duration::from_secs(1));
    assert_eq!(two.claim_parked("work", 10, LEASE).await?, []);
    pass!(world, Duration::from_secs(1));
    assert_eq!(two.claim_parked("work", 10, LEASE).await?, [message]);
    Ok(())
}

/// A redelivered message replaces its parked copy.
pub async fn parking_an_id_again_replaces_it(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let now = world.time().now();
    let rest = parked("1", "the rest", after(now, LEASE));
    pool.park(&[parked("1", "all of it", now)]).await?;
    pool.park(&[rest.clone(), rest.clone()]).await?;
    assert_eq!(pool.count_parked("work").await?, 1);
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, [rest]);
    Ok(())
}

/// A message that was sent back to its queue is dropped once; dropping it again changes nothing, and no other message
/// is dropped.
pub async fn forgotten_messages_do_not_come_back(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let now = world.time().now();
    let kept = parked("2", "kept", after(now, Duration::from_secs(1)));
    pool.park(&[parked("1", "sent", now), kept.clone()]).await?;
    let claimed = pool.claim_parked("work", 1, LEASE).await?;
    pool.forget_parked(&claimed).await?;
    pool.forget_parked(&claimed).await?;
    assert_eq!(pool.count_parked("work").await?, 1);
    pass!(world, LEASE);
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, [kept]);
    Ok(())
}

/// This holds even if it was parked at the same instant and with the same body.
pub async fn a_message_parked_again_is_not_forgotten(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let now = world.time().now();
    for again in [parked("1", "body", now), parked("1", "the rest", after(now, LEASE))] {
        pool.park(&[parked("1", "body", now)]).await?;
        let claimed = pool.claim_parked("work", 10, LEASE).await?;
        pool.park(std::slice::from_ref(&again)).await?;
        pool.forget_parked(&claimed).await?;
        assert_eq!(pool.count_parked("work").await?, 1);
        assert_eq!(pool.claim_parked("work", 10, LEASE).await?, std::slice::from_ref(&again));
    }
    Ok(())
}

/// An id is unique only within its queue.
pub async fn queues_do_not_share_parked_messages(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let here = parked("1", "here", world.time().now());
    let there = Parked { queue: "other".into(), body: "there".into(), ..here.clone() };
    pool.park(&[here.clone(), there.clone()]).await?;
    assert_eq!(pool.claim_parked("other", 10, LEASE).await?, std::slice::from_ref(&there));
    pool.forget_parked(&[there]).await?;
    assert_eq!((pool.count_parked("work").await?, pool.count_parked("other").await?), (1, 0));
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, [here]);
    Ok(())
}

/// Empty lists and unknown queues are not errors.
pub async fn lists_of_messages_may_be_empty(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    pool.park(&[]).await?;
    pool.forget_parked(&[]).await?;
    pool.forget_parked(&[parked("1", "never parked", world.time().now())]).await?;
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, []);
    assert_eq!(pool.count_parked("work").await?, 0);
    Ok(())
}

fn parked(id: &str, body: &str, parked_at: Timestamp) -> Parked {
    Parked { id: id.into(), queue: "work".into(), body: body.into(), parked_at }
}
