//! Clocks that are changed, calls that are billed late, invalid counters, and a ledger that is deleted.

use std::time::Duration;

use jiff::SignedDuration;
use stint_core::clock::{Clock, after};
use stint_core::points::Points;

use crate::world::{Fault, FleetWorld, Request, Setup, run_scenario};

const JUMPS: [i64; 8] = [30, -30, 90, -90, 7_200, -7_200, 259_200, -259_200];
const WINDOW: u64 = 60;

/// A fleet with work for several windows, and one key that is dry for most of each.
fn busy(seed: u64) -> FleetWorld {
    let mut setup = Setup::new(seed, 120).keys(&[200], WINDOW).looking_often();
    setup.settings.concurrency_limit = 3;
    // Faults injected by the test must not open the breaker.
    setup.unguarded().build()
}

/// How often players' ranks were requested within a window after `from`, measured by elapsed time.
fn asked_after(world: &FleetWorld, from: jiff::Timestamp) -> usize {
    // A window, plus the time of a wake-up and a call.
    let until = after(from, Duration::from_secs(WINDOW + 5));
    world.network.sent_at(Request::Ranks).into_iter().filter(|at| *at >= from && *at < until).count()
}

async fn run_for(world: &FleetWorld, seconds: u64) {
    let fleet = world.start();
    fleet.run_while(world.pass(seconds)).await;
}

#[test]
fn a_fleet_whose_clock_is_set_while_it_runs_works_on_within_a_window() {
    for (number, jump) in JUMPS.into_iter().enumerate() {
        for set_back_after in [None, Some(100)] {
            let world = busy(number as u64);
            run_scenario(&world, async {
                world.queue_all().await;
                let fleet = world.start();
                let scenario = async {
                    world.pass(75).await;
                    let mut moments = vec![world.clock.steady().now()];
                    world.clock.jump(SignedDuration::from_secs(jump));
                    if let Some(seconds) = set_back_after {
                        world.pass(seconds).await;
                        moments.push(world.clock.steady().now());
                        world.clock.jump(SignedDuration::from_secs(-jump));
                    }
                    world.pass(WINDOW + 5).await;
                    for from in moments {
                        let asked = asked_after(&world, from);
                        assert!(asked > 0, "no player was requested after a jump of {jump} s, {set_back_after:?}");
                    }
                };
                fleet.run_while(scenario).await;
                world.start().run_until_idle().await;
                world.assert_outcomes(&world.asked_of(&world.all_players())).await;
                let counters = world.counters();
                assert_eq!((counters.overspent, counters.refused_calls), (Points::ZERO, 0), "a jump of {jump} s");
            });
        }
    }
}

#[test]
fn a_fleet_whose_clock_is_set_between_two_starts_works_on_within_a_window() {
    for (number, jump) in JUMPS.into_iter().enumerate() {
        let world = busy(20 + number as u64);
        run_scenario(&world, async {
            world.queue_all().await;
            for by in [jump, -jump] {
                run_for(&world, 75).await;
                world.clock.jump(SignedDuration::from_secs(by));
                let from = world.clock.steady().now();
                run_for(&world, WINDOW + 5).await;
                assert!(asked_after(&world, from) > 0, "no player was requested after a jump of {by} s");
            }
            world.start().run_until_idle().await;
            world.assert_outcomes(&world.asked_of(&world.all_players())).await;
            let counters = world.counters();
            assert_eq!((counters.overspent, counters.refused_calls), (Points::ZERO, 0), "a jump of {jump} s");
        });
    }
}

#[test]
fn calls_that_are_billed_after_their_callers_gave_up_overspend_nothing() {
    for seed in 0..12 {
        let world = busy(40 + seed);
        run_scenario(&world, async {
            world.queue_all().await;
            let timeout = world.settings.call_timeout().as_secs();
            // Delays up to the call's time-out, some of them across a reset, and half of them once the pool runs dry.
            let late = |number: u64| Fault::BilledLater(502, (seed + number) % (timeout + 1));
            world.network.fail(Request::Ranks, (0..12).map(late));
            let fleet = world.start();
            fleet.run_while(world.pass(40)).await;
            world.network.fail(Request::Ranks, (0..6).map(late));
            world.start().run_until_idle().await;
            world.assert_all_served().await;
        });
    }
}

#[test]
fn parked_players_outlive_a_ledger_that_is_deleted() {
    let mut setup = Setup::new(61, 60).keys(&[200], WINDOW).looking_often().on_disk();
    setup.settings.concurrency_limit = 3;
    let world = setup.build();
    let world = run_scenario(&world, async {
        world.queue_all().await;
        run_for(&world, 20).await;
        assert!(
            world.stores.pool.count_parked(stint_warcraftlogs::message::QUEUE).await.unwrap() > 0,
            "none is parked"
        );
        world.reopened_without(&["keys.db"])
    });
    run_scenario(&world, async {
        assert_eq!(world.stores.pool.keys().await.unwrap().len(), 0);
        world.start().run_until_idle().await;
        world.assert_outcomes(&world.asked_of(&world.all_players())).await;
        let counters = world.counters();
        assert_eq!((counters.overspent, counters.refused_calls), (Points::ZERO, 0));
    });
}

/// Invalid counters, each returned once.
const ABSURD: [&str; 5] = [
    r#"{"data":{"rateLimitData":{"limitPerHour":200,"pointsSpentThisHour":0,"pointsResetIn":999999999}}}"#,
    r#"{"data":{"rateLimitData":{"limitPerHour":3,"pointsSpentThisHour":0,"pointsResetIn":50}}}"#,
    r#"{"data":{"rateLimitData":{"limitPerHour":0,"pointsSpentThisHour":999999,"pointsResetIn":50}}}"#,
    r#"{"data":{"rateLimitData":{"limitPerHour":200,"pointsSpentThisHour":999999,"pointsResetIn":0}}}"#,
    r#"{"data":{"rateLimitData":{"limitPerHour":200,"pointsSpentThisHour":200,"pointsResetIn":1}}}"#,
];

#[test]
fn one_absurd_counter_costs_readings_and_no_message() {
    for absurd in ABSURD {
        for nth in 0..3 {
            let world = busy(70);
            run_scenario(&world, async {
                world.queue_all().await;
                let fleet = world.start();
                let scenario = async {
                    world.pass(20 * nth).await;
                    let from = world.clock.steady().now();
                    world.network.fail(Request::Points, [Fault::Replaced(absurd)]);
                    world.pass(2 * WINDOW + 10).await;
                    assert!(asked_after(&world, after(from, Duration::from_secs(WINDOW))) > 0, "{absurd}");
                };
                fleet.run_while(scenario).await;
                world.start().run_until_idle().await;
                world.assert_outcomes(&world.asked_of(&world.all_players())).await;
                let counters = world.counters();
                assert_eq!((counters.overspent, counters.refused_calls), (Points::ZERO, 0), "{absurd}");
                let readings = world.network.sent(Request::Points);
                assert!(readings <= 120, "{readings} readings after {absurd}");
            });
        }
    }
}
