//! The end of the river: a page that is requested twice has grown between the requests.

use std::time::Duration;

use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::Options;
use stint_testkit::Life;

use crate::world::{World, busy_river, play};

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

/// Follows the chain with a process that has the faults of `life`, and later with another one. Returns the number of
/// steps of the first one.
fn live_and_be_reborn(seed: u64, life: &Life) -> u64 {
    let world = slow_river(seed);
    play(&world, async {
        life.live(world.start_with(life).follow(6)).await;
        let steps = life.steps();
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
        let lived = live_and_be_reborn(seed, &Life::endless());
        assert!(lived > 50, "{lived}");
        for step in (1 + seed..=lived).step_by(2) {
            live_and_be_reborn(seed, &Life::killed_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_the_tail_leaves_no_gap() {
    for seed in 4..8 {
        let lived = live_and_be_reborn(seed, &Life::endless());
        for step in (seed - 3..=lived).step_by(3) {
            live_and_be_reborn(seed, &Life::failing_at(step));
        }
    }
}
