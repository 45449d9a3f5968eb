//! Reserving and settling.

use futures::future::try_join_all;
use stint_core::clock::{after, before};
use stint_core::ledger::{Ask, CallEnd, KeyRefusal, KeyState, LedgerSettings, Reservation};
use stint_core::points::Points;
use stint_core::ports::PortResult;

use super::{AFTER_THE_HOLD, Fixture, LEASE, WINDOW, ask, pool};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

/// Granted points are held, and no other handle to the pool can reserve them.
pub async fn a_grant_is_held_until_it_is_settled(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(60).await?;
    assert_eq!((grant.amount, &grant.taken), (Points::whole(60), &vec![1]));
    let status = fixture.status("a").await?;
    assert_eq!((status.held, status.free, status.in_flight), (Points::whole(60), Points::whole(40), 1));
    fixture.refusal(41).await?;
    fixture.grant(40).await?;
    let elsewhere = pool(world).await?;
    assert!(matches!(elsewhere.reserve(&ask(&[&[1]])).await?, Reservation::Refused { .. }));
    assert_eq!(elsewhere.keys().await?, fixture.pool.keys().await?);
    Ok(())
}

/// A replay, in this process or in another one, changes nothing.
pub async fn a_second_settlement_does_nothing(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(60).await?;
    let other = fixture.grant(10).await?;
    fixture.settle(&grant, CallEnd::NotBilled).await?;
    let status = fixture.status("a").await?;
    fixture.settle(&grant, CallEnd::NotBilled).await?;
    fixture.settle(&grant, CallEnd::Lost).await?;
    pool(world).await?.settle(&grant.hold, CallEnd::NotBilled).await?;
    assert_eq!(fixture.status("a").await?, status);
    fixture.settle(&other, CallEnd::Lost).await?;
    let status = fixture.status("a").await?;
    fixture.settle(&other, CallEnd::Lost).await?;
    assert_eq!(fixture.status("a").await?, status);
    Ok(())
}

/// The points are free at once, without a reading.
pub async fn a_call_that_was_not_billed_gives_its_points_back(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(100).await?;
    fixture.settle(&grant, CallEnd::NotBilled).await?;
    assert_eq!(fixture.status("a").await?.free, Points::whole(100));
    fixture.grant(100).await?;
    Ok(())
}

/// A key that the upstream refused grants nothing until the time that the upstream named, and the refusal is counted.
pub async fn a_refused_call_rests_the_key(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(10).await?;
    let until = after(world.time().now(), LEASE);
    let refused = CallEnd::Refused { until, why: KeyRefusal::Points };
    fixture.settle(&grant, refused).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.state, status.held, status.refused), (KeyState::Paused, Points::ZERO, 1));
    assert_eq!(status.refusal, Some(KeyRefusal::Points));
    assert_eq!(fixture.refusal(10).await?[0].until, Some(until));
    fixture.settle(&grant, refused).await?;
    assert_eq!(fixture.status("a").await?.refused, 1);
    pass!(world, LEASE);
    assert_eq!(fixture.status("a").await?.refusal, None);
    fixture.grant(10).await?;
    Ok(())
}

/// The key rests in every process, and every process sees the reason. Its hold is released. The refusal is not counted
/// among those for lack of points. An operator who has fixed the key can resume it at once.
pub async fn a_key_that_is_not_accepted_rests_until_it_is_resumed(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100), ("b", 100)]).await?;
    let grant = fixture.grant(100).await?;
    let until = after(world.time().now(), LEASE);
    fixture.settle(&grant, CallEnd::Refused { until, why: KeyRefusal::Credentials }).await?;
    let elsewhere = pool(world).await?;
    let keys = elsewhere.keys().await?;
    let status = keys.iter().find(|status| status.key == grant.hold.key).expect("the key");
    assert_eq!((status.state, status.refusal), (KeyState::Paused, Some(KeyRefusal::Credentials)));
    assert_eq!((status.renews_at, status.held, status.refused), (until, Points::ZERO, 0));
    assert_ne!(fixture.grant(100).await?.hold.key, grant.hold.key, "the other key goes on");
    assert!(elsewhere.pause(&grant.hold.key, None).await?);
    assert_eq!(fixture.grant(100).await?.hold.key, grant.hold.key);
    Ok(())
}

/// A caller that crashes leaves a hold. It ends after the call time-out, and its points may have been billed.
pub async fn a_hold_ends_by_itself_and_counts_until_a_reading(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let grant = fixture.grant(100).await?;
    assert_eq!(fixture.pool.claim_reading(Points::whole(1), LEASE).await?, None);
    pass!(world, AFTER_THE_HOLD);
    let status = fixture.status("a").await?;
    assert_eq!((status.in_flight, status.unconfirmed, status.free), (0, Points::whole(100), Points::ZERO));
    let claim = fixture.pool.claim_reading(Points::whole(1), LEASE).await?.expect("a reading would help");
    fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 25, WINDOW - AFTER_THE_HOLD))).await?;
    let status = fixture.status("a").await?;
    assert_eq!((status.held, status.spent, status.free), (Points::ZERO, Points::whole(25), Points::whole(75)));
    fixture.settle(&grant, CallEnd::Lost).await?;
    assert_eq!(fixture.status("a").await?, status);
    Ok(())
}

