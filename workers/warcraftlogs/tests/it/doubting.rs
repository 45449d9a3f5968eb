//! A discovery that finds implausible pages is reported as doubtful, not finished.

use std::time::Duration;

use futures::future::join;
use stint_core::clock::{Clock, after};
use stint_standins::warcraftlogs::Rate;
use stint_warcraftlogs::store::RuleStatus;

use crate::world::{FleetWorld, Process, Setup, rule, run_scenario};

const RANKING: (u32, u32) = (26, 4);

/// How long a rule with implausible pages is paused.
const REST: u64 = 6 * 3600;

const DAY: u64 = 24 * 3600;

const EMPTY: &str = "<html><table id='summary'><tbody><tr><td>No rankings found.</td></tr></tbody></table></html>";

const FAILURE: &str = "<html><table class='error'><tr><td>Whoops, something went wrong</td></tr></table></html>";

/// A world whose ranking has `pages` pages, read in chunks of `chunk`.
fn paged(pages: u32, chunk: u32) -> FleetWorld {
    let mut setup = Setup::new(7, pages * 100).rankings(&[RANKING]);
    setup.settings.pages_per_thread = chunk;
    setup.build()
}

async fn status(world: &FleetWorld) -> RuleStatus {
    world.stores.rules.list().await.unwrap().documents.remove(0)
}

/// Runs a discovery until it stops at an implausible page, and checks what is stored about it.
async fn assert_doubted(world: &FleetWorld, fleet: &Process, reason: &str) {
    let before = status(world).await.rule.last_run;
    let report = fleet.run("discover").await;
    let status = status(world).await;
    let doubt = status.doubt.unwrap_or_else(|| panic!("{report}"));
    assert!(doubt.reason.contains(reason), "{}", doubt.reason);
    assert_eq!((&report["finished"], report["stopped"].as_str()), (&false.into(), Some(doubt.reason.as_str())));
    assert_eq!(status.rule.last_run, before);
    let pause = status.pause.unwrap();
    assert_eq!((pause.reason, pause.until), (doubt.reason, after(world.clock.now(), Duration::from_secs(REST))));
    assert_eq!(fleet.run("discover").await["stopped"], "no rule is due");
}

/// Reads the rule after its pause, when the site is correct again.
async fn assert_read_in_the_end(world: &FleetWorld, fleet: &Process) {
    world.network.clear_faults();
    world.pass(REST).await;
    assert_eq!(fleet.run("discover").await["finished"], true);
    let status = status(world).await;
    assert_eq!((status.rule.last_run, status.doubt), (Some(world.clock.now()), None));
    assert_eq!(world.discovered().await.into_keys().collect::<Vec<_>>(), world.all_players());
}

#[test]
fn changed_pages_are_neither_an_end_nor_a_success() {
    type Change = (fn(u32, &str) -> String, &'static str, &'static str);
    let changes: [Change; 5] = [
        (|_, _| EMPTY.into(), "page 1, the first of the rule, names no player", "No rankings found."),
        (|_, page| page.replace("id=\"row-", "id=\"line-"), "names no player", "id=\"line-1-"),
        (|_, _| FAILURE.into(), "names no player", "Whoops"),
        (
            |_, page| page.replace("/character/id/", "/character/eu/zuluhed/"),
            "0 name a character by its id and 100",
            "row-1-",
        ),
        (|_, page| page.replace("/character/", "/characters/"), "has 100 rows, of which 0 name", "/characters/id/"),
    ];
    for (change, reason, sample) in changes {
        for ran in [false, true] {
            let world = paged(3, 200);
            run_scenario(&world, async {
                world.stores.rules.put(&rule(1, RANKING, (1, 3))).await.unwrap();
                let fleet = world.start();
                if ran {
                    fleet.discover_everything().await;
                    world.pass(DAY).await;
                }
                world.network.rewrite_pages(change);
                assert_doubted(&world, &fleet, reason).await;
                let shown = status(&world).await.doubt.unwrap().sample.unwrap();
                assert!(shown.contains(sample) && shown.len() < 20_000, "{shown}");
                assert_read_in_the_end(&world, &fleet).await;
            });
        }
    }
}

/// Page 5 of 12 has no rows: in the middle, at the beginning, and at the end of a chunk.
#[test]
fn a_page_in_the_middle_that_has_no_rows_is_read_again_and_all_others_are_kept() {
    for chunk in [200, 4, 5, 3] {
        for text in [EMPTY, FAILURE] {
            let world = paged(12, chunk);
            run_scenario(&world, async {
                world.stores.rules.put(&rule(1, RANKING, (1, 12))).await.unwrap();
                let fleet = world.start();
                world.network.rewrite_pages(move |number, page| if number == 5 { text.into() } else { page.into() });
                for _ in 0..3 {
                    assert_doubted(&world, &fleet, "page 5 has no rows").await;
                    assert!(!world.discovered().await.is_empty(), "what was found is merged");
                    world.pass(REST).await;
                }
                let reads: u32 = world.counters().pages.iter().map(|reads| reads.reads).sum();
                assert!(reads <= 12 + 2 * 4, "{reads} pages were read by {chunk}");
                assert_read_in_the_end(&world, &fleet).await;
            });
        }
    }
}

