//! Following the river: look-ahead, the end of the river, and failures on the way.

use std::time::Duration;

use serde_json::json;
use stint_core::clock::between;
use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::{Era, Faults, Options};

use crate::world::{World, busy_river, run_scenario};

#[test]
fn without_the_header_the_first_bytes_have_the_next_id() {
    for era in [Era::Y2016, Era::Y2022, Era::Y2026] {
        let world = World::new(Options { next_id_header: false, era, ..busy_river(1) }, &[]);
        run_scenario(&world, async {
            world.start().fetch(200).await;
            let totals = world.progress().await.totals;
            assert_eq!((totals.fetched, totals.stored), (200, 200));
            assert_eq!((totals.header, totals.peek, totals.body, totals.disagreements), (0, 200, 0, 0));
            assert_eq!(world.assert_whole(ChangeId::BEGINNING).await.pages, 200);
        });
    }
}

#[test]
fn at_the_end_of_the_river_requests_are_rare() {
    // This river has only past edits.
    let world = World::new(Options { edits_per_second: 1, history: Duration::from_secs(400), ..busy_river(2) }, &[]);
    run_scenario(&world, async {
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(600))).await;
        let progress = world.progress().await;
        assert!(progress.position.is_some());
        let counters = world.counters();
        let empty = counters.pages.iter().filter(|page| page.stashes == 0).count();
        assert!((20..300).contains(&empty), "{empty} looks at the end in ten minutes");
        assert_eq!(progress.totals.fetched + empty as u64, counters.page_requests);
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}

#[test]
fn the_end_is_waited_at_from_two_seconds_to_thirty() {
    let river = Options { edits_per_second: 1, history: Duration::from_secs(2), ..busy_river(3) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        // For the first five minutes the river shows only its beginning.
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(240))).await;
        let asked: Vec<_> = world.counters().pages.iter().map(|page| page.at).collect();
        let waits: Vec<u64> = asked.windows(2).map(|pair| between(pair[0], pair[1]).as_secs()).collect();
        assert_eq!(waits[..6], [2, 4, 8, 16, 30, 30], "{waits:?}");
        assert!(world.progress().await.at_tail);
    });
}

#[test]
fn a_cut_body_is_requested_again_and_nothing_of_it_is_stored() {
    let world = World::new(Options { faults: Faults { cut: 300, ..Faults::default() }, ..busy_river(4) }, &[]);
    run_scenario(&world, async {
        world.start().fetch(300).await;
        let totals = world.progress().await.totals;
        assert!(totals.cut > 50, "{totals:?}");
        assert_eq!((totals.stored, totals.lost), (300, 0));
        assert_eq!(world.assert_whole(ChangeId::BEGINNING).await.pages, 300);
    });
}

#[test]
fn faults_of_the_server_are_waited_out() {
    let faults = Faults { bad_gateway: 50, unavailable: 20, cut: 0 };
    let world = World::new(Options { faults, ..busy_river(5) }, &[]);
    run_scenario(&world, async {
        let process = world.start();
        process.run_until_fetched(400).await;
        assert!(world.counters().failed > 10);
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}

#[test]
fn an_expired_token_is_renewed_and_the_chain_continues() {
    let river = Options { token_lifetime: Duration::from_secs(60), tells_token_lifetime: false, ..busy_river(6) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        world.start().fetch(400).await;
        let counters = world.counters();
        assert!(counters.tokens >= 3, "{}", counters.tokens);
        // Each was detected by a 401, which is not repeated.
        assert_eq!(counters.client_errors, counters.tokens - 1);
        assert_eq!(world.progress().await.totals.fetched, 400);
    });
}

#[test]
fn a_body_over_the_limit_is_given_up_and_the_chain_continues() {
    let world = World::new(Options { items_per_stash: (0, 12), ..busy_river(7) }, &["--poe-max-body=36000"]);
    run_scenario(&world, async {
        world.start().fetch(200).await;
        let progress = world.progress().await;
        let large = world.counters().pages.iter().filter(|page| page.bytes > 36_000).count() as u64;
        assert!(large > 5 && large < 150, "{large}");
        assert_eq!((progress.totals.lost, progress.totals.stored), (large, 200 - large));
        assert!(progress.lost[0].reason.contains("larger than 36000 bytes"), "{:?}", progress.lost);
        assert_eq!(progress.open, []);
    });
}

#[test]
fn a_refused_client_stops_and_keeps_its_position() {
    let world = World::new(Options { client_secret: "another".to_owned(), ..busy_river(8) }, &[]);
    run_scenario(&world, async {
        let report = world.start().fetch(5).await;
        let stopped = report["stopped"].as_str().unwrap();
        assert!(stopped.contains("refused the credentials"), "{stopped}");
        assert_eq!(report["position"], json!("0-0-0-0-0"));
        // Only an operator restarts it.
        let requests = world.counters().requests;
        let process = world.start();
        process.run_while(world.pass(Duration::from_secs(300))).await;
        assert_eq!(world.counters().requests, requests, "not even the head is asked");
    });
}

#[test]
fn a_ban_stops_the_chain_at_once() {
    let world = World::new(Options { ban_after: 0, ..busy_river(9) }, &[]);
    run_scenario(&world, async {
        let report = world.start().fetch(5).await;
        assert!(report["stopped"].as_str().unwrap().contains("403"), "{report}");
        assert_eq!(world.counters().requests, 1);
        let status = world.stores.chain.read().await.unwrap().unwrap();
        assert_eq!((status.leased_until, status.progress.stopped.is_some()), (None, true));
    });
}

#[test]
fn an_invocation_hands_the_chain_on_when_its_time_is_over() {
    let world = World::new(busy_river(10), &[]);
    run_scenario(&world, async {
        let process = world.start();
        let report = process.run("follower", serde_json::Value::Null).await;
        assert_eq!(report["handed_on"], json!(true));
        assert_eq!(world.stores.chain_queue.counts().await.unwrap().unfinished(), 1);
        let fetched = report["fetched"].as_u64().unwrap();
        assert!((1_300..1_600).contains(&fetched), "{fetched} pages in twelve and a half minutes");
    });
}

#[test]
fn a_second_follower_finds_the_chain_claimed() {
    let world = World::new(busy_river(11), &[]);
    run_scenario(&world, async {
        let (one, other) = (world.start(), world.start());
        let (first, second) = futures::join!(one.fetch(50), async {
            world.pass(Duration::from_secs(3)).await;
            other.fetch(50).await
        });
        assert_eq!(first["fetched"], json!(50));
        assert_eq!(second["stopped"], json!("another follower has the chain"));
    });
}
