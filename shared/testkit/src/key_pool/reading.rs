//! Readings: which caller may read a key, and what a reading settles.

use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyRefusal, KeyState, Reservation};
use stint_core::points::Points;
use stint_core::ports::PortResult;

use super::{Fixture, LEASE, WINDOW, ask, pool};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

/// The key's limit and spent points are unknown until it is read.
pub async fn an_unread_key_grants_nothing(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    assert_eq!(fixture.status("a").await?.state, KeyState::Stale);
    let waits = fixture.refusal(1).await?;
    assert_eq!((waits.len(), waits[0].until), (1, None));
    let claim = fixture.pool.claim_reading(Points::whole(1), LEASE).await?.expect("an unread key");
    fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 30, WINDOW))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.limit, status.free), (KeyState::Open, Points::whole(100), Points::whole(70)));
    fixture.grant(70).await?;
    Ok(())
}

/// When all processes find a key empty, only one of them reads it.
pub async fn a_key_is_read_by_one_caller_at_a_time(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a", "b"]).await?;
    let elsewhere = pool(world).await?;
    let first = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
    let second = elsewhere.claim_reading(Points::ZERO, LEASE).await?.expect("another unread key");
    assert_ne!(first.key, second.key);
    assert_eq!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?, None);
    Ok(())
}

/// A reader that crashes does not close the key for good.
pub async fn a_claim_lapses_after_its_lease(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    assert!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?.is_some());
    pass!(world, LEASE / 2);
    assert_eq!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?, None);
    pass!(world, LEASE / 2);
    assert!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?.is_some());
    Ok(())
}

/// A reading that was reported as failed frees its claim at once.
pub async fn a_failed_reading_may_be_tried_again(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
    fixture.pool.observe(&claim, CallEnd::Lost).await?;
    assert_eq!(fixture.status("a").await?.state, KeyState::Stale);
    assert!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?.is_some());
    Ok(())
}

/// The key is not read again before the time that the upstream named, and its claim is free by then.
pub async fn a_refused_reading_rests_the_key(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE * 10).await?.expect("an unread key");
    let until = after(world.time().now(), LEASE);
    fixture.pool.observe(&claim, CallEnd::Refused { until, why: KeyRefusal::Credentials }).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.renews_at), (KeyState::Paused, until));
    assert_eq!(status.refusal, Some(KeyRefusal::Credentials));
    assert_eq!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?, None);
    pass!(world, LEASE);
    assert!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?.is_some());
    Ok(())
}

/// If an operator pauses the key while it is being read, a refused reading does not shorten the pause.
pub async fn a_refused_reading_does_not_shorten_a_manual_pause(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
    let by_hand = after(world.time().now(), WINDOW);
    assert!(fixture.pool.pause(&claim.key, Some(by_hand)).await?);
    let until = after(world.time().now(), LEASE);
    fixture.pool.observe(&claim, CallEnd::Refused { until, why: KeyRefusal::Points }).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.renews_at, status.refusal), (KeyState::Paused, by_hand, None));
    Ok(())
}

/// A key with enough free points, or with no hold to confirm, is not read.
pub async fn a_reading_is_not_granted_when_it_would_not_help(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(50).await?;
    assert_eq!(fixture.pool.claim_reading(Points::whole(60), LEASE).await?, None);
    fixture.settle(&grant, CallEnd::Lost).await?;
    assert_eq!(fixture.pool.claim_reading(Points::whole(50), LEASE).await?, None);
    assert!(fixture.pool.claim_reading(Points::whole(60), LEASE).await?.is_some());
    Ok(())
}

/// An answer's counter does not include the answer's own charge. If a reading was in flight when a call ended, its
/// counter may not include that call's charge either. Only a reading whose request started after the end of the call is
/// certain to include it.
pub async fn a_hold_is_dropped_by_a_later_reading_only(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let first = fixture.grant(10).await?;
    let early = fixture.grant(10).await?;
    fixture.settle(&first, CallEnd::Answered(fixture.reading(100, 0, WINDOW))).await?;
    assert_eq!(fixture.status("a").await?.unconfirmed, Points::whole(10));
    fixture.settle(&early, CallEnd::Answered(fixture.reading(100, 4, WINDOW))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.spent, status.unconfirmed), (Points::whole(4), Points::whole(20)));
    let later = fixture.grant(10).await?;
    fixture.settle(&later, CallEnd::Answered(fixture.reading(100, 9, WINDOW))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.spent, status.unconfirmed), (Points::whole(9), Points::whole(10)));
    assert_eq!(status.free, Points::whole(81));
    Ok(())
}

/// The answers may arrive out of order: the highest counter counts.
pub async fn spent_never_falls_within_a_window(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let (one, two) = (fixture.grant(10).await?, fixture.grant(10).await?);
    fixture.settle(&two, CallEnd::Answered(fixture.reading(100, 30, WINDOW))).await?;
    fixture.settle(&one, CallEnd::Answered(fixture.reading(100, 20, WINDOW))).await?;
    assert_eq!(fixture.status("a").await?.spent, Points::whole(30));
    Ok(())
}

/// The counter in a call's own answer and the next counter differ by exactly that call's charge. The process that
/// measures the charge shares it with all others.
pub async fn a_single_call_is_priced_for_all_processes(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let first = fixture.grant(10).await?;
    fixture.settle(&first, CallEnd::Answered(fixture.reading(100, 0, WINDOW))).await?;
    let elsewhere = pool(world).await?;
    let second = elsewhere.reserve(&ask(&[&[10]])).await?;
    let Reservation::Granted(second) = second else { panic!("90 points are free: {second:?}") };
    elsewhere.settle(&second.hold, CallEnd::Answered(fixture.reading(100, 7, WINDOW))).await?;
    let costs = fixture.pool.costs().await?;
    let classes: Vec<_> = costs.classes().map(|(units, class)| (units, class.count, class.max)).collect();
    assert_eq!(classes, [(1, 1, Points::whole(7))]);
    Ok(())
}
