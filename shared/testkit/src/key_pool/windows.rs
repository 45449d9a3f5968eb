//! Windows that end, and keys that are paused, added and removed.

use std::time::Duration;

use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyState, WindowRecord};
use stint_core::points::Points;
use stint_core::ports::PortResult;

use super::{Fixture, LEASE, WINDOW, key, pool};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

/// Longer than the difference between the local reset and the upstream's own.
const PAST_THE_RESET: Duration = Duration::from_secs(5);

/// A key whose reset has passed grants nothing until it is read. Then the old window is recorded with its expired
/// points. The record is returned only to the caller that read the key.
pub async fn a_window_that_ends_is_recorded(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let reset_at = after(world.time().now(), WINDOW);
    let grant = fixture.grant(10).await?;
    fixture.settle(&grant, CallEnd::Answered(fixture.reading(100, 40, WINDOW))).await?;
    assert_eq!(fixture.pool.windows(&key("a"), 10).await?, []);
    pass!(world, WINDOW + PAST_THE_RESET);
    assert_eq!(fixture.status("a").await?.state, KeyState::Stale);
    fixture.refusal(1).await?;
    let closed = next_window(&fixture, 0).await?;
    let record = WindowRecord {
        window: 1,
        reset_at,
        limit: Points::whole(100),
        spent: Points::whole(40),
        unconfirmed: Points::whole(10),
        expired: Points::whole(60),
        overspent: Points::ZERO,
    };
    assert_eq!(closed.as_ref(), Some(&record));
    assert_eq!(fixture.pool.windows(&key("a"), 10).await?, [record]);
    assert_eq!(fixture.status("a").await?.free, Points::whole(100));
    let grant = fixture.grant(10).await?;
    let closed = fixture.settle(&grant, CallEnd::Answered(fixture.reading(100, 10, WINDOW))).await?;
    assert_eq!(closed, None, "the end of a window is reported once");
    Ok(())
}

/// At most as many windows as requested, of the requested key, newest first.
pub async fn windows_are_returned_newest_first(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    for spent in 1..=3 {
        pass!(world, WINDOW + PAST_THE_RESET);
        next_window(&fixture, spent).await?;
    }
    let elsewhere = pool(world).await?;
    let windows = elsewhere.windows(&key("a"), 2).await?;
    let seen: Vec<_> = windows.iter().map(|window| (window.window, window.spent)).collect();
    assert_eq!(seen, [(3, Points::whole(2)), (2, Points::whole(1))]);
    assert_eq!(elsewhere.windows(&key("b"), 10).await?, []);
    Ok(())
}

/// The call may be billed to either window, so it is held in both.
pub async fn a_call_across_the_reset_is_held_in_both_windows(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    pass!(world, WINDOW - Duration::from_secs(10));
    let grant = fixture.grant(30).await?;
    pass!(world, Duration::from_secs(15));
    next_window(&fixture, 0).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.held, status.free), (Points::whole(30), Points::whole(70)));
    assert_eq!(fixture.pool.windows(&key("a"), 1).await?[0].unconfirmed, Points::whole(30));
    fixture.settle(&grant, CallEnd::Lost).await?;
    assert_eq!(fixture.status("a").await?.unconfirmed, Points::whole(30));
    Ok(())
}

/// The answer's counter is about expired points.
pub async fn a_late_answer_of_an_old_window_is_ignored(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    pass!(world, WINDOW - Duration::from_secs(10));
    let grant = fixture.grant(30).await?;
    let late = fixture.reading(100, 99, Duration::from_secs(10));
    pass!(world, Duration::from_secs(15));
    next_window(&fixture, 2).await?;
    let before = fixture.status("a").await?;
    fixture.settle(&grant, CallEnd::Answered(late)).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.spent, status.reset_at, status.held), (before.spent, before.reset_at, before.held));
    assert_eq!(fixture.pool.windows(&key("a"), 10).await?.len(), 1);
    Ok(())
}

