//! Outages of the API: it is not called, no player is lost, and everything is served afterwards.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::Intent;
use stint_core::clock::{Clock, after};
use stint_core::points::Points;
use stint_core::worker::Event;
use stint_warcraftlogs::budget::BudgetStrategy;
use stint_warcraftlogs::client::UPSTREAM;

use crate::world::{Fault, FaultPlan, FleetWorld, Process, Request, Setup, run_scenario};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most requests allowed in a day of an outage.
const MOST: usize = 200;

/// The body of a bot challenge.
const CHALLENGE: &str = "<html><head><title>Just a moment...</title></head></html>";

/// Every way in which the API was seen to be down.
const FORMS: [Fault; 9] = [
    Fault::Instead(403, CHALLENGE),
    Fault::Instead(403, "error code: 1020"),
    Fault::Before(502),
    Fault::Instead(200, "<!DOCTYPE html><html><body>We will be back soon.</body></html>"),
    Fault::Instead(200, r#"{"error":"Unauthenticated."}"#),
    Fault::Instead(401, r#"{"error":"Unauthenticated."}"#),
    Fault::Instead(429, ""),
    Fault::Hang,
    Fault::Unreachable,
];

fn setup(seed: u64, players: u32) -> Setup {
    let mut setup = Setup::new(seed, players).keys(&[20_000, 20_000, 20_000], 3_600);
    setup.settings.concurrency_limit = 8;
    setup
}

fn fail_all(world: &FleetWorld, kinds: &[Request], fault: Fault) {
    kinds.iter().for_each(|kind| world.network.fail_all(*kind, fault));
}

async fn is_open(world: &FleetWorld) -> bool {
    !world.stores.breakers.load(UPSTREAM).await.unwrap().1.is_closed()
}

/// A working fleet for which `kinds` of requests fail with `fault` for a day: for the first minute one process runs,
/// and then a new process at each wake-up, as functions do. Returns how many requests were sent in that day.
fn play_a_day(setup: Setup, kinds: &[Request], fault: Fault) -> usize {
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let fleet = world.start();
        fleet.set_schedules().await;
        let mut before = 0;
        fleet
            .run_while(async {
                world.clock.sleep(Duration::from_millis(300)).await;
                before = world.network.sent_in_all();
                fail_all(&world, kinds, fault);
                // A rate limit is waited out for half a minute each time.
                world.pass(240).await;
            })
            .await;
        assert!(is_open(&world).await, "{fault:?}");
        assert_eq!(
            world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().limit,
            Some(0),
            "{fault:?}"
        );
        until_woken(&world, after(world.clock.now(), DAY)).await;
        let sent = world.network.sent_in_all() - before;
        assert_eq!(world.dead_letters().await, [], "{fault:?}");
        world.network.clear_faults();
        let back = world.clock.now();
        world.start().run_until_idle().await;
        assert!(world.clock.now() <= after(back, Duration::from_secs(3_600)), "{fault:?}: served late");
        assert!(!is_open(&world).await, "{fault:?}");
        match world.settings.budget_strategy {
            BudgetStrategy::Ledger => world.assert_all_served().await,
            // That strategy keeps no accounts.
            BudgetStrategy::WorstCase => world.assert_outcomes(&world.asked_of(&world.all_players())).await,
        }
        sent
    })
}

/// Starts a process at each wake-up, for a few seconds.
async fn until_woken(world: &FleetWorld, end: Timestamp) {
    while world.clock.now() < end {
        let next = world.stores.wakeups.list().await.unwrap().first().map_or(end, |wakeup| wakeup.at);
        world.clock.sleep_until(next.min(end)).await;
        let process = world.start();
        process.run_until(after(world.clock.now(), Duration::from_secs(8))).await;
    }
}

#[test]
fn a_day_of_outage_takes_few_requests_and_all_players_are_served_afterwards() {
    for (seed, fault) in (100..).zip(FORMS) {
        let sent = play_a_day(setup(seed, 400), &Request::ALL, fault);
        assert!(sent < MOST, "{sent} requests in a day of {fault:?}");
    }
}

#[test]
fn an_api_without_tokens_is_down() {
    for fault in [Fault::Before(502), Fault::Hang, Fault::Instead(200, "<html></html>"), Fault::Instead(403, CHALLENGE)]
    {
        // Tokens expire while the fleet is working.
        let world = setup(120, 100).build();
        run_scenario(&world, async {
            world.queue_all().await;
            world.network.fail_all(Request::Token, fault);
            world.start().run_until(after(world.clock.now(), Duration::from_secs(60))).await;
            until_woken(&world, after(world.clock.now(), DAY)).await;
            let sent = world.network.sent_in_all();
            assert!(is_open(&world).await && sent < MOST, "{sent} requests in a day of {fault:?}");
            world.network.clear_faults();
            world.start().run_until_idle().await;
            world.assert_all_served().await;
        });
    }
}

#[test]
fn an_api_that_only_serves_free_queries_is_not_flooded_with_probes() {
    for fault in [Fault::Hang, Fault::Before(504), Fault::Instead(403, CHALLENGE)] {
        let sent = play_a_day(setup(130, 400), &[Request::Ranks], fault);
        assert!(sent < MOST, "{sent} requests in a day of {fault:?}");
    }
}

