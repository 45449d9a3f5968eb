//! Frozen raids: once they are known to be frozen, their ranks are fetched once and their pages are read once.

use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, after, between};
use stint_core::points::Points;
use stint_core::worker::Event;
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::player_ref::PlayerRef;

use crate::world::{Fault, FleetWorld, Process, Request, Setup, run_scenario};

/// A rule is due again after this, and a player a little earlier.
const TURN: u64 = 12 * 60 * 60;

/// A world in which raid 26 is frozen from the beginning, and 28 is not; players are in one of them or both.
fn setup() -> Setup {
    let mut setup = Setup::new(29, 40).rankings(&[(26, 4), (28, 4)]);
    setup.options.frozen = vec![26];
    setup.settings.delay_discovery_in_hours = 12;
    setup.settings.refresh_after_hours = 10;
    setup
}

/// One round: discovery, queue, ranks. Returns what was queued.
async fn round(world: &FleetWorld, fleet: &Process) -> u64 {
    fleet.discover_everything().await;
    fleet.run("aggregator").await;
    let queued = world.queued().await;
    world.start().run_until_idle().await;
    queued.values().map(|raids| raids.len() as u64).sum()
}

/// How many raids and difficulties are discovered: of raid 28, and of both raids.
fn units(world: &FleetWorld) -> (u64, u64) {
    let count = |pairs: &[(u32, u32)]| world.population().discoverable(pairs).len() as u64;
    (count(&[(28, 4)]), count(&[(28, 4)]) + count(&[(26, 4)]))
}

#[test]
fn frozen_raids_are_fetched_once_and_the_others_again_and_again() {
    let world = setup().build();
    let (unfrozen, all) = units(&world);
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        assert_eq!(round(&world, &fleet).await, all);
        let pages = |raid| world.counters().page_reads(raid, 4, 1);
        assert_eq!((pages(26), pages(28)), (1, 1));
        // The response came after this pass over the pages, so they are read once more.
        for (turn, reads) in [(1, 2), (2, 2), (3, 2)] {
            world.pass(TURN).await;
            assert_eq!(round(&world, &fleet).await, unfrozen, "turn {turn}");
            assert_eq!((pages(26), pages(28)), (reads, turn + 1), "turn {turn}");
        }
        world.assert_all_served().await;
        assert_eq!(world.stores.zones.frozen().await.unwrap().0.keys().copied().collect::<Vec<_>>(), [26]);
        let left = fleet.run("aggregator").await;
        assert_eq!((&left["due"], &left["queued"]), (&0.into(), &0.into()), "who is left is fresh");
    });
    assert_eq!(world.network.sent(Request::WorldData), 2, "one small question a day");
}

#[test]
fn a_raid_that_freezes_later_is_fetched_once_more() {
    let mut setup = setup();
    setup.options.frozen.clear();
    let world = setup.build();
    let (unfrozen, all) = units(&world);
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        assert_eq!(round(&world, &fleet).await, all);
        world.freeze(26);
        // A change is known within a day.
        for (turn, queued) in [(1, all), (2, all), (3, unfrozen), (4, unfrozen)] {
            world.pass(TURN).await;
            assert_eq!(round(&world, &fleet).await, queued, "turn {turn}");
        }
        world.assert_all_served().await;
    });
}

#[test]
fn frozen_raids_are_fetched_again_where_that_is_asked_for() {
    let mut setup = setup();
    setup.settings.refresh_frozen = true;
    let world = setup.build();
    let (_, all) = units(&world);
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        for _ in 0..3 {
            assert_eq!(round(&world, &fleet).await, all);
            world.pass(TURN).await;
        }
    });
    assert_eq!(world.network.sent(Request::WorldData), 0, "no one waits for it");
}

