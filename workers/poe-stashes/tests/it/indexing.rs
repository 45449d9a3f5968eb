//! The tables: the current content of each stash.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use stint_core::clock::Clock;
use stint_core::ports::NewMessage;
use stint_core::worker::Worker;
use stint_poe_stashes::watcher::Watcher;
use stint_standins::poe_stashes::{Era, Options};

use crate::world::{World, busy_river, run_scenario};

/// Returns a river of few stashes, each of which is edited repeatedly.
fn lively(seed: u64, era: Era) -> Options {
    Options { stashes: 100, items_per_stash: (1, 5), unlisted: 200, era, ..busy_river(seed) }
}

#[test]
fn the_index_has_the_latest_content() {
    for (seed, era) in [(1, Era::Y2016), (2, Era::Y2022), (3, Era::Y2026)] {
        let world = World::new(lively(seed, era), &[]);
        run_scenario(&world, async {
            world.start().fetch(120).await;
            world.start().index_everything().await;
            let expected = last_seen(&world).await;
            let counts = world.stores.index.counts().await.unwrap();
            let listed = expected.values().filter(|stash| stash["public"] == true);
            let items: usize = listed.clone().map(|stash| stash["items"].as_array().unwrap().len()).sum();
            assert_eq!((counts.stashes, counts.items), (listed.count() as u64, items as u64), "{era:?}");
            assert!(counts.items > 100);
        });
    }
}

/// Returns each stash as the last served page showed it.
async fn last_seen(world: &World) -> BTreeMap<String, Value> {
    let mut stashes = BTreeMap::new();
    for served in world.counters().pages {
        let Some(page) = world.stored(served.change_id.parse().unwrap()).await else { continue };
        let page: Value = serde_json::from_slice(&page).unwrap();
        for stash in page["stashes"].as_array().unwrap() {
            stashes.insert(stash["id"].as_str().unwrap().to_owned(), stash.clone());
        }
    }
    stashes
}

#[test]
fn pages_in_any_order_and_twice_give_the_same_index() {
    let world = World::new(lively(4, Era::Y2026), &[]);
    run_scenario(&world, async {
        world.start().fetch(60).await;
        let mut messages = world.stores.stored.peek(100).await.unwrap();
        assert!(messages.len() >= 60);
        messages.reverse();
        for message in &messages {
            let twice = NewMessage::new(message.body.clone());
            world.stores.stored.send(&[twice]).await.unwrap();
        }
        world.start().index_everything().await;
        let expected = last_seen(&world).await;
        let listed = expected.values().filter(|stash| stash["public"] == true);
        let items: usize = listed.map(|stash| stash["items"].as_array().unwrap().len()).sum();
        assert_eq!(world.stores.index.counts().await.unwrap().items, items as u64);
    });
}

#[test]
fn an_invalid_message_is_dead_lettered_with_its_reason() {
    let world = World::new(busy_river(5), &[]);
    run_scenario(&world, async {
        for body in ["{", r#"{"realm":"pc","id":"1-2-3-4-5"}"#] {
            world.stores.stored.send(&[NewMessage::new(body)]).await.unwrap();
        }
        let process = world.start();
        // Without the follower's schedule: only the queue is served.
        world.stores.throttle.pause(&Watcher::SPEC.id()).await.unwrap();
        process.run_while(world.pass(Duration::from_secs(5))).await;
        let dead = world.stores.stored.dead_letters(10).await.unwrap();
        let reasons: Vec<&str> = dead.iter().map(|letter| letter.reason.as_str()).collect();
        assert!(reasons[0].starts_with("invalid message: "), "{reasons:?}");
        assert_eq!(reasons[1], "there is no blob of the page 1-2-3-4-5");
        assert!(world.clock.now() > "2026-11-28T10:00:00Z".parse().unwrap());
    });
}