/// A paused key grants nothing and is not read until its pause ends or it is resumed.
pub async fn a_paused_key_rests_until_its_time(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let until = after(world.time().now(), LEASE);
    assert!(fixture.pool.pause(&key("a"), Some(until)).await?);
    assert_eq!(fixture.status("a").await?.state, KeyState::Paused);
    assert_eq!(fixture.refusal(1).await?[0].until, Some(until));
    pass!(world, LEASE);
    fixture.grant(1).await?;
    assert!(fixture.pool.pause(&key("a"), Some(after(until, LEASE))).await?);
    fixture.refusal(1).await?;
    assert!(fixture.pool.pause(&key("a"), None).await?);
    fixture.grant(1).await?;
    Ok(())
}

/// A manual pause ends at its own time, not at the end of the upstream's window.
pub async fn a_paused_key_stays_paused_in_the_next_window(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    pass!(world, WINDOW - Duration::from_secs(10));
    let grant = fixture.grant(10).await?;
    let until = after(world.time().now(), WINDOW);
    assert!(fixture.pool.pause(&key("a"), Some(until)).await?);
    pass!(world, Duration::from_secs(15));
    fixture.settle(&grant, CallEnd::Answered(fixture.reading(100, 0, WINDOW))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.renews_at), (KeyState::Paused, until));
    Ok(())
}

/// `pause` returns `false` for an unknown key.
pub async fn an_unknown_key_cannot_be_paused(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    assert!(!fixture.pool.pause(&key("b"), None).await?);
    assert_eq!(fixture.pool.keys().await?.len(), 1);
    Ok(())
}

/// The key must be read before it grants points again, whatever was known of it. A call in flight keeps its hold.
pub async fn a_forgotten_key_must_be_read_again(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let before = fixture.grant(30).await?;
    assert!(fixture.pool.pause(&key("a"), Some(after(world.time().now(), WINDOW))).await?);
    let elsewhere = pool(world).await?;
    assert!(elsewhere.forget(&key("a")).await? && !elsewhere.forget(&key("b")).await?);
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.limit, status.held), (KeyState::Stale, Points::ZERO, Points::whole(30)));
    fixture.refusal(1).await?;
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("a key that nothing is known of");
    fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 20, WINDOW))).await?;
    assert_eq!(fixture.status("a").await?.free, Points::whole(50));
    assert_ne!(fixture.grant(1).await?.hold, before.hold);
    Ok(())
}

/// Sorted by reset, not by name.
pub async fn keys_are_listed_soonest_reset_first(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a", "b", "c"]).await?;
    for _ in 0..3 {
        let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
        let minutes = match claim.key.0.as_str() {
            "a" => 30,
            "b" => 50,
            _ => 10,
        };
        fixture
            .pool
            .observe(&claim, CallEnd::Answered(fixture.reading(100, 0, Duration::from_secs(minutes * 60))))
            .await?;
    }
    let keys: Vec<String> = fixture.pool.keys().await?.into_iter().map(|status| status.key.0).collect();
    assert_eq!(keys, ["c", "a", "b"]);
    Ok(())
}

/// Configuring again changes nothing, and a key that comes back has its former account.
pub async fn a_new_key_is_unread_and_a_missing_one_is_retired(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    fixture.grant(10).await?;
    fixture.configure(&["a"]).await?;
    assert_eq!(fixture.status("a").await?.held, Points::whole(10));
    fixture.configure(&["b"]).await?;
    assert_eq!(fixture.status("a").await?.state, KeyState::Retired);
    assert_eq!(fixture.status("b").await?.state, KeyState::Stale);
    fixture.refusal(1).await?;
    fixture.configure(&["a", "b"]).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.held), (KeyState::Open, Points::whole(10)));
    Ok(())
}

/// Reads the key after its reset: a new window with `spent` points spent.
async fn next_window(fixture: &Fixture<'_>, spent: u64) -> PortResult<Option<WindowRecord>> {
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("a stale key");
    fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, spent, WINDOW))).await
}
