//! The conformance suite of the wake-up port.

use std::time::Duration;

use jiff::SignedDuration;
use stint_core::clock::after;
use stint_core::ports::{Firing, PortResult, Wakeup};
use stint_core::schedule::{slot_after, slot_at};
use stint_core::worker::WorkerId;

use crate::suite::pass;
use crate::world::WakeupWorld;

/// The conformance tests of the wake-up port: `wakeups_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::WakeupWorld`].
#[macro_export]
macro_rules! wakeups_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            wakeups, $run, $world,
            wakeups_are_listed_soonest_first
            a_wakeup_of_the_same_name_is_replaced
            a_recurring_wakeup_keeps_its_next_firing
            a_recurring_wakeup_without_a_period_is_refused
            a_cancelled_wakeup_does_not_fire
            nothing_fires_before_its_time
            a_completed_wakeup_does_not_fire_again
            a_time_in_the_past_fires_at_once
            wakeups_of_other_workers_are_left_alone
            two_fleets_may_use_the_same_names
            each_worker_has_a_lease_of_its_own
            a_claimed_wakeup_is_claimable_after_its_lease
            a_recurring_wakeup_is_due_again_after_its_period
            missed_periods_are_not_made_up_for
            a_wakeup_that_was_replaced_while_it_fired_stays
            a_wakeup_that_was_cancelled_while_it_fired_stays_gone
            a_clock_that_is_set_back_delays_no_wakeup
            an_aligned_wakeup_is_due_at_multiples_of_its_period
            a_missed_aligned_wakeup_fires_once_for_the_newest_slot
        }
    };
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const REVIVER: WorkerId = WorkerId::new("warcraftlogs", "reviver");
const DISCOVER: WorkerId = WorkerId::new("warcraftlogs", "discover");
const SWEEPER: WorkerId = WorkerId::new("warcraftlogs", "sweeper");
const GENERATOR: WorkerId = WorkerId::new("warcraftlogs", "generator");
const WATCHER: WorkerId = WorkerId::new("poe-stashes", "watcher");
const OF_REVIVER: &[(WorkerId, Duration)] = &[(REVIVER, MINUTE)];

/// All wake-ups with their worker, time and period, soonest first, whatever the order they were set in.
pub async fn wakeups_are_listed_soonest_first(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    assert_eq!(wakeups.list().await?, []);
    let now = world.time().now();
    wakeups.once("late", &REVIVER, after(now, HOUR * 2)).await?;
    wakeups.every("hourly", &DISCOVER, HOUR).await?;
    wakeups.once("soon", &REVIVER, after(now, MINUTE)).await?;
    let wakeup =
        |name: &str, worker: WorkerId, wait, period| Wakeup { name: name.into(), worker, at: after(now, wait), period };
    let expected = [
        wakeup("soon", REVIVER, MINUTE, None),
        wakeup("hourly", DISCOVER, HOUR, Some(HOUR)),
        wakeup("late", REVIVER, HOUR * 2, None),
    ];
    assert_eq!(wakeups.list().await?, expected);
    Ok(())
}

/// The last one set counts, whether it is sooner, later, recurring or not.
pub async fn a_wakeup_of_the_same_name_is_replaced(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let now = world.time().now();
    for wait in [HOUR, MINUTE, HOUR * 3] {
        wakeups.once("revive", &REVIVER, after(now, wait)).await?;
        let all = wakeups.list().await?;
        assert_eq!(all.iter().map(|wakeup| wakeup.at).collect::<Vec<_>>(), [after(now, wait)]);
    }
    wakeups.every("revive", &SWEEPER, HOUR).await?;
    let all = wakeups.list().await?;
    assert_eq!((all.len(), &all[0].worker, all[0].period), (1, &SWEEPER, Some(HOUR)));
    assert_eq!(all[0].at, after(now, HOUR));
    wakeups.once("revive", &REVIVER, after(now, MINUTE)).await?;
    assert_eq!(wakeups.list().await?[0].period, None);
    Ok(())
}

