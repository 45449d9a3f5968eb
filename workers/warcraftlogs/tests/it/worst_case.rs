//! The source document's own rule, implemented literally.

use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::worker::{Event, Outcome, WorkerError};
use stint_standins::warcraftlogs::{Damage, QueryOutcome, Shares};
use stint_warcraftlogs::budget::{BATCH, BudgetStrategy, REVIVE};
use stint_warcraftlogs::message::QUEUE;

use crate::world::{Fault, FaultPlan, FleetWorld, Process, Request, Setup, Stores, run_scenario};

fn world(limit: u64) -> FleetWorld {
    let mut setup = Setup::new(21, 10).keys(&[limit], 600);
    setup.settings.budget_strategy = BudgetStrategy::WorstCase;
    setup.settings.concurrency_limit = 3;
    setup.build()
}

/// One invocation with a batch of one player and difficulty.
async fn fetch_one(world: &FleetWorld, fleet: &Process) -> Result<Outcome, WorkerError> {
    let id = world.all_players()[0];
    let unit = world.raids_of(id).units().next().unwrap();
    let message = serde_json::json!({ "id": id, "raids": { unit.0.to_string(): [unit.1] } });
    fleet.invoke("rank-fetcher", Event::Manual(message), Duration::from_secs(120)).await
}

async fn concurrency(world: &FleetWorld) -> Option<u32> {
    world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().limit
}

#[test]
fn a_key_that_covers_the_worst_case_is_used() {
    // One unit of 5 points, three fetchers: 15.
    let world = world(15);
    run_scenario(&world, async {
        let fleet = world.start();
        let outcome = fetch_one(&world, &fleet).await.unwrap();
        assert_eq!((&outcome.report["ranked"], concurrency(&world).await), (&Value::from(1), None));
    });
}

#[test]
fn each_refusal_is_an_error_and_one_less_concurrency_and_at_0_the_reviver_is_scheduled() {
    let world = world(4);
    run_scenario(&world, async {
        let fleet = world.start();
        for left in [2, 1, 0] {
            let wakeups = world.stores.wakeups.list().await.unwrap();
            assert_eq!(wakeups, [], "no wake-up before concurrency is 0");
            let error = fetch_one(&world, &fleet).await.unwrap_err();
            assert!(error.to_string().contains("no key has the"), "{error}");
            assert_eq!(concurrency(&world).await, Some(left));
        }
        assert_eq!(world.counters().charged.micros(), 0);
        let wakeups = world.stores.wakeups.list().await.unwrap();
        let reset = world.counters().keys[0].windows[0].reset;
        assert_eq!((wakeups.len(), wakeups[0].name.as_str(), &*wakeups[0].worker.name), (1, REVIVE, "reviver"));
        assert!(wakeups[0].at >= reset && wakeups[0].at <= after(reset, Duration::from_secs(10)));
        // An invocation that was already under way finds a concurrency of 0; its call costs points nevertheless.
        assert!(fetch_one(&world, &fleet).await.is_err());
        assert_eq!(concurrency(&world).await, Some(0));
    });
}

#[test]
fn the_reviver_restores_the_limit_whatever_the_keys_say() {
    let world = world(4);
    run_scenario(&world, async {
        let fleet = world.start();
        while concurrency(&world).await != Some(0) {
            assert!(fetch_one(&world, &fleet).await.is_err());
        }
        let wakes_at = world.stores.wakeups.list().await.unwrap()[0].at;
        world.start().run_until(after(wakes_at, Duration::from_secs(1))).await;
        assert_eq!(concurrency(&world).await, Some(3));
        assert_eq!(world.start().run("reviver").await["concurrency"], 3);
        assert!(world.clock.now() > wakes_at);
    });
}

#[test]
fn what_was_parked_before_the_strategy_was_changed_goes_back_to_its_queue() {
    let mut world = Setup::new(23, 40).keys(&[120], 600).build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until(after(world.clock.now(), Duration::from_secs(60))).await;
    });
    world.settings.budget_strategy = BudgetStrategy::WorstCase;
    run_scenario(&world, async {
        let parked = world.stores.pool.count_parked(QUEUE).await.unwrap();
        let waiting = world.stores.queue.counts().await.unwrap().visible;
        assert!(parked > 10, "{parked} are parked");
        assert_eq!(world.start().run("reviver").await["unparked"], parked);
        assert_eq!(world.stores.pool.count_parked(QUEUE).await.unwrap(), 0);
        assert_eq!(world.stores.queue.counts().await.unwrap().visible, waiting + parked);
        world.assert_no_player_lost().await;
    });
}

#[test]
fn a_queue_is_served_while_the_keys_have_points() {
    let mut setup = Setup::new(22, 30).odd_players().keys(&[10_000], 600);
    setup.settings.budget_strategy = BudgetStrategy::WorstCase;
    setup.settings.concurrency_limit = 3;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
        // The accounts are not checked: this strategy records no holds.
        world.assert_outcomes(&world.asked_of(&world.all_players())).await;
    });
}

#[test]
fn no_call_is_begun_that_could_be_cut_off() {
    let mut setup = Setup::new(25, 60).keys(&[10_000], 600);
    setup.settings.budget_strategy = BudgetStrategy::WorstCase;
    setup.options.shares = Shares { never_classed: 200, ..Shares::NONE };
    setup.options.section_faults.damage = Some(Damage::TextOnly);
    let world = setup.build();
    run_scenario(&world, async {
        let population = world.population();
        let outcome = |outcome, count| population.with_outcome(population.rankings(), outcome).into_iter().take(count);
        for id in outcome(QueryOutcome::Ranked, 4).chain(outcome(QueryOutcome::NeverClassed, 1)) {
            world.queue(id, world.raids_of(id)).await;
        }
        // The response for all of them is spoiled, so that each is requested alone. A call may take 6 s.
        world.network.fail(Request::Ranks, [Fault::Late(Duration::from_millis(1_900))]);
        let event = Event::Batch(world.stores.queue.receive(BATCH).await.unwrap());
        let outcome = world.start().invoke("rank-fetcher", event, Duration::from_secs(8)).await.unwrap();
        assert_eq!((world.network.sent(Request::Ranks), outcome.exceptions.len()), (1, BATCH), "{outcome:?}");
    });
}

/// How many calls an invocation that reads `keys` keys makes to the pool.
fn asked_of_the_pool(keys: usize) -> u64 {
    let mut setup = Setup::new(24, 10).keys(&vec![1_000; keys], 600);
    setup.settings.budget_strategy = BudgetStrategy::WorstCase;
    let (world, faults) = (setup.build(), FaultPlan::none());
    run_scenario(&world, async {
        let stores = Stores { pool: world.stores.with_faults(&faults).pool, ..world.stores.clone() };
        fetch_one(&world, &world.start_on(stores)).await.unwrap();
    });
    // Before and after each.
    faults.kill_points() / 2
}

#[test]
fn another_key_adds_one_reading_and_no_pool_calls() {
    assert_eq!(asked_of_the_pool(5) - asked_of_the_pool(2), 3);
}
