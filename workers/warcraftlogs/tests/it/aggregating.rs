//! From discovery to the queue: when players are sent, and that none is lost in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::worker::Event;
use stint_standins::warcraftlogs::Rate;
use stint_warcraftlogs::model::{PlayerId, RaidsToScrap};
use stint_warcraftlogs::store::{Discovered, Pause};

use crate::world::{FaultPlan, FleetWorld, Setup, rule, run_scenario};

/// Players and raids, discovered or queued.
async fn known(world: &FleetWorld) -> BTreeMap<PlayerId, RaidsToScrap> {
    let mut known = world.queued().await;
    for (id, raids) in world.discovered().await {
        known.entry(id).or_default().merge(&raids);
    }
    known
}

fn all_players(world: &FleetWorld) -> BTreeMap<PlayerId, RaidsToScrap> {
    world.asked_of(&world.all_players())
}

/// Discovers every player, by no rule.
async fn discover(world: &FleetWorld) {
    let seen = all_players(world).into_iter().map(|(id, raids_to_scrap)| Discovered { id, raids_to_scrap });
    world.stores.discovers.merge(&seen.collect::<Vec<_>>()).await.unwrap();
}

#[test]
fn the_aggregator_waits_while_a_rule_is_due_running_or_paused_and_says_which() {
    let mut setup = Setup::new(1, 300).rankings(&[(26, 4), (28, 5)]);
    setup.options.site_rate = Some(Rate { burst: 3, refill: Duration::from_secs(10) });
    let world = setup.build();
    run_scenario(&world, async {
        let fleet = world.start();
        let waits_for = async || {
            let report = fleet.run("aggregator").await;
            assert_eq!(report["queued"], 0);
            report["waits_for"].as_str().unwrap_or_default().to_owned()
        };
        discover(&world).await;
        world.stores.rules.put(&rule(0, (26, 4), (1, 3))).await.unwrap();
        assert_eq!(waits_for().await, "raid 26 in difficulty 4 is due for discovery");
        let claim = world.stores.rules.claim_due(jiff::Timestamp::MAX, Duration::from_secs(60)).await.unwrap().unwrap();
        assert_eq!(waits_for().await, "raid 26 in difficulty 4 is being discovered");
        let until = after(world.clock.now(), Duration::from_secs(600));
        let pause = Pause { until, reason: "the site refused the request".into() };
        world.stores.rules.give_back(&claim, Some(pause)).await.unwrap();
        let paused = "raid 26 in difficulty 4 is paused until 2026-11-20T10:10:00Z: the site refused the request";
        assert_eq!(waits_for().await, paused);
        world.pass(600).await;
        assert_eq!(waits_for().await, "raid 26 in difficulty 4 is due for discovery", "the rest is over");
        fleet.discover_everything().await;
        world.stores.rules.put(&rule(1, (28, 5), (1, 3))).await.unwrap();
        assert_eq!(waits_for().await, "raid 28 in difficulty 5 is due for discovery");
        world.stores.rules.remove(&rule(1, (28, 5), (1, 3)).id).await.unwrap();
        assert_eq!(fleet.run("aggregator").await["queued"], 300);
    });
}

#[test]
fn the_last_partial_batch_goes_out() {
    // The original only flushed full batches of 10, and then deleted all discovers.
    for players in [1, 9, 10, 11, 23, 1_000, 1_001, 2_007] {
        let world = Setup::new(2, players).build();
        run_scenario(&world, async {
            discover(&world).await;
            assert_eq!(world.start().run("aggregator").await["queued"], players);
            assert_eq!(world.queued().await, all_players(&world));
            assert_eq!(
                world.stores.queue.counts().await.unwrap().visible,
                u64::from(players),
                "no player is sent twice"
            );
            assert_eq!(world.stores.discovers.count().await.unwrap(), 0);
        });
    }
}

#[test]
fn a_player_who_is_discovered_again_meanwhile_is_kept() {
    let unhindered = discovered_anew_at(u64::MAX);
    for step in 1..=unhindered {
        discovered_anew_at(step);
    }
}

