//! The end of the river: a page that is requested twice has grown between the requests.

use std::time::Duration;

use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::Options;
use stint_testkit::FaultPlan;

use crate::world::{World, busy_river, run_scenario};

/// Returns a river that a reader catches up with at once: each page has the edits since the last request.
fn slow_river(seed: u64) -> World {
    let river = Options {
        edits_per_second: 3,
        history: Duration::from_secs(310),
        stashes_per_page: 50,
        next_id_header: seed.is_multiple_of(2),
        ..busy_river(seed)
    };
    World::new(river, &[])
}

/// Follows the chain with a process with `faults`, and later with another one. Returns the number of
/// steps of the first one.
fn run_with_faults_then_restart(seed: u64, faults: &FaultPlan) -> u64 {
    let world = slow_river(seed);
    run_scenario(&world, async {
        faults.run(world.start_with(faults).follow(6)).await;
        let steps = faults.kill_points();
        world.pass(Duration::from_secs(40)).await;
        world.start().follow(14).await.unwrap();
        let audit = world.assert_whole(ChangeId::BEGINNING).await;
        assert!(audit.pages >= 12, "seed {seed}: {audit:?}");
        steps
    })
}

#[test]
fn a_page_that_has_grown_since_it_was_stored_leaves_no_gap() {
    for seed in 0..4 {
        let kill_points = run_with_faults_then_restart(seed, &FaultPlan::none());
        assert!(kill_points > 50, "{kill_points} kill points");
        for step in (1 + seed..=kill_points).step_by(2) {
            run_with_faults_then_restart(seed, &FaultPlan::kill_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_the_tail_leaves_no_gap() {
    for seed in 4..8 {
        let kill_points = run_with_faults_then_restart(seed, &FaultPlan::none());
        for step in (seed - 3..=kill_points).step_by(3) {
            run_with_faults_then_restart(seed, &FaultPlan::fail_at(step));
        }
    }
}