/// For each key, a refusal says how many points are needed, how many are free, and when there may be more.
pub async fn a_refusal_names_what_is_missing(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    fixture.grant(95).await?;
    let waits = fixture.refusal(10).await?;
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].needed, waits[0].free), (Points::whole(10), Points::whole(5)));
    assert!(waits[0].until.is_some_and(|until| until >= fixture.world.time().now()));
    Ok(())
}

/// An empty ask is not an error, and its refusal lists no key to wait for.
pub async fn an_ask_for_nothing_is_refused(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let nothing = fixture.pool.reserve(&ask(&[])).await?;
    assert_eq!(nothing, Reservation::Refused { waits: Vec::new() });
    Ok(())
}

/// An ask larger than every key's whole window, less the guard, is reported at once instead of waiting.
pub async fn an_ask_that_no_key_can_satisfy_is_unpriceable(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100), ("b", 50)]).await?;
    let unpriceable = Reservation::Unpriceable { unit: Points::whole(101), largest: Points::whole(100) };
    assert_eq!(fixture.reserve(101).await?, unpriceable);
    fixture.grant(100).await?;
    Ok(())
}

/// Whole messages are granted first. If none fits, a message is split and its head is granted. The guard is never
/// granted.
pub async fn only_what_fits_is_granted(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let guarded =
        world.pool(LedgerSettings { guard: Points::whole(10), ..LedgerSettings::without_reserve(WINDOW) }).await?;
    let granted = |reservation| match reservation {
        Reservation::Granted(grant) => grant,
        other => panic!("a grant was expected, not {other:?}"),
    };
    let whole = granted(guarded.reserve(&ask(&[&[30, 30], &[20, 20], &[70]])).await?);
    assert_eq!((whole.amount, whole.taken), (Points::whole(70), vec![0, 0, 1]));
    let split = granted(guarded.reserve(&ask(&[&[15, 15], &[12, 12]])).await?);
    assert_eq!((split.amount, split.taken), (Points::whole(15), vec![1, 0]));
    assert_eq!(fixture.status("a").await?.held, Points::whole(85));
    Ok(())
}

/// Ordinary asks get no reserved points until the last tenth of the window.
pub async fn the_reserve_is_for_priority_asks(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let reserving =
        world.pool(LedgerSettings { reserve: Points::whole(10), ..LedgerSettings::without_reserve(WINDOW) }).await?;
    assert!(matches!(reserving.reserve(&ask(&[&[90]])).await?, Reservation::Granted(_)));
    let Reservation::Refused { waits } = reserving.reserve(&ask(&[&[5]])).await? else { panic!("10 are reserved") };
    let released = before(fixture.status("a").await?.reset_at, WINDOW / 10);
    assert_eq!((waits[0].free, waits[0].until), (Points::ZERO, Some(released)));
    let urgent = Ask { priority: true, ..ask(&[&[5]]) };
    assert!(matches!(reserving.reserve(&urgent).await?, Reservation::Granted(_)));
    Ok(())
}

/// Its unspent points expire first.
pub async fn the_key_that_resets_first_is_used_first(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::unread(world, &["late", "soon"]).await?;
    for _ in 0..2 {
        let claim = fixture.pool.claim_reading(Points::ZERO, LEASE).await?.expect("an unread key");
        let resets_in = if claim.key.0 == "soon" { WINDOW / 2 } else { WINDOW };
        fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(100, 0, resets_in))).await?;
    }
    assert_eq!(fixture.grant(60).await?.hold.key.0, "soon");
    assert_eq!(fixture.grant(60).await?.hold.key.0, "late");
    assert_eq!(fixture.grant(40).await?.hold.key.0, "soon");
    Ok(())
}

/// Many concurrent reservers on two handles are granted exactly the points that are free.
pub async fn reservers_never_share_points(world: &dyn KeyPoolWorld) -> PortResult<()> {
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let elsewhere = pool(world).await?;
    let seven = ask(&[&[7]]);
    let crowd = (0..40).map(|number| if number % 2 == 0 { &elsewhere } else { &fixture.pool });
    let answers = try_join_all(crowd.map(|pool| pool.reserve(&seven))).await?;
    let mut holds: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            Reservation::Granted(grant) => Some(grant.hold),
            _ => None,
        })
        .collect();
    assert_eq!(holds.len(), 14);
    holds.sort();
    holds.dedup();
    assert_eq!(holds.len(), 14, "two holds have one name");
    assert_eq!(fixture.status("a").await?.held, Points::whole(98));
    Ok(())
}
