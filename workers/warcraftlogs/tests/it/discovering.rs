//! Discovery: every page is read once, whatever interrupts it.

use std::time::Duration;

use futures::future::join;
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::worker::Event;
use stint_standins::warcraftlogs::{BanForm, Rate};

use crate::world::{Fault, FaultPlan, FleetWorld, Process, Request, Setup, rule, run_scenario};

/// The only ranking in these worlds.
const RANKING: (u32, u32) = (26, 4);

/// How long discovery holds a rule without storing progress.
const LEASE: u64 = 5 * 60;

/// A world whose ranking has `pages` pages, read in chunks of `chunk`.
fn paged(pages: u32, chunk: u32) -> Setup {
    let mut setup = Setup::new(7, pages * 100).rankings(&[RANKING]);
    setup.settings.pages_per_thread = chunk;
    setup
}

async fn add_rule(world: &FleetWorld, pages: (u32, u32)) {
    world.stores.rules.put(&rule(1, RANKING, pages)).await.unwrap();
}

fn reads(world: &FleetWorld) -> Vec<(u32, u32)> {
    world.counters().pages.iter().map(|reads| (reads.page, reads.reads)).collect()
}

fn once_each(pages: std::ops::RangeInclusive<u32>) -> Vec<(u32, u32)> {
    pages.map(|page| (page, 1)).collect()
}

async fn assert_all_found(world: &FleetWorld) {
    let found: Vec<u64> = world.discovered().await.into_keys().collect();
    assert_eq!(found, world.all_players());
}

async fn last_run(world: &FleetWorld) -> Option<jiff::Timestamp> {
    world.stores.rules.list().await.unwrap().documents[0].rule.last_run
}

/// Runs a discovery with time for one page of each chunk.
async fn short(fleet: &Process) -> Value {
    let time = Duration::from_millis(45_050);
    fleet.invoke("discover", Event::Manual(Value::Null), time).await.unwrap().report
}

#[test]
fn a_rule_is_read_over_several_invocations_and_every_page_once() {
    // The original lost the last page if (end − start) is a multiple of the chunk.
    for (pages, chunk) in [(13, 4), (12, 4), (9, 2), (1, 4), (7, 100)] {
        let world = paged(pages, chunk).build();
        run_scenario(&world, async {
            add_rule(&world, (1, pages)).await;
            let fleet = world.start();
            let mut invocations = 0;
            while short(&fleet).await["finished"] == false {
                assert_eq!(last_run(&world).await, None, "the rule is not done");
                invocations += 1;
                assert!(invocations < 20, "discovery makes no progress");
            }
            assert!(invocations > 0 || pages < 3, "all was read at once");
            assert_eq!(last_run(&world).await, Some(world.clock.now()));
            assert_eq!(reads(&world), once_each(1..=pages), "{pages} pages by {chunk}");
            assert_all_found(&world).await;
            assert_eq!(fleet.run("discover").await["stopped"], "no rule is due");
        });
    }
}

#[test]
fn a_page_past_the_end_ends_the_rule() {
    let world = paged(6, 4).build();
    run_scenario(&world, async {
        add_rule(&world, (1, 400)).await;
        let report = world.start().run("discover").await;
        assert_eq!(report["finished"], true, "{report}");
        assert!(last_run(&world).await.is_some());
        let past: Vec<u32> = reads(&world).into_iter().map(|(page, _)| page).filter(|page| *page > 6).collect();
        assert!(past.len() <= 5, "pages past the end: {past:?}");
        assert_all_found(&world).await;
    });
}

#[test]
fn a_rule_is_due_again_a_day_later() {
    let world = paged(2, 4).build();
    run_scenario(&world, async {
        add_rule(&world, (1, 2)).await;
        let fleet = world.start();
        fleet.discover_everything().await;
        world.pass(23 * 3600).await;
        fleet.discover_everything().await;
        assert_eq!(reads(&world), [(1, 1), (2, 1)]);
        world.pass(3600).await;
        fleet.discover_everything().await;
        assert_eq!(reads(&world), [(1, 2), (2, 2)]);
    });
}

#[test]
fn a_killed_discovery_is_resumed_without_losing_a_page() {
    let kill_points = killed_at(u64::MAX);
    assert!(kill_points > 40, "{kill_points} kill points");
    for step in 1..=kill_points {
        killed_at(step);
    }
}

/// Kills a discovery at `step`, and checks how the next one continues. Returns the number of kill points of the first.
fn killed_at(step: u64) -> u64 {
    let world = paged(9, 3).build();
    run_scenario(&world, async {
        add_rule(&world, (1, 9)).await;
        let faults = FaultPlan::kill_at(step);
        let finished = faults.run(world.start_with(&faults).run("discover")).await;
        assert_eq!(finished.is_some(), last_run(&world).await.is_some() && faults.kill_points() < step, "step {step}");
        world.pass(LEASE).await;
        world.start().discover_everything().await;
        assert!(last_run(&world).await.is_some(), "step {step}");
        assert_all_found(&world).await;
        let twice: u32 = reads(&world).iter().map(|(_, reads)| reads - 1).sum();
        assert!(twice <= 3, "step {step}: {twice} pages were read again, with 3 chunks under way");
        faults.kill_points()
    })
}

#[test]
fn a_store_that_fails_stops_discovery_and_loses_no_page() {
    for step in 1..=40 {
        let world = paged(5, 2).build();
        run_scenario(&world, async {
            add_rule(&world, (1, 5)).await;
            let faults = FaultPlan::fail_at(step);
            let fleet = world.start_with(&faults);
            let time = Duration::from_secs(900);
            let failed = fleet.invoke("discover", Event::Manual(Value::Null), time).await;
            assert!(
                failed.is_err() || last_run(&world).await.is_some() || faults.kill_points() < step,
                "{step}: {failed:?}"
            );
            world.pass(LEASE).await;
            world.start().discover_everything().await;
            assert_all_found(&world).await;
        });
    }
}