#[test]
fn a_refresh_by_hand_fetches_what_is_frozen() {
    let world = setup().build();
    let id = world.population().discoverable(&[(26, 4)])[0];
    run_scenario(&world, async {
        world.add_rules(0).await;
        let fleet = world.start();
        round(&world, &fleet).await;
        world.pass(TURN).await;
        let before = world.ranked().await[&id].updated_at;
        world.refresh(PlayerRef::Id(id), [(26, 4)].into_iter().collect()).await;
        world.start().run_until_idle().await;
        assert!(world.ranked().await[&id].updated_at > before);
    });
}

#[test]
fn a_failed_query_delays_no_batch_and_is_repeated() {
    let world = setup().build();
    let (_, all) = units(&world);
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.network.fail(Request::WorldData, [Fault::Before(502), Fault::After(500)]);
        let fleet = world.start();
        assert_eq!(round(&world, &fleet).await, all);
        assert!(world.stores.zones.frozen().await.unwrap().0.is_empty());
        for _ in 0..3 {
            world.pass(TURN).await;
            round(&world, &fleet).await;
        }
        assert_eq!(world.stores.zones.frozen().await.unwrap().0.keys().copied().collect::<Vec<_>>(), [26]);
        world.assert_accounts_agree().await;
    });
}

#[test]
fn many_processes_ask_once() {
    let mut setup = setup();
    setup.settings.concurrency_limit = 8;
    let world = setup.build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.queue_all().await;
        let fleets = [world.start(), world.start(), world.start()];
        let end = after(world.clock.now(), Duration::from_secs(600));
        futures::future::join_all(fleets.iter().map(|fleet| fleet.run_until(end))).await;
        world.assert_all_served().await;
    });
    assert_eq!(world.network.sent(Request::WorldData), 1);
    assert!(world.counters().charged > Points::ZERO);
}

/// Passes one player to a worker by hand, with `time` until its deadline. Returns its report.
async fn fetch(world: &FleetWorld, worker: &'static str, time: Duration) -> Value {
    let id = world.population().discoverable(&[(26, 4)])[0];
    let body = PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap: world.raids_of(id) }.to_body();
    let event = Event::Manual(serde_json::from_str(&body).unwrap());
    world.start().invoke(worker, event, time).await.unwrap().report
}

#[test]
fn a_batch_that_has_just_the_time_for_its_call_asks_nothing_else() {
    let world = setup().build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.network.fail_all(Request::WorldData, Fault::Hang);
        // A call may take 6 s.
        let report = fetch(&world, "rank-fetcher", Duration::from_secs(8)).await;
        assert_eq!((&report["ranked"], &report["parked"]), (&1.into(), &0.into()));
        assert_eq!(world.network.sent(Request::WorldData), 0);
        let report = fetch(&world, "rank-fetcher", Duration::from_secs(60)).await;
        assert_eq!(
            (&report["ranked"], world.network.sent(Request::WorldData)),
            (&1.into(), 1),
            "with time it is asked"
        );
    });
}

#[test]
fn a_slow_query_leaves_time_for_a_call() {
    let world = setup().build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        // A token and a counter come before the query: each may take 2 s.
        let slow = Fault::Late(Duration::from_millis(1_900));
        world.network.fail(Request::Token, [slow]);
        world.network.fail(Request::Points, [slow]);
        world.network.fail(Request::WorldData, [slow]);
        let report = fetch(&world, "rank-fetcher", Duration::from_millis(12_100)).await;
        assert_eq!((&report["ranked"], &report["parked"]), (&1.into(), &0.into()));
    });
}

#[test]
fn a_refresh_waits_for_no_query_about_raids() {
    let world = setup().build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.network.fail_all(Request::WorldData, Fault::Hang);
        let began = world.clock.now();
        assert_eq!(fetch(&world, "refresher", Duration::from_secs(120)).await["ranked"], 1);
        assert_eq!(world.network.sent(Request::WorldData), 0);
        assert!(between(began, world.clock.now()) < Duration::from_secs(1));
    });
}
