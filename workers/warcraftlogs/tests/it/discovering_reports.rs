//! Discovery from the API's reports, for points.

use std::collections::BTreeSet;
use std::time::Duration;

use stint_core::clock::{Clock, between};
use stint_core::ledger::{KeyId, KeyState};
use stint_core::points::Points;
use stint_standins::warcraftlogs::{QueryOutcome, Shares};
use stint_warcraftlogs::discovery::DiscoverySource;

use crate::world::{Fault, FleetWorld, Request, Setup, rule, run_scenario};

const RANKING: (u32, u32) = (26, 4);

/// A world with reports from the last week, which is how far back a first discovery looks.
fn reported(players: u32) -> Setup {
    let mut setup = Setup::new(9, players).rankings(&[RANKING, (26, 3)]).keys(&[400], 60);
    setup.options.shares = Shares { hidden: 30, unknown: 30, never_classed: 30, transferred: 60 };
    setup.settings.discovery_source = DiscoverySource::Reports;
    setup.settings.discovery_first_look_hours = 8 * 24;
    setup
}

/// The players in reports: by canonical id, without players whom the API does not know.
fn ranked_in_reports(world: &FleetWorld) -> BTreeSet<u64> {
    let population = world.population();
    let known =
        population.discoverable(&[RANKING]).into_iter().filter(|id| population.outcome(*id) != QueryOutcome::Unknown);
    known.map(|id| population.character(id).unwrap().canonical_id).collect()
}

#[test]
fn reports_name_the_same_players_and_the_books_confirm_their_points() {
    let world = reported(600).build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        let fleet = world.start();
        fleet.discover_everything().await;
        let found: BTreeSet<u64> = world.discovered().await.into_keys().collect();
        assert_eq!(found, ranked_in_reports(&world));
        let charged = world.counters().charged;
        assert!(!charged.is_zero(), "reports cost points");
        assert!(world.assert_accounts_agree().await.is_zero());
        assert_eq!(world.counters().charged, charged);
    });
}

/// A week of raids includes nearly every ranked player.
#[test]
fn a_first_discovery_looks_back_a_week() {
    let mut setup = reported(600);
    setup.settings.discovery_first_look_hours = setup.default_first_look_hours();
    let world = setup.build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        world.start().discover_everything().await;
        let (found, ranked) = (world.discovered().await.len(), ranked_in_reports(&world).len());
        assert!(found * 100 >= ranked * 95, "{found} of {ranked}");
    });
}

/// The chunks of a rule request points at the same time, and one of them reads the counter of a key with a new window.
#[test]
fn a_pass_at_the_beginning_of_a_window_waits_for_its_counter() {
    let mut setup = reported(1_200).keys(&[400], 60);
    setup.settings.pages_per_thread = 2;
    let world = setup.build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        world.stores.rules.put(&rule(2, (26, 3), (1, 100))).await.unwrap();
        let fleet = world.start();
        for _ in 0..2 {
            let report = fleet.run("discover").await;
            assert_eq!(report["finished"], true, "{report}");
            let reset = world.stores.pool.keys().await.unwrap()[0].reset_at;
            world.clock.sleep_until(reset).await;
        }
        world.assert_accounts_agree().await;
    });
}

#[test]
fn points_that_are_far_away_are_said_with_when_they_come() {
    let mut setup = reported(1_200).keys(&[40], 3600);
    setup.settings.pages_per_thread = 2;
    let world = setup.build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        let fleet = world.start();
        for _ in 0..4 {
            let stopped = fleet.run("discover").await["stopped"].clone();
            assert!(stopped.as_str().unwrap().starts_with("no points for the reports before 2026-"), "{stopped}");
            let paused = world.stores.rules.list().await.unwrap().documents.remove(0).pause.unwrap();
            assert!(paused.until > world.clock.now());
            assert!(!world.discovered().await.is_empty(), "who was paid for is kept, be it of a part of a page");
            world.clock.sleep_until(paused.until).await;
        }
        world.assert_accounts_agree().await;
    });
}

