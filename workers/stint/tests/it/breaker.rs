//! Tests of what an operator sees during an outage.

use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::discovery::SITE;

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::Program;

/// Returns a folder whose API has been down for a minute.
fn in_an_outage() -> Program {
    in_an_outage_of(UPSTREAM, Program::new())
}

/// Returns the program's folder, in which `upstream` has been down for a minute.
fn in_an_outage_of(upstream: &str, program: Program) -> Program {
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.players().await;
        fixture.keys().await;
        fixture.schedules().await;
        fixture.outage(upstream).await;
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
    assert!(text.contains("warcraftlogs-api rejects this installation"), "{text}");
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
        assert!(
            text.contains(&format!("\nwarcraftlogs/{worker} waits for warcraftlogs-api, which is down since ")),
            "{text}"
        );
    }
}

/// Returns the workers that wait for an upstream, according to `throttle show`.
fn waiting(program: &Program) -> Vec<String> {
    let workers = program.json(&["throttle", "show"])["workers"].clone();
    let waiting = workers.as_array().unwrap().iter().filter(|view| view["waits"].is_string());
    waiting.map(|view| view["worker"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn discovery_waits_for_its_source_and_for_what_shares_a_host_with_it() {
    let elsewhere = || Program::new().with("WCL_SITE_URL", "https://site.example/");
    let of_reports = || elsewhere().with("DISCOVERY_SOURCE", "reports").with("WCL_KEYS", "key-1:secret");
    let (api, all) = (vec!["rank-fetcher", "refresher"], vec!["discover", "rank-fetcher", "refresher"]);
    for (upstream, program, expected) in [
        (UPSTREAM, Program::new(), &all),
        (UPSTREAM, elsewhere(), &api),
        (UPSTREAM, of_reports(), &all),
        (SITE, elsewhere(), &vec!["discover"]),
        (SITE, of_reports(), &vec![]),
    ] {
        let program = in_an_outage_of(upstream, program);
        block_on(async { HomeFixture::open(&program.home()).rules().await });
        assert_eq!(&waiting(&program), expected, "{upstream}");
        let status = program.json(&["status"]);
        let says = status["fleets"][0]["workers"][0]["says"].as_str().unwrap();
        let waits = says.starts_with(&format!("waits for {upstream}, which is down since "));
        assert_eq!(waits, expected.contains(&"discover"), "{upstream}: {says}");
    }
}

#[test]
fn a_key_that_is_resumed_lets_the_api_be_asked_at_once() {
    let program = in_an_outage();
    let is_due = || block_on(async { HomeFixture::open(&program.home()).is_probe_due(UPSTREAM).await });
    assert!(!is_due());
    let keys = program.json(&["wcl", "keys"]);
    program.succeed(&["wcl", "keys", "resume", keys["keys"][0]["key"].as_str().unwrap()]);
    assert!(is_due());
}
