//! The lag of the chain, and restarting it.

use std::time::Duration;

use serde_json::{Value, json};
use stint_standins::poe_stashes::Options;

use crate::world::{World, busy_river, run_scenario};

#[test]
fn lag_is_measured_by_the_heads_pace() {
    // An hour of history, of which five minutes are not shown.
    let river = Options { history: Duration::from_secs(3600), edits_per_second: 50, ..busy_river(1) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        let process = world.start();
        process.fetch(1).await;
        assert_eq!(process.run("watcher", Value::Null).await["lag"], Value::Null, "one look tells no pace");
        world.pass(Duration::from_secs(60)).await;
        let report = process.run("watcher", Value::Null).await;
        let seconds = report["lag"]["seconds"].as_f64().unwrap();
        // Its first page is an hour old, less five minutes, and a minute has passed.
        assert!((3300.0..3420.0).contains(&seconds), "{report}");
        assert_eq!(report["lag"]["shards"].as_array().unwrap().len(), 5);
        assert_eq!(report["alarm"], json!(true));
    });
}

#[test]
fn at_the_tail_there_is_no_lag() {
    let river = Options { edits_per_second: 10, history: Duration::from_secs(400), ..busy_river(2) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(400))).await;
        let report = world.start().run("watcher", Value::Null).await;
        let seconds = report["lag"]["seconds"].as_f64().unwrap();
        assert!(seconds < 40.0, "{report}");
        assert_eq!(report["alarm"], json!(false));
    });
}

#[test]
fn a_chain_without_follower_and_message_is_restarted() {
    let world = World::new(busy_river(3), &[]);
    run_scenario(&world, async {
        let process = world.start();
        assert_eq!(process.run("watcher", Value::Null).await["set_going"], json!(true));
        assert_eq!(process.run("watcher", Value::Null).await["set_going"], json!(false), "a message waits");
        world.stores.chain_queue.purge(true).await.unwrap();
        let claim = world.stores.chain.claim(Duration::from_secs(30)).await.unwrap().unwrap();
        assert_eq!(process.run("watcher", Value::Null).await["set_going"], json!(false), "it is followed");
        world.stores.chain.release(&claim, &claim.progress).await.unwrap();
        assert_eq!(process.run("watcher", Value::Null).await["set_going"], json!(true));
    });
}

#[test]
fn a_refused_head_is_not_requested_again_for_a_day() {
    let world = World::new(Options { ban_after: 0, ..busy_river(4) }, &[]);
    run_scenario(&world, async {
        let watch = async || world.start().run("watcher", Value::Null).await["failed"].as_str().unwrap().to_owned();
        assert!(watch().await.contains("403"));
        assert_eq!(world.counters().requests, 1);
        for _ in 0..10 {
            world.pass(Duration::from_secs(2 * 60 * 60)).await;
            assert!(watch().await.starts_with("refused at 2026-11-28T10:00:00"));
        }
        assert_eq!(world.counters().requests, 1);
        world.pass(Duration::from_secs(4 * 60 * 60)).await;
        watch().await;
        assert_eq!(world.counters().requests, 2);
    });
}