/// A process that restarts sets its schedules again, and they keep their next firing. A new period starts over.
pub async fn a_recurring_wakeup_keeps_its_next_firing(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let start = world.time().now();
    wakeups.every("sweep", &REVIVER, HOUR).await?;
    pass!(world, MINUTE * 40);
    wakeups.every("sweep", &REVIVER, HOUR).await?;
    assert_eq!(wakeups.list().await?[0].at, after(start, HOUR));
    wakeups.every("sweep", &REVIVER, HOUR * 2).await?;
    assert_eq!(wakeups.list().await?[0].at, after(start, MINUTE * 40 + HOUR * 2));
    Ok(())
}

/// It would always be due.
pub async fn a_recurring_wakeup_without_a_period_is_refused(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    assert!(wakeups.every("spin", &REVIVER, Duration::ZERO).await.is_err());
    assert_eq!(wakeups.list().await?, []);
    Ok(())
}

/// A cancelled wake-up does not fire. Cancelling an unknown one is not an error.
pub async fn a_cancelled_wakeup_does_not_fire(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    wakeups.once("revive", &REVIVER, after(world.time().now(), MINUTE)).await?;
    wakeups.cancel(&REVIVER.fleet, "revive").await?;
    wakeups.cancel(&REVIVER.fleet, "revive").await?;
    assert_eq!(wakeups.list().await?, []);
    let Some(source) = world.source().await? else { return Ok(()) };
    pass!(world, HOUR);
    assert_eq!(source.claim_due(OF_REVIVER).await?, []);
    Ok(())
}

/// Not a second early.
pub async fn nothing_fires_before_its_time(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let at = after(world.time().now(), MINUTE);
    wakeups.once("revive", &REVIVER, at).await?;
    pass!(world, MINUTE - Duration::from_secs(1));
    assert_eq!(source.claim_due(OF_REVIVER).await?, []);
    pass!(world, Duration::from_secs(1));
    let due = source.claim_due(OF_REVIVER).await?;
    assert_eq!(due, [Firing { name: "revive".into(), worker: REVIVER, due: at }]);
    Ok(())
}

/// A one-shot wake-up is removed when it has fired; completing it again does nothing.
pub async fn a_completed_wakeup_does_not_fire_again(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    wakeups.once("revive", &REVIVER, after(world.time().now(), MINUTE)).await?;
    pass!(world, MINUTE);
    let due = source.claim_due(OF_REVIVER).await?;
    source.complete(&due[0]).await?;
    source.complete(&due[0]).await?;
    assert_eq!(wakeups.list().await?, []);
    pass!(world, HOUR);
    assert_eq!(source.claim_due(OF_REVIVER).await?, []);
    Ok(())
}

/// It fires as soon as possible.
pub async fn a_time_in_the_past_fires_at_once(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    pass!(world, HOUR);
    let past = stint_core::clock::before(world.time().now(), MINUTE);
    wakeups.once("revive", &REVIVER, past).await?;
    assert_eq!(source.claim_due(OF_REVIVER).await?.len(), 1);
    Ok(())
}

/// Two hosts that share a store but run different workers do not delay each other.
pub async fn wakeups_of_other_workers_are_left_alone(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    wakeups.once("revive", &REVIVER, world.time().now()).await?;
    wakeups.every("look", &WATCHER, MINUTE).await?;
    pass!(world, MINUTE);
    assert_eq!(source.claim_due(&[(DISCOVER, HOUR)]).await?, []);
    let names = |due: &[Firing]| due.iter().map(|firing| firing.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&source.claim_due(OF_REVIVER).await?), ["revive"]);
    assert_eq!(names(&source.claim_due(&[(WATCHER, HOUR), (REVIVER, HOUR)]).await?), ["look"]);
    Ok(())
}