#[test]
fn discovery_without_points_pauses_until_the_reset_and_continues() {
    let world = reported(1_200).keys(&[40], 60).build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        let fleet = world.start();
        let first = fleet.run("discover").await;
        assert!(first["stopped"].as_str().unwrap().starts_with("no points for the reports before"), "{first}");
        let status = world.stores.rules.list().await.unwrap().documents.remove(0);
        assert!(status.pass.is_some() && status.rule.last_run.is_none());
        let mut turns = 1;
        while world.stores.rules.list().await.unwrap().documents[0].rule.last_run.is_none() {
            world.pass(60).await;
            fleet.run("discover").await;
            turns += 1;
            assert!(turns < 60, "discovery makes no progress");
        }
        let found: BTreeSet<u64> = world.discovered().await.into_keys().collect();
        assert_eq!(found, ranked_in_reports(&world));
        world.assert_accounts_agree().await;
    });
}

/// A report is listed by the time at which its raid began, but only exists hours later. A pass may have to wait as long
/// for points.
#[test]
fn what_is_uploaded_while_a_pass_goes_on_is_found_by_the_next() {
    const HOUR: Duration = Duration::from_secs(3600);
    let reported = || reported(4_000).keys(&[40], 3600);
    let mut slow = reported();
    slow.settings.discovery_first_look_hours = 24;
    let slow = slow.build();
    let (began, found) = run_scenario(&slow, async {
        slow.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        let fleet = slow.start();
        let (mut began, mut passes) = (Vec::new(), 0);
        while passes < 2 {
            passes += u32::from(fleet.run("discover").await["finished"] == true);
            let pass = slow.stores.rules.list().await.unwrap().documents.remove(0).pass;
            began.extend(pass.map(|pass| pass.started_at));
            slow.pass(HOUR.as_secs()).await;
        }
        began.dedup();
        (began, slow.discovered().await.into_keys().collect::<BTreeSet<u64>>())
    });
    let [first, second] = began[..] else { panic!("both passes are interrupted for want of points: {began:?}") };
    // A discovery with enough points looks back on the same time at once.
    let mut quick = reported().keys(&[100_000], 60);
    quick.settings.discovery_first_look_hours = (between(first, second).as_secs() / HOUR.as_secs()) as u32 + 24;
    let quick = quick.build();
    let expected: BTreeSet<u64> = run_scenario(&quick, async {
        quick.clock.sleep(between(quick.clock.now(), second)).await;
        quick.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        quick.start().discover_everything().await;
        quick.discovered().await.into_keys().collect()
    });
    let missed: Vec<&u64> = expected.difference(&found).collect();
    assert!(expected.len() > 500 && missed.is_empty(), "{} of {} were missed", missed.len(), expected.len());
}

#[test]
fn a_key_that_is_no_longer_in_use_is_not_waited_for() {
    let world = reported(1_200).keys(&[40], 3600).build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
        world.stores.pool.configure(&[KeyId("retired".into())]).await.unwrap();
        let stopped = world.start().run("discover").await;
        assert!(stopped["stopped"].as_str().unwrap().starts_with("no points for the reports before"), "{stopped}");
        let paused = world.stores.rules.list().await.unwrap().documents.remove(0).pause.unwrap();
        let keys = world.stores.pool.keys().await.unwrap();
        let in_use = keys.iter().find(|key| key.state != KeyState::Retired).unwrap();
        // Until the reserve is released, which is enough for a report.
        assert_eq!((keys.len(), paused.until), (2, in_use.grants_at(Points::whole(5))));
        assert!(paused.until > world.clock.now());
    });
}

#[test]
fn a_lost_answer_of_the_reports_is_held_against_the_key_and_read_again() {
    for fault in [Fault::Before(502), Fault::After(502), Fault::Cut, Fault::Half, Fault::Hang, Fault::RefusedFor(2)] {
        let world = reported(200).build();
        run_scenario(&world, async {
            world.stores.rules.put(&rule(1, RANKING, (1, 100))).await.unwrap();
            let fleet = world.start();
            for _ in 0..5 {
                world.network.fail(Request::Reports, [fault]);
                fleet.run("discover").await;
                world.network.clear_faults();
                fleet.run("discover").await;
            }
            let found: BTreeSet<u64> = world.discovered().await.into_keys().collect();
            assert_eq!(found, ranked_in_reports(&world), "{fault:?}");
            world.assert_accounts_agree().await;
        });
    }
}