#[test]
fn responses_without_any_player_are_an_outage() {
    let nothing = r#"{"data":{"characterData":null},"errors":[{"message":"Internal server error"}]}"#;
    let sent = play_a_day(setup(135, 400), &[Request::Ranks], Fault::Instead(200, nothing));
    assert!(sent < MOST, "{sent} requests");
}

#[test]
fn the_source_documents_rule_stands_still_too() {
    for fault in [Fault::Before(502), Fault::Instead(403, CHALLENGE)] {
        let mut setup = setup(140, 400).keys(&[50_000], 3_600);
        setup.settings.budget_strategy = BudgetStrategy::WorstCase;
        let sent = play_a_day(setup, &Request::ALL, fault);
        assert!(sent < MOST, "{sent} requests in a day of {fault:?}");
    }
}

#[test]
fn a_key_of_several_that_is_not_accepted_is_no_outage() {
    let world = setup(150, 60).build();
    run_scenario(&world, async {
        world.queue_all().await;
        let refused = world.settings.wcl_keys[0].id.0.clone();
        world.accept(&refused, false);
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(world.stores.breakers.load(UPSTREAM).await.unwrap().0, 0, "nothing was ever kept");
        world.assert_all_served().await;
    });
}

#[test]
fn a_slow_api_is_used_as_long_as_it_answers_in_time() {
    let in_time = Fault::Late(Duration::from_millis(1_900));
    let world = setup(160, 60).build();
    run_scenario(&world, async {
        world.queue_all().await;
        fail_all(&world, &Request::ALL, in_time);
        world.start().run_until_idle().await;
        assert!(!is_open(&world).await);
        world.assert_all_served().await;
    });
    // Executed and charged, but the response arrives too late.
    let sent = play_a_day(setup(161, 400), &Request::ALL, Fault::Late(Duration::from_millis(2_100)));
    assert!(sent < MOST, "{sent} requests");
}

#[test]
fn a_flapping_api_is_neither_overspent_nor_stormed() {
    let world = setup(170, 3_000).build();
    run_scenario(&world, async {
        world.queue_all().await;
        let fleet = world.start();
        let mut failed = 0;
        fleet
            .run_while(async {
                for _ in 0..12 {
                    world.clock.sleep(Duration::from_millis(300)).await;
                    let before = world.network.sent_in_all();
                    fail_all(&world, &Request::ALL, Fault::After(502));
                    world.pass(600).await;
                    failed += world.network.sent_in_all() - before;
                    world.network.clear_faults();
                    while is_open(&world).await {
                        world.pass(1).await;
                    }
                }
            })
            .await;
        assert!(failed < MOST, "{failed} requests failed in twelve outages");
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_probe_is_one_at_a_time_for_all_processes() {
    let world = setup(180, 60).build();
    run_scenario(&world, async {
        world.queue_all().await;
        fail_all(&world, &Request::ALL, Fault::Before(502));
        world.start().run_until(after(world.clock.now(), Duration::from_secs(90))).await;
        let processes = [world.start(), world.start(), world.start()];
        let breaker = processes[0].budget.api.breaker().unwrap();
        world.clock.sleep_until(breaker.waits(Intent::Probe).await.unwrap().until).await;
        let before = world.network.sent_in_all();
        let due = world.clock.now();
        let time = Duration::from_secs(120);
        let [one, two, three] = &processes;
        let revive =
            async |process: &Process| process.invoke("reviver", Event::Tick { due, wakeup: None }, time).await.unwrap();
        futures::join!(revive(one), revive(two), revive(three));
        assert_eq!(world.network.sent_in_all() - before, 1, "a new process asks for its token");
        let early = processes[1].invoke("reviver", Event::Tick { due, wakeup: None }, time).await.unwrap();
        assert_eq!((world.network.sent_in_all() - before, &early.report["concurrency"]), (1, &0.into()));
        processes[2].run("reviver").await;
        assert_eq!(world.network.sent_in_all() - before, 2, "a person need not wait");
        world.network.clear_faults();
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn after_a_kill_at_any_step_of_an_outage_another_process_continues() {
    let steps = killed_at(u64::MAX);
    assert!(steps > 100, "{steps} steps");
    for step in (1..=steps).step_by(17) {
        killed_at(step);
    }
}

/// A process that opens the breaker, probes twice, and closes it, and that is killed at `step`.
fn killed_at(step: u64) -> u64 {
    let mut setup = setup(190, 15).keys(&[2_000], 3_600);
    setup.settings.wcl_visibility_seconds = 20;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let faults = FaultPlan::kill_at(step);
        let fleet = world.start_with(&faults);
        fail_all(&world, &Request::ALL, Fault::Instead(502, "busy"));
        let scenario = fleet.run_while(async {
            world.pass(40).await;
            world.network.clear_faults();
            world.pass(70).await;
        });
        faults.run(scenario).await;
        world.network.clear_faults();
        let next = world.start();
        next.set_schedules().await;
        next.run_until_idle().await;
        assert!(!is_open(&world).await, "at step {step}");
        world.assert_all_served().await;
        assert_eq!(world.counters().overspent, Points::ZERO);
        faults.kill_points()
    })
}
