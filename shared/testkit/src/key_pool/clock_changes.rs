//! Clocks that are set, calls that are billed late, and readings that need a second one to confirm them.

use std::time::Duration;

use jiff::SignedDuration;
use stint_core::clock::after;
use stint_core::ledger::{CallEnd, Doubt, KeyState, LedgerSettings, Reservation};
use stint_core::points::Points;
use stint_core::ports::{Parked, PortResult};

use super::{AFTER_THE_HOLD, Fixture, LEASE, WINDOW, ask, key, pool};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

const GRACE: Duration = Duration::from_secs(90);
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Sets the clock, or ends the test if the adapter's clock cannot be set.
macro_rules! jump {
    ($world:expr, $by:expr) => {
        if !$world.time().jump($by) {
            return Ok(());
        }
    };
}

/// A lost call may be billed after its caller has given up. No reading frees its points until the grace is over.
pub async fn a_lost_call_is_held_for_its_grace(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let pool = world.pool(LedgerSettings { grace: GRACE, ..LedgerSettings::without_reserve(WINDOW) }).await?;
    let Reservation::Granted(grant) = pool.reserve(&ask(&[&[60]])).await? else { panic!("100 points are free") };
    pool.settle(&grant.hold, CallEnd::Lost).await?;
    let status = pool.keys().await?.remove(0);
    assert_eq!((status.in_flight, status.held, status.lost), (0, Points::whole(60), Points::whole(60)));
    assert_eq!(pool.claim_reading(Points::whole(50), LEASE).await?, None);
    pass!(world, GRACE);
    let claim = pool.claim_reading(Points::whole(50), LEASE).await?.expect("the grace is over");
    pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 45, WINDOW - GRACE))).await?;
    let status = pool.keys().await?.remove(0);
    assert_eq!((status.spent, status.held, status.free), (Points::whole(45), Points::ZERO, Points::whole(55)));
    Ok(())
}

/// Until a second reading confirms it, the lower limit counts, but no message is refused as unpriceable because of it.
pub async fn a_limit_from_one_answer_is_read_again(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(10).await?;
    fixture.settle(&grant, CallEnd::Answered(fixture.reading(3, 0, WINDOW))).await?;
    fixture.refusal(5).await?;
    assert_eq!(fixture.status("a").await?.doubt, Some(Doubt::Limit));
    for _ in 0..2 {
        let claim = fixture.pool.claim_reading(Points::whole(5), LEASE).await?.expect("a limit in doubt");
        fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 4, WINDOW))).await?;
    }
    let status = fixture.status("a").await?;
    assert_eq!((status.limit, status.doubt, status.free), (Points::whole(100), None, Points::whole(96)));
    Ok(())
}

/// The key's reset seems to be further away than a window is long.
pub async fn a_key_read_with_a_clock_ahead_is_read_again(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    jump!(world, AN_HOUR * -2);
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.doubt), (KeyState::Stale, Some(Doubt::Reset)));
    fixture.refusal(1).await?;
    let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("a key in doubt");
    fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 30, WINDOW / 2))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.spent, status.doubt), (KeyState::Open, Points::whole(30), None));
    assert_eq!(status.reset_at, after(world.time().now(), WINDOW / 2));
    assert_eq!(fixture.pool.windows(&key("a"), 10).await?, [], "it is the same window");
    Ok(())
}

/// Neither its claim nor a rest that the upstream asked it for outlasts the correction of the clock.
pub async fn a_reader_whose_clock_was_ahead_closes_no_key(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["a"]).await?;
    fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
    jump!(world, AN_HOUR * -2);
    assert!(fixture.pool.claim_reading(Points::ZERO, LEASE).await?.is_some());
    Ok(())
}

/// The call may still be billed, so no reading frees its points yet.
pub async fn a_clock_that_is_set_ahead_ends_no_call_that_runs(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let pool = world.pool(LedgerSettings { grace: GRACE, ..LedgerSettings::without_reserve(WINDOW) }).await?;
    assert!(matches!(pool.reserve(&ask(&[&[100]])).await?, Reservation::Granted(_)));
    jump!(world, AN_HOUR * 2);
    let claim = pool.claim_reading(Points::ZERO, LEASE).await?.expect("its window seems to be over");
    pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 0, WINDOW))).await?;
    assert_eq!(pool.keys().await?.remove(0).held, Points::whole(100));
    pass!(world, GRACE + AFTER_THE_HOLD);
    let claim = pool.claim_reading(Points::whole(1), LEASE).await?.expect("the call is over");
    pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 99, WINDOW / 2))).await?;
    assert_eq!(pool.keys().await?.remove(0).free, Points::whole(1));
    Ok(())
}

/// A lease that was taken while the clock was ahead does not keep parked messages waiting.
pub async fn a_claim_by_a_clock_that_was_ahead_lapses(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let pool = pool(world).await?;
    let parked_at = world.time().now();
    let message = Parked { id: "1".into(), queue: "work".into(), body: "body".into(), parked_at };
    pool.park(std::slice::from_ref(&message)).await?;
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, std::slice::from_ref(&message));
    jump!(world, AN_HOUR * -2);
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, std::slice::from_ref(&message));
    assert_eq!(pool.claim_parked("work", 10, LEASE).await?, []);
    Ok(())
}
