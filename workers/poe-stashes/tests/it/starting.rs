//! Where a chain starts, and where it continues.

use std::time::Duration;

use serde_json::json;
use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::{Options, Window};
use stint_testkit::FaultPlan;

use crate::world::{World, busy_river, run_scenario};

/// Returns a river as fast as the real one: thirteen changes of each shard a second.
fn real_river(seed: u64) -> Options {
    Options { edits_per_second: 65, stashes_per_page: 60, history: Duration::from_secs(7200), ..busy_river(seed) }
}

#[test]
fn the_tail_is_found_in_about_ten_requests() {
    for seed in 0..5 {
        let world = World::new(real_river(seed), &["--poe-start=tail"]);
        run_scenario(&world, async {
            let report = world.start().fetch(1).await;
            assert_eq!(report["fetched"], json!(1), "{report}");
            let searched = world.counters().page_requests - 1;
            assert!((7..=12).contains(&searched), "{searched} requests");
            let first = world.counters().pages.last().unwrap().change_id.clone();
            let (first, tail) = {
                let upstream = world.upstream();
                let tail = upstream.tail(stint_core::clock::Clock::now(&world.clock));
                (upstream.position(&first).unwrap(), upstream.position(&tail).unwrap())
            };
            assert!(first <= tail && tail - first < 65 * 15, "{} edits before the tail", tail - first);
            assert_eq!(world.counters().client_errors, 0);
        });
    }
}

/// A window that is longer than a lease: a search after a crashed one must know which requests that one sent.
#[test]
fn a_crashed_search_leaves_the_state_of_the_pacer() {
    let search = |faults: &FaultPlan| {
        let windows = vec![Window::of(10, 120, 600)];
        let world = World::new(Options { windows, ..real_river(6) }, &["--poe-start=tail"]);
        run_scenario(&world, async {
            faults.run(world.start_with(faults).follow(1)).await;
            let steps = faults.kill_points();
            world.pass(Duration::from_secs(31)).await;
            assert_eq!(world.start().fetch(2).await["fetched"], json!(2));
            assert_eq!((world.counters().client_errors, world.counters().refused), (0, 0));
            steps
        })
    };
    for step in (1..=search(&FaultPlan::none())).step_by(2) {
        search(&FaultPlan::kill_at(step));
    }
}

#[test]
fn at_the_head_there_is_nothing_for_five_minutes() {
    let world = World::new(real_river(7), &["--poe-start=head"]);
    run_scenario(&world, async {
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(280))).await;
        let progress = world.progress().await;
        assert_eq!((progress.totals.fetched, progress.at_tail), (0, true));
        assert!(world.counters().head_requests >= 1);
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(120))).await;
        assert!(world.progress().await.totals.fetched > 10);
        assert_eq!(world.counters().client_errors, 0);
    });
}

#[test]
fn a_chain_with_a_position_ignores_the_start_setting() {
    let world = World::new(busy_river(8), &[]);
    run_scenario(&world, async {
        world.start().fetch(10).await;
        let position = world.progress().await.position;
        // An old message with another id.
        let process = world.start();
        let report = process.run("follower", json!({ "id": "1-2-3-4-5", "pages": 5 })).await;
        assert_eq!(report["fetched"], json!(5));
        assert_eq!(Some(world.counters().pages[10].change_id.clone()), position.map(|id| id.to_string()));
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}

#[test]
fn an_operator_may_move_the_chain() {
    let world = World::new(busy_river(9), &[]);
    run_scenario(&world, async {
        world.start().fetch(3).await;
        let there = world.counters().pages[1].change_id.clone();
        let process = world.start();
        process.run("follower", json!({ "start": there.clone(), "pages": 2 })).await;
        assert_eq!(world.counters().pages[3].change_id, there);
        let wrong = process
            .invoke("follower", stint_core::worker::Event::Manual(json!({ "start": "1-2" })), Duration::from_secs(900))
            .await;
        assert!(wrong.unwrap_err().to_string().contains("expected head, tail, beginning, or a change id"));
    });
}

#[test]
fn a_seed_is_where_a_new_chain_begins() {
    let world = World::new(busy_river(10), &["--poe-start=tail"]);
    run_scenario(&world, async {
        let first = world.upstream().beginning();
        world.start().run("follower", json!({ "id": first, "pages": 3 })).await;
        assert_eq!(world.counters().pages[0].change_id, first);
        assert_eq!(world.assert_whole(first.parse().unwrap()).await.pages, 3);
    });
}
