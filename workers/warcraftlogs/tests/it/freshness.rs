//! Which players are queued again and when, their order, and how many the queue holds.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, before};
use stint_core::points::Points;
use stint_core::ports::{NewMessage, Parked};
use stint_warcraftlogs::due_selection::QueueOrder;
use stint_warcraftlogs::message::QUEUE;
use stint_warcraftlogs::model::{Player, PlayerId, RaidsToScrap, Server};
use stint_warcraftlogs::store::Discovered;

use crate::world::{FleetWorld, Process, Setup, run_scenario};

const HOUR: u64 = 60 * 60;

/// Messages that the queue may hold whatever the keys have.
const FLOOR: u64 = 10_000;

/// Discovers every player that the upstream lists.
async fn discover(world: &FleetWorld) {
    let seen = world.asked_of(&world.all_players()).into_iter();
    let seen = seen.map(|(id, raids_to_scrap)| Discovered { id, raids_to_scrap });
    world.stores.discovers.merge(&seen.collect::<Vec<_>>()).await.unwrap();
}

/// Discovers players from 1 to `count` in one raid; the upstream need not know them.
async fn discover_many(world: &FleetWorld, count: u64) {
    let seen = (1..=count).map(|id| Discovered { id, raids_to_scrap: RaidsToScrap::one(26, 4) });
    world.stores.discovers.merge(&seen.collect::<Vec<_>>()).await.unwrap();
}

/// Returns how many players were due, and how many were queued.
async fn aggregate(fleet: &Process) -> (u64, u64) {
    let report = fleet.run("aggregator").await;
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("damaged"), &report["waits_for"]), (0, &Value::Null));
    (count("due"), count("queued"))
}

async fn queued(world: &FleetWorld) -> BTreeSet<PlayerId> {
    world.queued().await.into_keys().collect()
}

fn fetched(id: PlayerId, at: Timestamp) -> Player {
    let server = Server { name: "Zuluhed".into(), slug: "zuluhed".into(), normalized_name: "Zuluhed".into() };
    let raids = [(26, [(4, Default::default())].into())].into();
    Player { id, name: format!("Ånn{id}"), class_id: 4, region: "EU".into(), server, updated_at: at, raids }
}

#[test]
fn the_same_players_are_not_queued_again_while_they_wait_or_are_fresh() {
    let world = Setup::new(11, 300).odd_players().build();
    run_scenario(&world, async {
        let all_players = world.all_players().len() as u64;
        let fleet = world.start();
        discover(&world).await;
        assert_eq!(aggregate(&fleet).await, (all_players, all_players));
        world.pass(24 * HOUR).await;
        discover(&world).await;
        assert_eq!(aggregate(&fleet).await, (0, 0), "they wait");
        assert_eq!(world.stores.queue.counts().await.unwrap().unfinished(), all_players);
        world.start().run_until_idle().await;
        assert_eq!(aggregate(&fleet).await, (0, 0), "they are fresh");
        assert_eq!(world.discovered().await.len() as u64, all_players, "and stay for later");
        world.pass(20 * HOUR).await;
        assert_eq!(aggregate(&fleet).await, (all_players, all_players));
        world.start().run_until_idle().await;
        world.assert_all_served().await;
        assert_eq!(world.stores.discovers.count().await.unwrap(), 0);
    });
}

#[test]
fn a_day_of_all_players_is_as_long_as_discovery_takes_whenever_each_was_fetched() {
    let world = Setup::new(12, 40).build();
    run_scenario(&world, async {
        let fleet = world.start();
        let halves = world.all_players();
        let (early, late) = halves.split_at(20);
        for ids in [early, late] {
            let seen = ids.iter().map(|id| Discovered { id: *id, raids_to_scrap: world.raids_of(*id) });
            world.stores.discovers.merge(&seen.collect::<Vec<_>>()).await.unwrap();
            assert_eq!(aggregate(&fleet).await, (20, 20));
            world.start().run_until_idle().await;
            world.pass(9 * HOUR).await;
        }
        world.pass(3 * HOUR).await;
        discover(&world).await;
        assert_eq!(aggregate(&fleet).await, (20, 20), "those of 21 hours ago");
        assert_eq!(queued(&world).await, early.iter().copied().collect());
        world.pass(9 * HOUR).await;
        assert_eq!(aggregate(&fleet).await, (20, 20), "the others, without being discovered again");
    });
}

