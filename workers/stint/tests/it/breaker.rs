//! What an operator sees of an outage.

use stint_warcraftlogs::client::UPSTREAM;

use crate::program::Program;
use crate::world::{World, block_on};

/// A folder whose API has been down for a minute.
fn in_an_outage() -> Program {
    let program = Program::new();
    block_on(async {
        let world = World::open(&program.home());
        world.players().await;
        world.keys().await;
        world.schedules().await;
        world.outage(UPSTREAM).await;
    });
    program
}

#[test]
fn status_has_a_row_for_each_upstream_and_says_what_waits_for_it() {
    let program = in_an_outage();
    let text = program.succeed(&["status"]);
    let row = text.lines().find(|line| line.starts_with("upstreams ")).unwrap();
    assert!(row.contains("warcraftlogs-api: DOWN since ") && row.contains("a challenge for humans"), "{text}");
    assert!(text.contains("warcraftlogs-site: up"), "{text}");
    assert!(text.contains("waits for warcraftlogs-api, which is down since "), "{text}");
    assert!(text.contains("warcraftlogs-api turns this installation away"), "{text}");
    let fleet = &program.json(&["status"])["fleets"][0];
    let upstream = &fleet["upstreams"][0];
    assert_eq!((&upstream["upstream"], &upstream["state"]), (&UPSTREAM.into(), &"down".into()));
    assert_eq!((&upstream["banned"], &upstream["failed_probes"]), (&true.into(), &0.into()));
    assert!(upstream["next_probe"].is_string() && upstream["since"].is_string(), "{upstream}");
}

#[test]
fn throttle_show_says_what_holds_a_worker_back_beside_its_number() {
    let program = in_an_outage();
    let text = program.succeed(&["throttle", "show"]);
    for worker in ["rank-fetcher", "refresher"] {
        assert!(text.contains(&format!("\n{worker} waits for warcraftlogs-api, which is down since ")), "{text}");
    }
    let workers = program.json(&["throttle", "show"])["workers"].clone();
    let waiting = workers.as_array().unwrap().iter().filter(|view| view["waits"].is_string());
    assert_eq!(waiting.count(), 2);
}

#[test]
fn a_key_that_is_resumed_lets_the_api_be_asked_at_once() {
    let program = in_an_outage();
    let is_due = || block_on(async { World::open(&program.home()).is_probe_due(UPSTREAM).await });
    assert!(!is_due());
    let keys = program.json(&["keys"]);
    program.succeed(&["keys", "resume", keys["keys"][0]["key"].as_str().unwrap()]);
    assert!(is_due());
}
