//! Tests of `stint up --until-drained` with the real binary: what it waits for, and what it reports.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::home_fixture::{HomeFixture, block_on};
use crate::kill::upstream;
use crate::upstream::{Upstream, stint};

fn until_drained(home: &Path, upstream: &Upstream) -> Output {
    let mut up = stint(home);
    for name in ["wcl_api_url", "wcl_token_url", "wcl_site_url", "wcl_keys"] {
        up.env(name.to_uppercase(), upstream.setting(name));
    }
    up.env("WCL_WINDOW_SECONDS", "6").env("WCL_CALL_TIMEOUT_SECONDS", "1").env("WCL_PAGE_INTERVAL_MS", "0");
    up.args(["up", "--until-drained", "--json"]).output().unwrap()
}

fn succeed(home: &Path, arguments: &[&str]) -> String {
    let output = stint(home).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(home: &Path, collection: &str) -> usize {
    succeed(home, &["data", "export", "wcl", collection, "-"]).lines().count()
}

#[test]
fn a_new_folder_is_taken_to_its_databases_and_a_drained_one_ends_at_once() {
    let (upstream, folder) = (upstream("200"), tempfile::tempdir().unwrap());
    let home = folder.path();
    succeed(home, &["wcl", "rules", "add", "--raid", "26", "--difficulty", "3,4", "--end-page", "20"]);
    let output = until_drained(home, &upstream);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["drained"], true, "{report}");
    let rules: Value = serde_json::from_str(&succeed(home, &["wcl", "rules", "list", "--json"])).unwrap();
    assert!(rules["rules"].as_array().unwrap().iter().all(|rule| rule["state"] == "fresh"), "{rules}");
    assert!(lines(home, "players") > 50 && lines(home, "discovers") == 0);
    let written = home.join("databases/Stint/Stint.lua");
    let first = std::fs::metadata(&written).unwrap().modified().unwrap();
    assert!(until_drained(home, &upstream).status.success());
    assert_eq!(std::fs::metadata(&written).unwrap().modified().unwrap(), first, "nothing is written again");
}

#[test]
fn resting_work_is_named_and_the_exit_code_is_1() {
    let (upstream, folder) = (upstream("50"), tempfile::tempdir().unwrap());
    let home = folder.path();
    block_on(async { HomeFixture::open(home).resting_rule().await });
    let output = until_drained(home, &upstream);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("it stopped before all work was done: raid 26 in difficulty 3 is paused until "), "{error}");
    assert!(error.contains("the site answered 403"), "{error}");
}

/// After a ban the site rests, while its rules stay due.
#[test]
fn a_site_that_rejected_discovery_is_named() {
    let (upstream, folder) = (upstream("50"), tempfile::tempdir().unwrap());
    let (home, site) = (folder.path(), upstream.setting("wcl_site_url"));
    succeed(home, &["wcl", "rules", "add", "--raid", "26", "--difficulty", "3,4", "--end-page", "20"]);
    let host = site.trim_start_matches("http://").trim_end_matches('/');
    block_on(async { HomeFixture::open(home).resting_upstream(&format!("{host}/zone/rankings")).await });
    let output = until_drained(home, &upstream);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains(&format!("it stopped before all work was done: {host}/zone/rankings is paused until ")),
        "{error}"
    );
    let counters: Value = upstream.counters();
    assert_eq!(counters["pages"].as_array().map(Vec::len), Some(0), "{counters}");
}

/// Nothing waits for a rule that the upstream refuses, but the fleet is not done either.
#[test]
fn a_rule_that_the_upstream_refuses_is_named() {
    let upstream = Upstream::start("warcraftlogs", &["--players", "50", "--window", "6", "--refuse", "26:4"]);
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    succeed(home, &["wcl", "rules", "add", "--raid", "26", "--difficulty", "3,4", "--end-page", "20"]);
    let output = until_drained(home, &upstream);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let expected = "it stopped before all work was done: raid 26 in difficulty 4 is paused until its rule is changed: ";
    assert!(error.contains(expected), "{error}");
    assert!(lines(home, "players") > 10, "what is not refused is fetched");
}
