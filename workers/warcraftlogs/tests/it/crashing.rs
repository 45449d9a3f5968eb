//! Killing a process between any two steps, with everything it has in flight, and starting it again.

use crate::world::{Life, Setup, World, play};

/// Eleven players of all fates, three batches, two keys that run dry twice.
fn small(seed: u64) -> World {
    let mut setup = Setup::new(seed, 11).odd_players().keys(&[60, 40], 30);
    setup.settings.concurrency_limit = 1 + (seed % 3) as u32;
    setup.settings.wcl_visibility_seconds = 15;
    setup.build()
}

/// Runs a fleet that ends as `life` says, then another to the end. Answers how many steps the first one took.
fn live_and_be_reborn(seed: u64, life: &Life) -> u64 {
    let world = small(seed);
    play(&world, async {
        world.queue_everybody().await;
        life.live(world.start_with(life).run_until_idle()).await;
        let steps = life.steps();
        world.start().run_until_idle().await;
        world.assert_all_served().await;
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_nobody_and_overspends_nothing() {
    for seed in 0..40 {
        let lived = live_and_be_reborn(seed, &Life::endless());
        // Every seed has a different step to begin with, so that all steps have their turn.
        for step in (1 + seed % 23..=lived).step_by(23) {
            live_and_be_reborn(seed, &Life::killed_at(step));
        }
    }
}
