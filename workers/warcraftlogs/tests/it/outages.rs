//! Stores and upstreams that are unavailable for a while at the worst moment.

use std::time::Duration;

use serde_json::json;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{Delivery, Parked};
use stint_core::worker::{Event, Worker};
use stint_standins::warcraftlogs::{Damage, QueryOutcome, Shares};
use stint_testkit::FaultInjector;
use stint_warcraftlogs::budget::{BATCH, REVIVE};
use stint_warcraftlogs::message::{PlayerMessage, QUEUE};
use stint_warcraftlogs::model::PlayerId;
use stint_warcraftlogs::player_ref::PlayerRef;
use stint_warcraftlogs::rank_fetcher::RankFetcher;

use crate::world::{Fault, FaultPlan, FleetWorld, Request, Setup, Stores, run_scenario};

/// Receives a batch of known players.
async fn receive(world: &FleetWorld, ids: &[PlayerId]) -> Vec<Delivery> {
    for id in ids {
        world.queue(*id, world.raids_of(*id)).await;
    }
    let batch = world.stores.queue.receive(BATCH).await.unwrap();
    assert_eq!(batch.len(), ids.len());
    batch
}

/// Parks messages as if no points had been available for them.
async fn park(world: &FleetWorld, ids: &[PlayerId]) {
    let body = |id| PlayerMessage { player_ref: PlayerRef::Id(id), raids_to_scrap: world.raids_of(id) }.to_body();
    let parked = |id: &PlayerId| Parked {
        id: id.to_string(),
        queue: QUEUE.into(),
        body: body(*id),
        parked_at: world.clock.now(),
    };
    world.stores.pool.park(&ids.iter().map(parked).collect::<Vec<_>>()).await.unwrap();
}

/// The outcome of a batch: the number of calls, and for each player whether it is stored and whether its message comes
/// back.
struct Fetched {
    calls: usize,
    stored: Vec<bool>,
    comes_back: Vec<bool>,
}

/// One invocation with a batch whose first response is spoiled, so that each player is requested alone, while other
/// messages are parked. The process's access to the budget fails as `faults` sets; it can store what is paid for.
fn fetch(faults: &FaultPlan) -> Fetched {
    let mut setup = Setup::new(31, 60);
    setup.options.shares = Shares { never_classed: 200, ..Shares::NONE };
    setup.options.section_faults.damage = Some(Damage::TextOnly);
    let world = setup.build();
    run_scenario(&world, async {
        let population = world.population();
        let mut ids = population.with_outcome(population.rankings(), QueryOutcome::Ranked);
        let others = ids.split_off(BATCH - 1);
        ids.extend(&population.with_outcome(population.rankings(), QueryOutcome::NeverClassed)[..1]);
        let batch = receive(&world, &ids).await;
        park(&world, &others[..BATCH]).await;
        let stores = Stores { players: world.stores.players.clone(), ..world.stores.with_faults(faults) };
        let event = Event::Batch(batch.clone());
        let outcome = world.start_on(stores).invoke("rank-fetcher", event, RankFetcher::SPEC.timeout).await;
        let (ranked, dropped) = (world.ranked().await, world.dropped().await);
        let comes_back = |delivery: &Delivery| match &outcome {
            Ok(outcome) => outcome.exceptions.iter().any(|exception| exception.message_id == delivery.message_id),
            Err(_) => true,
        };
        Fetched {
            calls: world.network.sent(Request::Ranks),
            stored: ids.iter().map(|id| ranked.contains_key(id) || dropped.contains_key(id)).collect(),
            comes_back: batch.iter().map(comes_back).collect(),
        }
    })
}

#[test]
fn what_is_paid_for_is_stored_and_does_not_come_back_whatever_fails_then() {
    // The spoiled call, one for each player, and one for the parked messages.
    let all = BATCH + 2;
    let faults = FaultPlan::none();
    assert_eq!(fetch(&faults).calls, all);
    let mut followed = 0;
    for step in 1..=faults.kill_points() {
        let Fetched { calls, stored, comes_back } = fetch(&FaultPlan::fail_at(step));
        let paid = calls.min(BATCH + 1).saturating_sub(1);
        assert_eq!(stored.iter().filter(|stored| **stored).count(), paid, "after {calls} calls, at step {step}");
        let left: Vec<bool> = stored.iter().map(|stored| !stored).collect();
        assert_eq!(comes_back, left, "after {calls} calls, at step {step}");
        followed += usize::from(paid == BATCH);
    }
    assert!(followed > 10, "{followed} faults were after the batch");
}

#[test]
fn a_throttle_that_is_unavailable_after_a_batch_is_left_to_the_reviver() {
    let world = Setup::new(32, 20).build();
    run_scenario(&world, async {
        let event = Event::Batch(receive(&world, &world.all_players()[..BATCH]).await);
        let throttle = FaultInjector::new(&world.stores.throttle, &FaultPlan::fail_while(|| true));
        let fleet = world.start_on(Stores { throttle, ..world.stores.clone() });
        let outcome = fleet.invoke("rank-fetcher", event, RankFetcher::SPEC.timeout).await.unwrap();
        assert_eq!((&outcome.report["ranked"], outcome.exceptions), (&json!(BATCH), Vec::new()));
        let wakeups = world.stores.wakeups.list().await.unwrap();
        assert_eq!(wakeups.len(), 1);
        assert!(wakeups[0].name == REVIVE && between(world.clock.now(), wakeups[0].at) <= Duration::from_secs(30));
    });
}

