//! Kills a process between any two steps, and starts it again.

use std::time::Duration;

use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::Options;
use stint_testkit::{FaultPlan, extent};

use crate::world::{World, busy_river, run_scenario};

/// The pages that the first process would fetch, and the second one after it.
const FIRST: u64 = 5;
const ALL: u64 = 9;

fn small(seed: u64) -> World {
    let cut = u32::try_from(seed % 3).unwrap() * 100;
    let mut river = Options { next_id_header: seed.is_multiple_of(2), ..busy_river(seed) };
    river.faults.cut = cut;
    World::new(river, &[])
}

/// Runs a process with `faults`, then another one to the end. Returns the number of kill points of the first one.
fn run_with_faults_then_restart(seed: u64, faults: &FaultPlan) -> u64 {
    let world = small(seed);
    run_scenario(&world, async {
        faults.run(world.start_with(faults).run_until_fetched(FIRST)).await;
        let steps = faults.kill_points();
        let restarted = world.start();
        restarted.run_until_fetched(ALL).await;
        let audit = world.assert_whole(ChangeId::BEGINNING).await;
        assert!(audit.pages >= ALL, "seed {seed}");
        // Every page is announced, and indexed.
        world.start().index_everything().await;
        assert_eq!(world.stores.stored.counts().await.unwrap().dead_letters, 0);
        assert!(world.stores.index.counts().await.unwrap().stashes > 0);
        steps
    })
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_no_page_and_leaves_no_gap() {
    for seed in 0..4 {
        let kill_points = run_with_faults_then_restart(seed, &FaultPlan::none());
        assert!(kill_points > 50, "{kill_points} kill points");
        // Each seed begins with another step, so that the long run covers all steps and the usual one every third.
        let stride = extent(12, 4);
        for step in (1 + seed * stride / 4..=kill_points).step_by(stride as usize) {
            run_with_faults_then_restart(seed, &FaultPlan::kill_at(step));
        }
    }
}

#[test]
fn a_store_that_fails_at_any_step_loses_no_page_and_leaves_no_gap() {
    for seed in 10..14 {
        let kill_points = run_with_faults_then_restart(seed, &FaultPlan::none());
        assert!(kill_points > 50, "{kill_points} kill points");
        let stride = extent(12, 4);
        for step in (1 + (seed - 10) * stride / 4..=kill_points).step_by(stride as usize) {
            run_with_faults_then_restart(seed, &FaultPlan::fail_at(step));
        }
    }
}

#[test]
fn a_follower_whose_lease_expired_changes_nothing() {
    let world = World::new(busy_river(20), &[]);
    run_scenario(&world, async {
        let (slow, heir) = (world.start(), world.start());
        let stale = world.stores.chain.claim(Duration::from_secs(30)).await.unwrap().unwrap();
        world.pass(Duration::from_secs(31)).await;
        heir.fetch(5).await;
        let progress = world.progress().await;
        assert!(!world.stores.chain.write(&stale, &stale.progress, Duration::from_secs(30)).await.unwrap());
        assert!(!world.stores.chain.release(&stale, &stale.progress).await.unwrap());
        assert_eq!(world.progress().await, progress);
        assert_eq!(slow.fetch(5).await["fetched"], 5);
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}