/// At one step of the aggregator, a known player is discovered in one more raid, and a new player is discovered.
fn discovered_anew_at(step: u64) -> u64 {
    let world = Setup::new(3, 25).build();
    run_scenario(&world, async {
        discover(&world).await;
        let late = world.all_players()[11];
        let more = world.population().rankings().iter().copied().collect::<RaidsToScrap>();
        let anew = [(late, more), (7, RaidsToScrap::one(26, 4))];
        let anew = anew.map(|(id, raids_to_scrap)| Discovered { id, raids_to_scrap });
        let (discovers, seen) = (Arc::clone(&world.stores.discovers), anew.clone());
        let faults = FaultPlan::run_at(step, move || discovers.merge(&seen).now_or_never().unwrap().unwrap());
        world.start_with(&faults).run("aggregator").await;
        let mut expected = all_players(&world);
        if faults.kill_points() >= step {
            anew.iter().for_each(|player| expected.entry(player.id).or_default().merge(&player.raids_to_scrap));
        }
        assert_eq!(known(&world).await, expected, "step {step}");
        // Once the message that was sent too early is fetched, the ranks are incomplete.
        world.start().run_until_idle().await;
        world.start().run("aggregator").await;
        world.start().run_until_idle().await;
        let (ranked, dropped) = (world.ranked().await, world.dropped().await);
        for (id, raids) in &expected {
            let covered = ranked.get(id).is_some_and(|player| player.ranked_in().covers(raids));
            assert!(covered || dropped.contains_key(id), "step {step}: player {id}");
        }
        faults.kill_points()
    })
}

#[test]
fn no_player_is_lost_when_the_aggregator_is_killed_or_its_stores_fail() {
    let kill_points = interrupted(&FaultPlan::none());
    for step in 1..=kill_points {
        interrupted(&FaultPlan::kill_at(step));
        interrupted(&FaultPlan::fail_at(step));
    }
}

fn interrupted(faults: &FaultPlan) -> u64 {
    let world = Setup::new(4, 42).build();
    run_scenario(&world, async {
        discover(&world).await;
        let fleet = world.start_with(faults);
        let run = fleet.invoke("aggregator", Event::Manual(Value::Null), Duration::from_secs(900));
        let outcome = faults.run(run).await;
        assert_eq!(known(&world).await, all_players(&world));
        if !matches!(outcome, Some(Ok(_))) {
            world.start().run("aggregator").await;
        }
        assert_eq!(world.queued().await, all_players(&world));
        assert_eq!(world.stores.discovers.count().await.unwrap(), 0);
        faults.kill_points()
    })
}

#[test]
fn an_aggregator_without_time_leaves_everything_for_the_next() {
    let world = Setup::new(5, 30).build();
    run_scenario(&world, async {
        discover(&world).await;
        let fleet = world.start();
        let time = Duration::from_secs(10);
        let report = fleet.invoke("aggregator", Event::Manual(Value::Null), time).await.unwrap().report;
        assert_eq!(report["queued"], 0);
        assert_eq!(world.discovered().await, all_players(&world));
    });
}

#[test]
fn a_damaged_document_is_passed_over_and_stays() {
    let world = Setup::new(6, 25).on_disk().build();
    run_scenario(&world, async {
        discover(&world).await;
        let damaged = world.all_players()[3];
        world.damage(&format!("UPDATE discovers SET raids = '{{\"twenty\": [3]}}' WHERE id = {damaged}"));
        let report = world.start().run("aggregator").await;
        assert_eq!((&report["queued"], &report["damaged"]), (&Value::from(24), &Value::from(1)));
        assert!(!world.queued().await.contains_key(&damaged));
        assert_eq!(world.stores.discovers.count().await.unwrap(), 1);
        let page = world.stores.discovers.page(None, 10).await.unwrap();
        assert_eq!(page.damaged[0].id, damaged.to_string());
        // After a new discovery, the document is complete again.
        discover(&world).await;
        assert_eq!(world.discovered().await.get(&damaged), Some(&world.raids_of(damaged)));
    });
}
