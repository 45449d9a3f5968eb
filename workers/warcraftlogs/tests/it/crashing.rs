//! Kills a process at kill points spread over its whole run, with everything it has in flight, and starts a new one.

use std::time::Duration;

use stint_core::clock::{Clock, after};
use stint_testkit::extent;

use crate::world::{FaultPlan, FleetWorld, Setup, run_scenario};

/// Eleven players with all outcomes, three batches, two keys that run dry twice.
fn small(seed: u64) -> FleetWorld {
    let mut setup = Setup::new(seed, 11).odd_players().keys(&[60, 40], 10);
    setup.settings.concurrency_limit = 1 + (seed % 3) as u32;
    setup.settings.wcl_visibility_seconds = 8;
    setup.build()
}

/// Of the steps of each seed, one in so many is tried.
const STRIDE: u64 = 61;

/// How long the first process runs unless it is killed: until its keys have run dry.
const BUSY: Duration = Duration::from_secs(3);

/// Runs a process until the kill point of `faults`, then another one to the end. Returns how many kill points the first
/// one took.
fn kill_and_restart(seed: u64, faults: &FaultPlan) -> u64 {
    let world = small(seed);
    run_scenario(&world, async {
        world.queue_all().await;
        faults.run(world.start_with(faults).run_until(after(world.clock.now(), BUSY))).await;
        let steps = faults.kill_points();
        let restarted = world.start();
        // The sweep handles what no wake-up covers.
        restarted.set_schedules().await;
        restarted.run_until_idle().await;
        world.assert_all_served().await;
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_no_player_and_overspends_nothing() {
    let seeds = extent(8, 32);
    for seed in 0..seeds {
        let kill_points = kill_and_restart(seed, &FaultPlan::none());
        assert!(kill_points > STRIDE, "{kill_points} kill points");
        // Each seed begins with a different step, so that the steps of all seeds are spread evenly.
        for step in (1 + STRIDE * seed / seeds..=kill_points).step_by(STRIDE as usize) {
            kill_and_restart(seed, &FaultPlan::kill_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_any_step_loses_no_player_and_overspends_nothing() {
    let seeds = extent(4, 12);
    for seed in 0..seeds {
        let kill_points = kill_and_restart(100 + seed, &FaultPlan::none());
        assert!(kill_points > STRIDE, "{kill_points} kill points");
        for step in (1 + STRIDE * seed / seeds..=kill_points).step_by(STRIDE as usize) {
            kill_and_restart(100 + seed, &FaultPlan::fail_at(step));
        }
    }
}