/// Ids from 1. Every hundredth was never fetched; for the others, the higher the id, the longer ago.
async fn of_all_ages(order: QueueOrder) -> (u64, BTreeSet<PlayerId>) {
    let count = FLOOR + 300;
    let mut setup = Setup::new(13, 1);
    setup.settings.queue_order = order;
    let world = setup.build();
    discover_many(&world, count).await;
    let known = (1..=count).filter(|id| id % 100 != 0);
    let at = |id: u64| before(world.clock.now(), Duration::from_secs(21 * HOUR + id));
    let players: Vec<Player> = known.map(|id| fetched(id, at(id))).collect();
    world.stores.players.upsert(&players).await.unwrap();
    assert_eq!(aggregate(&world.start()).await, (count, FLOOR));
    (count, queued(&world).await)
}

#[test]
fn without_room_for_all_never_fetched_players_come_first_then_the_stalest() {
    let (count, queued) = futures::executor::block_on(of_all_ages(QueueOrder::Stalest));
    let (never, known): (BTreeSet<u64>, BTreeSet<u64>) = (1..=count).partition(|id| id % 100 == 0);
    let room = FLOOR as usize - never.len();
    let stalest: BTreeSet<u64> = known.into_iter().rev().take(room).collect();
    assert_eq!(queued, &never | &stalest);
}

#[test]
fn with_more_players_than_room_they_go_in_the_order_of_their_ids_if_so_set() {
    let (_, queued) = futures::executor::block_on(of_all_ages(QueueOrder::Discovered));
    assert_eq!(queued, (1..=FLOOR).collect());
}

#[test]
fn what_waits_in_the_queue_or_is_parked_takes_room() {
    let world = Setup::new(14, 1).build();
    run_scenario(&world, async {
        discover_many(&world, FLOOR + 1).await;
        let body = r#"{"id":1,"raidsToScrap":{"26":[4]}}"#;
        let messages = [body, body, body].map(NewMessage::new);
        world.stores.queue.send(&messages).await.unwrap();
        world.stores.queue.receive(1).await.unwrap();
        let parked_at = world.clock.now();
        let parked = |id: &str| Parked { id: id.into(), queue: QUEUE.into(), body: body.into(), parked_at };
        world.stores.pool.park(&[parked("a"), parked("b")]).await.unwrap();
        let fleet = world.start();
        assert_eq!(aggregate(&fleet).await, (FLOOR + 1, FLOOR - 5));
        assert_eq!(aggregate(&fleet).await, (6, 0), "it is full");
    });
}

#[test]
fn the_queue_holds_what_the_keys_can_pay_for_in_the_hours_that_are_set() {
    // 666 messages at 15 points a window, 24 windows.
    let world = Setup::new(15, 1).keys(&[10_000], HOUR).build();
    run_scenario(&world, async {
        discover_many(&world, 17_000).await;
        let fleet = world.start();
        assert_eq!(aggregate(&fleet).await, (17_000, FLOOR), "the key was never read");
        // Twice: a limit is only confirmed by two readings.
        assert_eq!(fleet.budget.read_counters(Points::MAX).await.unwrap(), 2);
        assert_eq!(aggregate(&fleet).await, (7_000, 24 * 666 - FLOOR));
    });
}

#[test]
fn without_a_limit_all_players_are_queued_at_once() {
    let mut setup = Setup::new(16, 1);
    setup.settings.queue_hours = 0;
    let world = setup.build();
    run_scenario(&world, async {
        discover_many(&world, FLOOR + 1_234).await;
        assert_eq!(aggregate(&world.start()).await, (FLOOR + 1_234, FLOOR + 1_234));
    });
}
