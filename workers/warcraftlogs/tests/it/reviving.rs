//! The reviver: by wake-up, by sweep and by hand, early, late and twice.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::points::Points;
use stint_core::worker::Event;
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::message::QUEUE;

use crate::world::{Fault, FaultPlan, FleetWorld, Request, Setup, run_scenario};

/// A world with one key that soon runs dry.
fn dry(seed: u64) -> FleetWorld {
    Setup::new(seed, 40).keys(&[120], 600).build()
}

/// Runs a process until the throttle is at 0 and everything that ran is done.
async fn run_dry(world: &FleetWorld) {
    world.queue_all().await;
    world.start().run_until(after(world.clock.now(), Duration::from_secs(60))).await;
    assert_eq!(throttle(world).await, Some(0));
    assert!(parked(world).await > 0);
}

async fn throttle(world: &FleetWorld) -> Option<u32> {
    world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().limit
}

async fn parked(world: &FleetWorld) -> u64 {
    world.stores.pool.count_parked(QUEUE).await.unwrap()
}

async fn revival(world: &FleetWorld) -> Option<Timestamp> {
    let wakeups = world.stores.wakeups.list().await.unwrap();
    wakeups.into_iter().find(|wakeup| wakeup.name == REVIVE).map(|wakeup| wakeup.at)
}

#[test]
fn a_dry_pool_has_one_wake_up_at_the_earliest_reset() {
    let mut setup = Setup::new(1, 60).keys(&[100, 90, 80], 600);
    setup.settings.wcl_reserve = Points::ZERO;
    let world = setup.build();
    run_scenario(&world, async {
        run_dry(&world).await;
        let wakeups = world.stores.wakeups.list().await.unwrap();
        assert_eq!(wakeups.len(), 1, "{wakeups:?}");
        let reset = world.stores.pool.keys().await.unwrap()[0].reset_at;
        assert_eq!(wakeups[0].at, after(reset, Duration::from_secs(1)));
        let counters = world.counters();
        let earliest = counters.keys.iter().map(|key| key.windows.last().unwrap().reset).min().unwrap();
        assert!(reset >= earliest && reset <= after(earliest, Duration::from_secs(2)), "{reset} and {earliest}");
    });
}

#[test]
fn a_pool_that_is_dry_but_for_its_reserves_has_one_wake_up_when_the_first_is_given_back() {
    let world = Setup::new(1, 60).keys(&[100, 90, 80], 600).build();
    run_scenario(&world, async {
        run_dry(&world).await;
        let keys = world.stores.pool.keys().await.unwrap();
        assert!(keys.iter().all(|key| key.reserved > Points::ZERO), "{keys:?}");
        let released_at = keys.iter().map(|key| key.grants_at(world.settings.unit())).min();
        assert_eq!((world.stores.wakeups.list().await.unwrap().len(), revival(&world).await), (1, released_at));
    });
}

#[test]
fn an_early_run_has_no_effect() {
    let world = dry(2);
    run_scenario(&world, async {
        run_dry(&world).await;
        let (wakes_at, waiting, requests) = (revival(&world).await, parked(&world).await, world.counters().requests);
        let report = world.start().run("reviver").await;
        assert_eq!((&report["concurrency"], &report["unparked"]), (&Value::from(0), &Value::from(0)));
        assert_eq!((throttle(&world).await, parked(&world).await), (Some(0), waiting));
        assert_eq!((revival(&world).await, world.counters().requests), (wakes_at, requests));
        world.assert_no_player_lost().await;
    });
}