/// Runs a fleet in which the stores picked by `within` are unavailable for `length`, starting a second after it began.
fn play_absence(length: Duration, within: fn(&FleetWorld, &FaultPlan) -> Stores) {
    let mut setup = Setup::new(33, 400).keys(&[2_000, 2_000], 600);
    setup.settings.concurrency_limit = 8;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let clock = world.clock.clone();
        let gone = after(clock.now(), Duration::from_secs(1));
        let faults = FaultPlan::fail_while(move || clock.now() >= gone && clock.now() < after(gone, length));
        let fleet = world.start_on(within(&world, &faults));
        fleet.run_until_idle().await;
        assert!(world.clock.now() > after(gone, length), "the fleet was done before anything was away");
        world.assert_all_served().await;
    });
}

#[test]
fn a_key_pool_that_is_unavailable_for_two_minutes_makes_no_dead_letters() {
    let only_the_pool = |world: &FleetWorld, faults: &FaultPlan| Stores {
        pool: FaultInjector::new(&world.stores.pool, faults),
        ..world.stores.clone()
    };
    play_absence(Duration::from_secs(120), only_the_pool);
}

#[test]
fn stores_that_are_all_unavailable_for_two_minutes_make_no_dead_letters() {
    play_absence(Duration::from_secs(120), |world, faults| world.stores.with_faults(faults));
}

/// The stores of a database that is down, while the queues and what is kept on the machine are there.
fn database(world: &FleetWorld, faults: &FaultPlan) -> Stores {
    let Stores { queue, refreshes, throttle, wakeups, due, .. } = world.stores.clone();
    Stores { queue, refreshes, throttle, wakeups, due, ..world.stores.with_faults(faults) }
}

fn only_the_players(world: &FleetWorld, faults: &FaultPlan) -> Stores {
    Stores { players: world.stores.with_faults(faults).players, ..world.stores.clone() }
}

/// Runs a fleet in which the stores picked by `within` cannot be reached for `length`. Returns the receives and the
/// successes of the host, and how long after the outage the first message succeeded.
fn play_outage(length: Duration, within: fn(&FleetWorld, &FaultPlan) -> Stores) -> (u64, u64, Duration) {
    let mut setup = Setup::new(36, 400).keys(&[20_000, 20_000], 3_600);
    setup.settings.concurrency_limit = 8;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let clock = world.clock.clone();
        let gone = after(clock.now(), Duration::from_secs(1));
        let back = after(gone, length);
        let faults = FaultPlan::fail_while(move || clock.now() >= gone && clock.now() < back);
        let fleet = world.start_on(within(&world, &faults));
        let mut resumed = None;
        fleet
            .run_while(async {
                world.clock.sleep_until(back).await;
                let before = fleet.totals().succeeded;
                assert!(before < 400, "the fleet was done before anything was away");
                assert_eq!(world.dead_letters().await, []);
                while world.stores.queue.counts().await.unwrap().unfinished() > 0 {
                    if resumed.is_none() && fleet.totals().succeeded > before {
                        resumed = Some(between(back, world.clock.now()));
                    }
                    world.clock.sleep(Duration::from_secs(1)).await;
                }
            })
            .await;
        world.start().run_until_idle().await;
        world.assert_all_served().await;
        (fleet.totals().received, fleet.totals().succeeded, resumed.unwrap())
    })
}

#[test]
fn a_database_that_is_down_for_three_minutes_costs_no_receives() {
    for within in [database, only_the_players] {
        let (received, succeeded, resumed) = play_outage(Duration::from_secs(180), within);
        let ratio = received as f64 / succeeded as f64;
        assert!(ratio <= 1.05, "{received} receives for {succeeded} messages: {ratio:.3}");
        assert!(resumed <= Duration::from_secs(75), "it went on after {resumed:?}");
    }
}

#[test]
fn a_database_that_is_down_for_a_day_makes_no_dead_letters() {
    for within in [database, only_the_players] {
        let (received, succeeded, resumed) = play_outage(Duration::from_secs(24 * 60 * 60), within);
        assert!(received <= succeeded + 45, "{received} receives for {succeeded} messages");
        assert!(resumed <= Duration::from_secs(75), "it went on after {resumed:?}");
    }
}

#[test]
fn an_upstream_that_is_unavailable_for_an_hour_makes_no_dead_letters() {
    for fault in [Fault::Unreachable, Fault::Before(502), Fault::Before(521), Fault::Hang, Fault::Before(401)] {
        let mut setup = Setup::new(34, 200).keys(&[2_000, 2_000], 600);
        setup.settings.concurrency_limit = 8;
        let world = setup.build();
        run_scenario(&world, async {
            world.queue_all().await;
            let fleet = world.start();
            fleet
                .run_while(async {
                    world.clock.sleep(Duration::from_millis(500)).await;
                    for kind in [Request::Token, Request::Points, Request::Ranks] {
                        world.network.fail_all(kind, fault);
                    }
                    world.pass(3_600).await;
                    assert_eq!(world.dead_letters().await, [], "{fault:?}");
                    let calls = world.network.sent(Request::Ranks);
                    assert!(calls < 3_000, "{calls} calls in an hour of {fault:?}");
                    world.network.clear_faults();
                })
                .await;
            world.start().run_until_idle().await;
            world.assert_all_served().await;
        });
    }
}

#[test]
fn a_batch_that_is_out_of_time_is_parked_before_it_begins_a_call() {
    let world = Setup::new(35, 20).build();
    run_scenario(&world, async {
        let event = Event::Batch(receive(&world, &world.all_players()[..BATCH]).await);
        let fleet = world.start();
        let time = fleet.budget.api.call_timeout();
        let outcome = fleet.invoke("rank-fetcher", event, time).await.unwrap();
        assert_eq!((&outcome.report["calls"], &outcome.report["parked"]), (&json!(0), &json!(BATCH)));
        assert_eq!((outcome.exceptions, world.network.sent(Request::Ranks)), (Vec::new(), 0));
    });
}
