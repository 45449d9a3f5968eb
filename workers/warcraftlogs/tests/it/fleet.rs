//! From discovery to ranks, with keys that run dry.

use std::time::Duration;

use futures::future::select;
use stint_core::clock::Clock;
use stint_core::ledger::KeyStatus;
use stint_core::points::Points;
use stint_core::ports::Counts;
use stint_standins::warcraftlogs::{Faults, WindowCounters};
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::message::QUEUE;

use crate::world::{FleetWorld, Process, Setup, run_scenario};

#[test]
fn two_keys_run_dry_and_all_players_are_served() {
    let world = Setup::new(41, 500).odd_players().keys(&[1_000, 500], 60).build();
    run_scenario(&world, async {
        world.add_rules(2).await;
        let fleet = world.start();
        fleet.discover_everything().await;
        assert_eq!(world.discovered().await.len(), world.all_players().len());
        let queued = fleet.run("aggregator").await["queued"].as_u64();
        assert_eq!(queued, Some(500));
        let began = world.clock.now();
        fleet.run_until_idle().await;
        let ended = world.clock.now();
        world.assert_all_served().await;
        world.assert_no_player_lost().await;
        let counters = world.counters();
        let windows = counters.keys.iter().flat_map(|key| &key.windows);
        let busy: Vec<&WindowCounters> =
            windows.filter(|window| window.start >= began && window.reset <= ended).collect();
        assert!(busy.len() >= 2, "the keys ran dry in {} windows", busy.len());
        for window in busy {
            let share = window.charged.to_float() / window.limit.to_float();
            assert!(share >= 0.99, "{} of {} were used", window.charged, window.limit);
        }
        let totals = fleet.totals();
        assert_eq!(totals.released, 0, "a budget refusal is no failure");
        // Each time the keys run dry, every running fetcher parks at most one batch.
        assert!(totals.received <= 700, "{} receives for 500 messages", totals.received);
    });
}

#[test]
fn the_keys_run_dry_and_come_back() {
    let mut setup = Setup::new(5, 60).keys(&[200, 100], 60).looking_often();
    setup.settings.concurrency_limit = 3;
    let world = setup.build();
    let timeline = run_scenario(&world, async {
        world.queue_all().await;
        let timeline = run_and_tell(&world, &world.start()).await;
        world.assert_all_served().await;
        timeline
    });
    insta::assert_snapshot!(timeline, @"
      0.3 s  throttle 1: 50 queued, 0 parked; key-1 0/200, key-2 0/100
      1.5 s  throttle 0: 35 queued, 3 parked; key-1 175/200, key-2 86/100; reviver at 24.1 s
     24.2 s  throttle 1: 5 queued, 30 parked; key-1 175/200, key-2 86/100
     24.6 s  throttle 0: 0 queued, 34 parked; key-1 175/200, key-2 96/100; reviver at 31.1 s
     31.3 s  throttle 1: 5 queued, 29 parked; key-1 175/200, key-2 0/100
     32.0 s  throttle 0: 0 queued, 26 parked; key-1 175/200, key-2 85/100; reviver at 54.1 s
     54.2 s  throttle 1: 5 queued, 21 parked; key-1 175/200, key-2 85/100
     54.6 s  throttle 0: 0 queued, 24 parked; key-1 197/200, key-2 85/100; reviver at 61.1 s
     61.3 s  throttle 1: 5 queued, 19 parked; key-1 0/200, key-2 85/100
     62.1 s  throttle 0: 0 queued, 9 parked; key-1 175/200, key-2 85/100; reviver at 84.3 s
     84.3 s  throttle 1: 5 queued, 4 parked; key-1 175/200, key-2 85/100
     84.7 s  throttle 0: 0 queued, 7 parked; key-1 175/200, key-2 96/100; reviver at 91.3 s
     91.4 s  throttle 1: 5 queued, 2 parked; key-1 175/200, key-2 0/100
     91.7 s  throttle 1: 0 queued, 0 parked; key-1 175/200, key-2 59/100
    ");
}

/// Runs the fleet until it is idle, and returns an operator's log: a line for each change of the throttle.
async fn run_and_tell(world: &FleetWorld, fleet: &Process) -> String {
    let lines = std::cell::RefCell::new(Vec::new());
    let watch = async {
        let mut last = None;
        loop {
            let throttle = world.stores.throttle.read(&stint_warcraftlogs::worker("rank-fetcher")).await.unwrap().limit;
            if throttle != last {
                let line = tell(world, throttle).await;
                lines.borrow_mut().push(line);
                last = throttle;
            }
            let counts = world.stores.queue.counts().await.unwrap();
            if counts.unfinished() == 0 && world.stores.pool.count_parked(QUEUE).await.unwrap() == 0 {
                break;
            }
            select(Box::pin(world.changed()), world.clock.sleep(Duration::from_secs(1))).await;
        }
        let line = tell(world, last).await;
        lines.borrow_mut().push(line);
    };
    fleet.run_while(watch).await;
    lines.into_inner().join("\n")
}

async fn tell(world: &FleetWorld, throttle: Option<u32>) -> String {
    let Counts { visible, in_flight, .. } = world.stores.queue.counts().await.unwrap();
    let parked = world.stores.pool.count_parked(QUEUE).await.unwrap();
    let wakeups = world.stores.wakeups.list().await.unwrap();
    let revival = wakeups.iter().find(|wakeup| wakeup.name == REVIVE).filter(|_| throttle == Some(0));
    let revival = revival.map(|wakeup| format!("; reviver at {:.1} s", world.since_beginning(wakeup.at).as_secs_f64()));
    format!(
        "{:>5.1} s  throttle {}: {} queued, {parked} parked; {}{}",
        world.since_beginning(world.clock.now()).as_secs_f64(),
        throttle.unwrap_or_default(),
        visible + in_flight,
        keys(world).await,
        revival.unwrap_or_default()
    )
}

/// Points spent and the limit, for each key.
async fn keys(world: &FleetWorld) -> String {
    let mut keys = world.stores.pool.keys().await.unwrap();
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    let key = |key: &KeyStatus| format!("{} {:.0}/{}", key.key, key.spent.to_float(), key.limit);
    keys.iter().map(key).collect::<Vec<_>>().join(", ")
}

#[test]
fn no_upstream_fault_loses_a_player_or_overspends() {
    for seed in 0..24 {
        let mut setup = Setup::new(seed, 25).odd_players().keys(&[150, 80], 30);
        setup.options.faults = Faults {
            failed_before_charge: 40,
            failed_after_charge: 40,
            rate_limited: 60,
            slow: 30,
            slow_latency: Duration::from_secs(5),
        };
        setup.options.reset_lag = Duration::from_millis(250 * (seed % 4));
        let world = setup.build();
        run_scenario(&world, async {
            world.queue_all().await;
            world.start().run_until_idle().await;
            world.assert_all_served().await;
        });
    }
}

#[test]
fn a_fleet_without_faults_is_sure_of_every_micro_point() {
    for seed in 0..8 {
        let world = Setup::new(seed, 40).odd_players().keys(&[300, 100, 50], 20).build();
        let unsure = run_scenario(&world, async {
            world.queue_all().await;
            world.start().run_until_idle().await;
            world.assert_all_served().await;
            world.assert_accounts_agree().await
        });
        assert_eq!(unsure, Points::ZERO, "seed {seed}");
    }
}