#[test]
fn a_ranking_that_ends_long_before_the_last_pass_is_implausible() {
    let world = paged(12, 4);
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 12))).await.unwrap();
        let fleet = world.start();
        fleet.discover_everything().await;
        world.pass(DAY).await;
        // Only the last pass contradicts it: no later page has rows, and there is no pager.
        world.network.rewrite_pages(|number, page| match number {
            1..=4 => page.replace("page-item", "item"),
            _ => EMPTY.into(),
        });
        assert_doubted(&world, &fleet, "page 5 has no rows, and the last pass had rows up to page 12").await;
        assert_read_in_the_end(&world, &fleet).await;
    });
}

#[test]
fn a_tenth_of_the_last_players_is_doubted_until_the_operator_accepts_it() {
    let world = paged(12, 4);
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 12))).await.unwrap();
        let fleet = world.start();
        fleet.discover_everything().await;
        world.pass(DAY).await;
        // A season begins: seven players on each page, and the players found before are still known.
        world.network.rewrite_pages(|_, page| {
            let rows: Vec<&str> = page.split_inclusive("</tr>").collect();
            rows[..8].concat() + rows.last().unwrap()
        });
        assert_doubted(&world, &fleet, "the pass found 84 players, the last one 1200").await;
        world.pass(REST).await;
        assert_doubted(&world, &fleet, "the pass found 84 players").await;
        let id = status(&world).await.rule.id;
        assert!(world.stores.rules.accept(&id).await.unwrap());
        assert_eq!(fleet.run("discover").await["finished"], true, "at once, and as it is");
        world.pass(DAY).await;
        assert_eq!(fleet.run("discover").await["finished"], true, "that is how many there are now");
        assert_eq!(status(&world).await.doubt, None);
    });
}

#[test]
fn an_empty_raid_is_accepted_once() {
    let mut setup = Setup::new(7, 300).rankings(&[RANKING]);
    setup.settings.delay_discovery_in_hours = 12;
    let world = setup.build();
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 3))).await.unwrap();
        let fleet = world.start();
        world.network.rewrite_pages(|_, _| EMPTY.into());
        assert_doubted(&world, &fleet, "names no player").await;
        assert!(world.stores.rules.accept(&status(&world).await.rule.id).await.unwrap());
        for _ in 0..3 {
            assert_eq!(fleet.run("discover").await["finished"], true);
            world.pass(DAY / 2).await;
        }
        world.network.clear_faults();
        fleet.discover_everything().await;
        assert_eq!(world.discovered().await.len(), 300);
        world.pass(DAY / 2).await;
        world.network.rewrite_pages(|_, _| EMPTY.into());
        assert_doubted(&world, &fleet, "names no player").await;
    });
}

#[test]
fn a_killed_discovery_doubts_the_same_and_loses_no_player() {
    let kill_points = doubted_at(u64::MAX);
    assert!(kill_points > 10, "{kill_points} kill points");
    for step in 1..=kill_points {
        doubted_at(step);
    }
}

/// Kills a discovery at `step` when it meets an empty page, and runs others after it. Returns the number of steps of
/// the first.
fn doubted_at(step: u64) -> u64 {
    let world = paged(6, 2);
    run_scenario(&world, async {
        world.stores.rules.put(&rule(1, RANKING, (1, 6))).await.unwrap();
        world.network.rewrite_pages(|number, page| if number == 3 { EMPTY.into() } else { page.into() });
        let faults = crate::world::FaultPlan::kill_at(step);
        faults.run(world.start_with(&faults).run("discover")).await;
        world.pass(5 * 60).await;
        let fleet = world.start();
        fleet.run("discover").await;
        let status = status(&world).await;
        assert_eq!(status.rule.last_run, None, "step {step}");
        assert!(status.doubt.unwrap().reason.starts_with("page 3 has no rows"), "step {step}");
        assert_read_in_the_end(&world, &fleet).await;
        faults.kill_points()
    })
}

#[test]
fn a_ban_ends_the_discoveries_of_all_rules_in_all_processes() {
    let rankings = [(26, 4), (26, 5), (28, 4), (28, 5)];
    let mut setup = Setup::new(3, 3_000).rankings(&rankings);
    setup.settings.pages_per_thread = 2;
    setup.settings.wcl_page_interval_ms = 250;
    setup.options.site_rate = Some(Rate { burst: 12, refill: Duration::from_secs(60) });
    setup.options.ban.duration = Duration::from_secs(30 * DAY);
    let world = setup.build();
    run_scenario(&world, async {
        world.add_rules(0).await;
        let (one, other) = (world.start(), world.start());
        join(one.run("discover"), other.run("discover")).await;
        let requests = world.counters().requests;
        assert!(world.counters().banned_requests <= 2, "{} after the ban", world.counters().banned_requests);
        for _ in 0..11 {
            for fleet in [&one, &other] {
                let stopped = fleet.run("discover").await["stopped"].clone();
                assert!(stopped.as_str().unwrap().contains("is paused until"), "{stopped}");
            }
            world.pass(1800).await;
        }
        assert_eq!(world.counters().requests, requests);
        // After six hours one discovery sends one request.
        world.pass(1800).await;
        one.run("discover").await;
        other.run("discover").await;
        assert!(world.counters().requests <= requests + 1, "{} more", world.counters().requests - requests);
    });
}
