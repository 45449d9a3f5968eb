//! Tests of `stint wcl raids`.

use stint_standins::warcraftlogs::Counters;
use stint_warcraftlogs::client::UPSTREAM;

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::Program;
use crate::upstream::Upstream;

#[test]
fn without_a_key_the_built_in_list_is_shown() {
    let program = Program::new();
    let listed = program.json(&["wcl", "raids", "--raid", "26"]);
    assert_eq!(listed["source"], "built_in");
    let nathria = &listed["raids"][0];
    assert_eq!((&nathria["name"], &nathria["partitions"]), (&"Castle Nathria".into(), &serde_json::Value::Null));
    assert_eq!(nathria["difficulties"][3]["name"], "mythic");
    let text = program.succeed(&["wcl", "raids"]);
    assert!(text.contains("26  Castle Nathria") && text.contains("with WCL_KEYS, partitions"), "{text}");
    assert!(!program.home().exists(), "a command that only looks creates nothing");
}

/// Returns the program, pointed at a stand-in.
fn beside(upstream: &Upstream) -> Program {
    let settings = [("WCL_KEYS", "wcl_keys"), ("WCL_API_URL", "wcl_api_url"), ("WCL_TOKEN_URL", "wcl_token_url")];
    settings
        .into_iter()
        .fold(Program::new(), |program, (variable, setting)| program.with(variable, upstream.setting(setting)))
}

#[test]
fn an_api_that_is_down_is_not_called() {
    let upstream = Upstream::start("warcraftlogs", &[]);
    let program = beside(&upstream);
    block_on(async { HomeFixture::open(&program.home()).outage(UPSTREAM).await });
    let error = program.fail(&["wcl", "raids"]);
    assert!(error.contains("`stint wcl raids --built-in` shows") && error.contains("down since "), "{error}");
    assert_eq!(upstream.counters::<Counters>().api_requests, 0);
}

#[test]
fn with_a_key_the_list_costs_points() {
    let upstream = Upstream::start("warcraftlogs", &[]);
    let program = beside(&upstream);
    insta::assert_snapshot!(program.succeed(&["wcl", "raids"]));
    assert_eq!(program.json(&["wcl", "raids", "--raid", "28"])["raids"][0]["partitions"][2]["default"], true);
    assert!(!upstream.counters::<Counters>().charged.is_zero());
    let before = upstream.counters::<Counters>().api_requests;
    assert_eq!(program.json(&["wcl", "raids", "--built-in"])["source"], "built_in");
    assert_eq!(upstream.counters::<Counters>().api_requests, before, "the API was not asked");
    assert!(!program.home().exists(), "a command that only looks creates nothing");
    drop(upstream);
    let error = program.fail(&["wcl", "raids"]);
    assert!(error.contains("cannot read the raids from the API; `stint wcl raids --built-in`"), "{error}");
}