/// Workers and wake-ups of two fleets may have the same names.
pub async fn two_fleets_may_use_the_same_names(world: &dyn WakeupWorld) -> PortResult<()> {
    const ELSEWHERE: WorkerId = WorkerId::new("poe-stashes", "reviver");
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let now = world.time().now();
    wakeups.once("revive", &REVIVER, now).await?;
    wakeups.every("revive", &ELSEWHERE, MINUTE).await?;
    pass!(world, MINUTE);
    let due = source.claim_due(OF_REVIVER).await?;
    assert_eq!(due, [Firing { name: "revive".into(), worker: REVIVER, due: now }]);
    source.complete(&due[0]).await?;
    let left = wakeups.list().await?;
    assert_eq!(left.iter().map(|wakeup| &wakeup.worker).collect::<Vec<_>>(), [&ELSEWHERE]);
    wakeups.cancel(&REVIVER.fleet, "revive").await?;
    assert_eq!(source.claim_due(&[(ELSEWHERE, MINUTE)]).await?.len(), 1);
    wakeups.cancel(&ELSEWHERE.fleet, "revive").await?;
    assert_eq!(wakeups.list().await?, []);
    Ok(())
}

/// A worker with a lease of an hour does not extend the lease of another worker's wake-up.
pub async fn each_worker_has_a_lease_of_its_own(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let now = world.time().now();
    wakeups.once("revive", &REVIVER, now).await?;
    wakeups.once("generate", &GENERATOR, now).await?;
    let workers = [(REVIVER, MINUTE), (GENERATOR, HOUR)];
    assert_eq!(source.claim_due(&workers).await?.len(), 2);
    pass!(world, MINUTE);
    let again = source.claim_due(&workers).await?;
    assert_eq!(again.iter().map(|firing| &*firing.name).collect::<Vec<_>>(), ["revive"]);
    Ok(())
}

/// If a host crashes while it fires a wake-up, the wake-up is delayed by the lease, and not lost.
pub async fn a_claimed_wakeup_is_claimable_after_its_lease(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    wakeups.once("revive", &REVIVER, world.time().now()).await?;
    wakeups.every("sweep", &REVIVER, MINUTE).await?;
    pass!(world, MINUTE);
    let first = source.claim_due(OF_REVIVER).await?;
    assert_eq!(first.len(), 2);
    pass!(world, MINUTE - Duration::from_secs(1));
    assert_eq!(source.claim_due(OF_REVIVER).await?, []);
    pass!(world, Duration::from_secs(1));
    assert_eq!(source.claim_due(OF_REVIVER).await?, first);
    Ok(())
}

/// The period counts from when it was due, not from when it was completed.
pub async fn a_recurring_wakeup_is_due_again_after_its_period(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let start = world.time().now();
    wakeups.every("sweep", &REVIVER, HOUR).await?;
    for round in 1..=3 {
        pass!(world, HOUR - MINUTE);
        assert_eq!(source.claim_due(OF_REVIVER).await?, []);
        pass!(world, MINUTE);
        let due = source.claim_due(OF_REVIVER).await?;
        assert_eq!(due.iter().map(|firing| firing.due).collect::<Vec<_>>(), [after(start, HOUR * round)]);
        source.complete(&due[0]).await?;
        source.complete(&due[0]).await?;
        assert_eq!(wakeups.list().await?[0].at, after(start, HOUR * (round + 1)));
    }
    Ok(())
}

/// After a long pause of the host, a recurring wake-up fires once, and then on its own grid again.
pub async fn missed_periods_are_not_made_up_for(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let start = world.time().now();
    wakeups.every("sweep", &REVIVER, HOUR).await?;
    pass!(world, HOUR * 5 + MINUTE);
    let due = source.claim_due(OF_REVIVER).await?;
    assert_eq!(due.len(), 1);
    source.complete(&due[0]).await?;
    assert_eq!(source.claim_due(OF_REVIVER).await?, []);
    assert_eq!(wakeups.list().await?[0].at, after(start, HOUR * 6));
    Ok(())
}

/// A wake-up set while the old one fires is kept, even if it is for the same instant.
pub async fn a_wakeup_that_was_replaced_while_it_fired_stays(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    let now = world.time().now();
    wakeups.once("later", &REVIVER, now).await?;
    wakeups.once("same", &REVIVER, now).await?;
    let due = source.claim_due(OF_REVIVER).await?;
    assert_eq!(due.len(), 2);
    wakeups.once("later", &REVIVER, after(now, HOUR)).await?;
    wakeups.once("same", &REVIVER, now).await?;
    for firing in &due {
        source.complete(firing).await?;
    }
    let all = wakeups.list().await?;
    assert_eq!(all.iter().map(|wakeup| wakeup.name.as_str()).collect::<Vec<_>>(), ["same", "later"]);
    assert_eq!(source.claim_due(OF_REVIVER).await?.len(), 1);
    Ok(())
}

