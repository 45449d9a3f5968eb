//! Detecting that a batch is the last one.

use std::time::Duration;

use stint_core::clock::Clock;
use stint_core::ledger::{Ask, CallEnd, Grant, Reservation};
use stint_core::points::Points;
use stint_core::worker::{Event, Worker};
use stint_warcraftlogs::budget::BudgetStrategy;
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::next_worker::EMPTIED;
use stint_warcraftlogs::rank_fetcher::RankFetcher;

use crate::world::{Fault, FleetWorld, Process, Request, Setup, run_scenario};

/// Starts a call of another process.
async fn call(world: &FleetWorld, fleet: &Process) -> Grant {
    fleet.budget.read_counters(Points::MAX).await.unwrap();
    let messages = vec![vec![Points::whole(5)]];
    let ask = Ask { messages, call_timeout: Duration::from_secs(600), priority: false };
    match world.stores.pool.reserve(&ask).await.unwrap() {
        Reservation::Granted(grant) => grant,
        refused => panic!("{refused:?}"),
    }
}

/// Serves a batch of one message whose player was fetched after it was sent.
async fn end_a_batch(world: &FleetWorld, fleet: &Process) {
    let id = world.all_players()[0];
    world.queue(id, world.raids_of(id)).await;
    let batch = world.stores.queue.receive(1).await.unwrap();
    world.pass(1).await;
    let mut player = stored(world).await;
    player.updated_at = world.clock.now();
    world.stores.players.upsert(&[player]).await.unwrap();
    let receipts = [batch[0].receipt.clone()];
    let outcome = fleet.invoke("rank-fetcher", Event::Batch(batch), RankFetcher::SPEC.timeout).await.unwrap();
    assert_eq!(outcome.report["fresh"], 1, "{outcome:?}");
    world.stores.queue.acknowledge(&receipts).await.unwrap();
}

async fn stored(world: &FleetWorld) -> stint_warcraftlogs::model::Player {
    world.ranked().await.into_values().next().unwrap()
}

async fn is_ended(world: &FleetWorld) -> bool {
    world.stores.wakeups.list().await.unwrap().iter().any(|wakeup| wakeup.name == EMPTIED)
}

/// Fetches one player, so that one fetched player exists.
async fn fetch_one(world: &FleetWorld) {
    let id = world.all_players()[0];
    let body = serde_json::json!({ "id": id, "raids": world.raids_of(id) });
    world.start().invoke("refresher", Event::Manual(body), RankFetcher::SPEC.timeout).await.unwrap();
}

#[test]
fn a_batch_that_ends_in_an_outage_is_not_the_last_one_while_a_call_is_in_flight() {
    let world = Setup::new(71, 20).build();
    run_scenario(&world, async {
        fetch_one(&world).await;
        let fleet = world.start();
        let grant = call(&world, &fleet).await;
        world.add_rules(0).await;
        // The query for frozen raids finds that the upstream is down.
        world.network.fail_all(Request::WorldData, Fault::Instead(403, "<title>Just a moment...</title>"));
        end_a_batch(&world, &fleet).await;
        assert!(!world.stores.breakers.load(UPSTREAM).await.unwrap().1.is_closed());
        assert!(!is_ended(&world).await, "a call is in flight");
        world.stores.pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
        end_a_batch(&world, &fleet).await;
        assert!(is_ended(&world).await, "nothing is in flight");
    });
}

#[test]
fn without_a_ledger_each_batch_counts_the_queue() {
    let mut setup = Setup::new(72, 20);
    setup.settings.budget_strategy = BudgetStrategy::WorstCase;
    let world = setup.build();
    run_scenario(&world, async {
        fetch_one(&world).await;
        end_a_batch(&world, &world.start()).await;
        assert!(is_ended(&world).await);
    });
}