#[test]
fn a_second_run_has_no_effect() {
    let world = dry(3);
    run_scenario(&world, async {
        run_dry(&world).await;
        world.pass(600).await;
        let fleet = world.start();
        let other = world.start();
        let (once, twice) = futures::future::join(fleet.run("reviver"), other.run("reviver")).await;
        let thrice = fleet.run("reviver").await;
        let readings = [&once, &twice, &thrice].map(|report| report["readings"].as_u64().unwrap());
        assert_eq!(readings.iter().sum::<u64>(), 1, "what is known is not asked: {once} {twice} {thrice}");
        let concurrency = throttle(&world).await.unwrap();
        assert!(concurrency > 0);
        assert_eq!(thrice["concurrency"], concurrency);
        world.assert_no_player_lost().await;
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_lost_wake_up_is_covered_by_the_sweep() {
    let world = dry(4);
    run_scenario(&world, async {
        run_dry(&world).await;
        world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, REVIVE).await.unwrap();
        let began = world.clock.now();
        let fleet = world.start();
        fleet.set_schedules().await;
        fleet.run_until(after(began, Duration::from_secs(590))).await;
        assert_eq!(throttle(&world).await, Some(0));
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn an_upstream_that_is_down_at_the_reset_is_asked_again_but_not_without_pause() {
    for fault in [Fault::Before(502), Fault::Unreachable, Fault::Hang, Fault::Before(401), Fault::RefusedFor(5)] {
        let mut setup = Setup::new(5, 60).keys(&[100, 100, 100, 100, 100], 600);
        setup.settings.wcl_call_timeout_seconds = 30;
        let world = setup.build();
        run_scenario(&world, async {
            run_dry(&world).await;
            world.network.fail_all(Request::Points, fault);
            let (before, reset) = (world.network.sent(Request::Points), revival(&world).await.unwrap());
            world.start().run_until(after(reset, Duration::from_secs(30 * 60))).await;
            let requests = world.network.sent(Request::Points) - before;
            assert!((5..=240).contains(&requests), "{requests} requests in half an hour of {fault:?}");
            assert_eq!(throttle(&world).await, Some(0));
            world.assert_no_player_lost().await;
            world.network.clear_faults();
            let back = world.clock.now();
            world.start().run_until_idle().await;
            assert!(world.clock.now() <= after(back, Duration::from_secs(3_600)), "{fault:?}");
            world.assert_all_served().await;
        });
    }
}

#[test]
fn a_reviver_by_hand_is_a_reviver() {
    let world = dry(6);
    run_scenario(&world, async {
        run_dry(&world).await;
        world.stores.wakeups.cancel(stint_warcraftlogs::FLEET, REVIVE).await.unwrap();
        world.pass(610).await;
        let fleet = world.start();
        let due = world.clock.now();
        let outcome =
            fleet.invoke("reviver", Event::Tick { due, wakeup: None }, Duration::from_secs(120)).await.unwrap();
        assert_eq!(outcome.report["worker"], "rank-fetcher");
        assert!(outcome.report["concurrency"].as_u64().unwrap() > 0);
        fleet.run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn an_operators_pause_is_not_the_revivers_to_end() {
    let world = dry(7);
    run_scenario(&world, async {
        run_dry(&world).await;
        world.stores.throttle.pause(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap();
        world.start().run_until(after(world.clock.now(), Duration::from_secs(1_300))).await;
        let served = world.ranked().await.len();
        assert!(world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().paused);
        world.start().run_until(after(world.clock.now(), Duration::from_secs(60))).await;
        assert_eq!(world.ranked().await.len(), served, "a paused worker does not start");
        world.stores.throttle.resume(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap();
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_reviver_that_is_killed_at_any_step_leaves_no_message_parked() {
    let kill_points = killed_at(u64::MAX);
    assert!(kill_points > 10, "{kill_points} kill points");
    for step in 1..=kill_points {
        killed_at(step);
    }
}

fn killed_at(step: u64) -> u64 {
    let world = Setup::new(8, 15).keys(&[90], 60).build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until(after(world.clock.now(), Duration::from_secs(10))).await;
        assert!(parked(&world).await > 0);
        world.pass(60).await;
        let faults = FaultPlan::kill_at(step);
        faults.run(world.start_with(&faults).run("reviver")).await;
        // The messages that it had leased are available again.
        world.pass(60).await;
        world.assert_no_player_lost().await;
        // The wake-up is still there, because it has not been completed.
        world.start().run_until_idle().await;
        world.assert_all_served().await;
        faults.kill_points()
    })
}