/// Completing does not restore it.
pub async fn a_wakeup_that_was_cancelled_while_it_fired_stays_gone(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    wakeups.every("sweep", &REVIVER, MINUTE).await?;
    pass!(world, MINUTE);
    let due = source.claim_due(OF_REVIVER).await?;
    wakeups.cancel(&REVIVER.fleet, "sweep").await?;
    source.complete(&due[0]).await?;
    assert_eq!(wakeups.list().await?, []);
    Ok(())
}

/// A recurring wake-up that had a minute to go still has a minute. A one-shot wake-up fires at once: its worker checks
/// what there is to do.
pub async fn a_clock_that_is_set_back_delays_no_wakeup(world: &dyn WakeupWorld) -> PortResult<()> {
    let (wakeups, Some(source)) = (world.wakeups().await?, world.source().await?) else { return Ok(()) };
    for back in [30, 90, 2 * 3_600, 3 * 86_400] {
        wakeups.once("once", &REVIVER, after(world.time().now(), MINUTE)).await?;
        wakeups.every("often", &REVIVER, MINUTE).await?;
        if !world.time().jump(SignedDuration::from_secs(-back)) {
            return Ok(());
        }
        for expected in ["once", "often"] {
            let fired = source.claim_due(OF_REVIVER).await?;
            let names: Vec<&str> = fired.iter().map(|firing| firing.name.as_str()).collect();
            assert_eq!(names, [expected], "set back by {back} s");
            source.complete(&fired[0]).await?;
            pass!(world, MINUTE);
        }
        wakeups.cancel(&REVIVER.fleet, "often").await?;
        assert_eq!(wakeups.list().await?, [], "set back by {back} s");
    }
    Ok(())
}

/// Also after a restart, and after it was not aligned before.
pub async fn an_aligned_wakeup_is_due_at_multiples_of_its_period(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    pass!(world, MINUTE * 7);
    wakeups.every("sweep", &REVIVER, HOUR).await?;
    let first = slot_after(HOUR, world.time().now());
    for round in 0..2 {
        wakeups.every_aligned("sweep", &REVIVER, HOUR).await?;
        let expected = Wakeup { name: "sweep".into(), worker: REVIVER, at: first, period: Some(HOUR) };
        assert_eq!(wakeups.list().await?, [expected], "round {round}");
        pass!(world, MINUTE * 20);
    }
    assert!(wakeups.every_aligned("spin", &REVIVER, Duration::ZERO).await.is_err());
    wakeups.every_aligned("sweep", &REVIVER, MINUTE * 30).await?;
    assert_eq!(wakeups.list().await?[0].at, slot_after(MINUTE * 30, world.time().now()));
    Ok(())
}

/// However many slots have passed, and also if the first host crashes. A completed slot does not come again.
pub async fn a_missed_aligned_wakeup_fires_once_for_the_newest_slot(world: &dyn WakeupWorld) -> PortResult<()> {
    let wakeups = world.wakeups().await?;
    let Some(source) = world.source().await? else { return Ok(()) };
    wakeups.every_aligned("sample", &REVIVER, MINUTE).await?;
    for missed in [0, 1, 59] {
        pass!(world, MINUTE * missed + Duration::from_secs(61));
        assert_eq!(source.claim_due(OF_REVIVER).await?.len(), 1, "its host crashes");
        pass!(world, MINUTE + Duration::from_secs(1));
        let due = source.claim_due(OF_REVIVER).await?;
        let slot = slot_at(MINUTE, world.time().now());
        assert_eq!(due.iter().map(|firing| firing.due).collect::<Vec<_>>(), [slot]);
        source.complete(&due[0]).await?;
        source.complete(&due[0]).await?;
        assert_eq!(source.claim_due(OF_REVIVER).await?, []);
        assert_eq!(wakeups.list().await?[0].at, after(slot, MINUTE));
    }
    Ok(())
}