#[test]
fn a_ban_stops_discovery_keeps_progress_and_pauses() {
    for form in [BanForm::Challenge, BanForm::Redirect] {
        let mut setup = paged(10, 2);
        setup.options.site_rate = Some(Rate { burst: 6, refill: Duration::from_secs(60) });
        setup.options.ban.form = form;
        setup.settings.wcl_ban_rest_minutes = 360;
        let world = setup.build();
        run_scenario(&world, async {
            add_rule(&world, (1, 10)).await;
            let fleet = world.start();
            let report = fleet.run("discover").await;
            let stopped = report["stopped"].as_str().unwrap();
            assert!(stopped.contains("refused the request"), "{stopped}");
            assert_eq!((reads(&world).len(), last_run(&world).await), (6, None));
            let pause = world.stores.rules.upstreams().await.unwrap().remove(0);
            assert_eq!(pause.upstream, "standin/zone/rankings");
            assert_eq!(pause.pause.until, after(world.clock.now(), Duration::from_secs(6 * 3600)));
            let requests = world.counters().requests;
            assert!(world.counters().banned_requests <= 5, "the ban was not heeded at once");
            world.pass(3 * 3600).await;
            let stopped = fleet.run("discover").await["stopped"].clone();
            assert!(stopped.as_str().unwrap().starts_with("standin/zone/rankings is paused until 2026-"), "{stopped}");
            assert_eq!(world.counters().requests, requests, "a banned site is left alone");
            world.pass(3 * 3600).await;
            fleet.discover_everything().await;
            assert_eq!(reads(&world), once_each(1..=10));
            assert_all_found(&world).await;
        });
    }
}

#[test]
fn a_site_that_is_always_closed_is_requested_once_per_pause() {
    let mut setup = paged(10, 2);
    setup.options.site_rate = Some(Rate { burst: 0, refill: Duration::from_secs(1) });
    setup.options.ban.duration = Duration::from_secs(30 * 24 * 3600);
    let world = setup.build();
    run_scenario(&world, async {
        add_rule(&world, (1, 10)).await;
        let fleet = world.start();
        for _ in 0..48 {
            fleet.run("discover").await;
            world.pass(1800).await;
        }
        let requests = world.counters().requests;
        assert!(requests <= 4 * 5, "{requests} requests in a day");
    });
}

#[test]
fn a_passing_fault_of_the_site_is_waited_out_and_a_lasting_one_ends_the_turn() {
    let world = paged(4, 1).build();
    run_scenario(&world, async {
        add_rule(&world, (1, 4)).await;
        world.network.fail(Request::Page, [Fault::Before(502), Fault::Cut, Fault::Hang, Fault::RefusedFor(3)]);
        let fleet = world.start();
        assert_eq!(fleet.run("discover").await["finished"], true);
        assert_all_found(&world).await;
        world.pass(24 * 3600).await;
        world.network.fail_all(Request::Page, Fault::Before(500));
        let report = fleet.run("discover").await;
        assert!(report["stopped"].as_str().unwrap().contains("cannot read page"), "{report}");
        world.network.clear_faults();
        assert_eq!(fleet.run("discover").await["finished"], true, "a fault is no reason to rest");
    });
}

#[test]
fn a_page_that_outlasts_the_invocation_is_given_up_and_read_again() {
    let world = paged(4, 2).build();
    run_scenario(&world, async {
        add_rule(&world, (1, 4)).await;
        world.network.fail_all(Request::Page, Fault::Hang);
        let fleet = world.start();
        let begun = world.clock.now();
        assert_eq!(short(&fleet).await["stopped"], "out of time; the next discovery continues");
        assert!(world.clock.now() < after(begun, Duration::from_secs(45)), "there is time left to give the rule back");
        world.network.clear_faults();
        assert_eq!(fleet.run("discover").await["finished"], true, "it is due at once");
        assert_all_found(&world).await;
    });
}

#[test]
fn two_discoveries_at_once_never_read_the_same_rule() {
    let world = Setup::new(3, 800).rankings(&[(26, 4), (28, 5)]).build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let (one, other) = (world.start(), world.start());
        let (first, second) = join(one.run("discover"), other.run("discover")).await;
        assert_ne!(first["rule"], second["rule"]);
        assert!(world.counters().pages.iter().all(|reads| reads.reads == 1), "{:?}", world.counters().pages);
        assert_eq!(one.run("discover").await["stopped"], "no rule is due");
        assert_all_found(&world).await;
    });
}

#[test]
fn a_damaged_rule_does_not_stand_in_the_way_of_the_others() {
    let world = Setup::new(3, 300).rankings(&[(26, 4), (28, 5)]).on_disk().build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.damage("UPDATE rules SET document = '{\"raid\": 26}' WHERE id = '000000000000000000000000'");
        let fleet = world.start();
        let mut finished = Vec::new();
        for _ in 0..4 {
            let outcome = fleet.invoke("discover", Event::Manual(Value::Null), Duration::from_secs(900)).await;
            finished.extend(outcome.ok().map(|outcome| outcome.report["rule"].clone()));
            world.pass(1800).await;
        }
        assert!(finished.contains(&Value::from("000000000000000000000001")), "{finished:?}");
        let damaged = world.stores.rules.list().await.unwrap().damaged;
        assert_eq!(damaged[0].id, "000000000000000000000000");
        assert!(damaged[0].reason.contains("missing field"), "{}", damaged[0].reason);
    });
}
