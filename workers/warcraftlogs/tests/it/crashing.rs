//! Kills a process between any two steps, with everything it has in flight, and starts a new one.

use std::time::Duration;

use stint_core::clock::{Clock, after};

use crate::world::{Life, Setup, World, play};

/// Eleven players with all outcomes, three batches, two keys that run dry twice.
fn small(seed: u64) -> World {
    let mut setup = Setup::new(seed, 11).odd_players().keys(&[60, 40], 10);
    setup.settings.concurrency_limit = 1 + (seed % 3) as u32;
    setup.settings.wcl_visibility_seconds = 8;
    setup.build()
}

/// How long the first process runs unless it is killed: until its keys have run dry.
const BUSY: Duration = Duration::from_secs(3);

/// Runs a process until the kill point of `life`, then another one to the end. Returns how many steps the first one
/// took.
fn live_and_be_reborn(seed: u64, life: &Life) -> u64 {
    let world = small(seed);
    play(&world, async {
        world.queue_everybody().await;
        life.live(world.start_with(life).run_until(after(world.clock.now(), BUSY))).await;
        let steps = life.steps();
        let reborn = world.start();
        // The sweep handles what no wake-up covers.
        reborn.set_schedules().await;
        reborn.run_until_idle().await;
        world.assert_all_served().await;
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_nobody_and_overspends_nothing() {
    for seed in 0..32 {
        let lived = live_and_be_reborn(seed, &Life::endless());
        // Each seed begins with a different step, so that all steps are covered.
        for step in (1 + 2 * seed..=lived).step_by(61) {
            live_and_be_reborn(seed, &Life::killed_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_any_step_loses_nobody_and_overspends_nothing() {
    for seed in 100..112 {
        let lived = live_and_be_reborn(seed, &Life::endless());
        for step in (1 + 5 * (seed - 100)..=lived).step_by(61) {
            live_and_be_reborn(seed, &Life::failing_at(step));
        }
    }
}
