//! Tests of the `poe-stashes` fleet as a user runs it, with the real binary.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;
use stint_standins::poe_stashes::Counters;

use crate::lambda_fleet::run;
use crate::program::Program;
use crate::up::Up;
use crate::upstream::{Upstream, stint};

/// These arguments and these fields are promised to users. Settings in the environment are ignored, because they refer
/// to another river.
#[test]
fn a_demo_follows_the_river_and_loses_nothing() {
    let program = Program::new().with("POE_REALM", "sony").with("POE_MAX_BODY", "1024").with("WCL_KEYS", "a:b,a:c");
    let ran = program.run(&["demo", "poe-stashes", "--pages", "60", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let fields = |group: &str| report[group].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let names: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(names, ["bytes", "chain", "limits", "look_ahead", "pages", "wall_seconds"]);
    assert_eq!(fields("pages"), ["fetched", "lost", "stored"]);
    assert_eq!(fields("chain"), ["gaps", "lag_seconds"]);
    assert_eq!(fields("limits"), ["client_errors", "requests", "utilisation"]);
    assert_eq!(fields("look_ahead"), ["body", "header", "peek"]);
    assert_eq!(fields("bytes"), ["raw", "stored"]);
    let count = |group: &str, name: &str| report[group][name].as_u64().unwrap();
    assert!(count("pages", "fetched") >= 60);
    assert_eq!((count("pages", "lost"), count("chain", "gaps"), count("limits", "client_errors")), (0, 0, 0));
    assert_eq!(count("pages", "stored"), count("pages", "fetched"));
    assert!(count("bytes", "stored") * 4 < count("bytes", "raw"), "{report}");
}

/// Returns the program, with settings that point it at the stand-in.
fn at(home: &Path, upstream: &Upstream) -> Command {
    let mut stint = stint(home);
    for name in ["poe_client_id", "poe_client_secret", "poe_contact", "poe_api_url", "poe_token_url", "poe_head_url"] {
        stint.env(name.to_uppercase(), upstream.setting(name));
    }
    stint.env("POE_START", "beginning");
    stint
}

/// Returns `stint up` with these settings.
pub(crate) fn up(home: &Path, upstream: &Upstream) -> Command {
    let mut up = at(home, upstream);
    up.args(["up", "poe-stashes", "--json"]);
    up
}

fn start(program: &Program, upstream: &Upstream) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut up = up(&program.home(), upstream);
    let mut up = up.env("STINT_LOG", "debug").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(up.stderr.take().unwrap()).lines();
    (up, log)
}

/// Runs until this many pages are indexed, sends SIGTERM, and waits until it has drained.
fn run_until_indexed(program: &Program, upstream: &Upstream, batches: usize) {
    let (mut up, log) = start(program, upstream);
    let mut log = log.map(Result::unwrap);
    let indexed = log.by_ref().filter(|line| line.contains("indexer is done")).take(batches).count();
    assert_eq!(indexed, batches, "stint up ended by itself");
    assert!(Command::new("kill").arg("-TERM").arg(up.id().to_string()).status().unwrap().success());
    let rest: Vec<String> = log.collect();
    assert_eq!(up.wait().unwrap().code(), Some(0), "{rest:?}");
}

#[test]
fn a_stopped_fleet_continues_where_it_was() {
    let upstream = Upstream::start("poe-stashes", &["--rate", "20:1:60", "--page", "10", "--latency", "10"]);
    let program = Program::new();
    run_until_indexed(&program, &upstream, 3);
    let chain = || program.json(&["status"])["fleets"][0].clone();
    let first = chain();
    assert_eq!(first["fleet"], "poe-stashes");
    assert_eq!((&first["chain"]["open"], &first["chain"]["followed_until"]), (&Value::Array(vec![]), &Value::Null));
    run_until_indexed(&program, &upstream, 3);
    let second = chain();
    let total = |status: &Value, name: &str| status["totals"][name].as_u64().unwrap();
    assert!(total(&second, "stored") > total(&first, "stored"));
    assert_eq!(total(&second, "stored"), total(&second, "fetched"));
    assert_eq!((total(&second, "client_errors"), total(&second, "lost")), (0, 0));
    let text = program.succeed(&["status"]);
    assert!(text.contains("no follower is at work") && text.contains("is `stint up poe-stashes` running?"));
}

/// The page is not stored before the process ends, whichever process started it.
#[test]
fn a_follower_run_by_hand_stores_its_open_pages_when_it_is_stopped() {
    let slow = ["--rate", "20:1:60", "--latency", "10", "--bytes-per-second", "60000"];
    let upstream = Upstream::start("poe-stashes", &slow);
    let program = Program::new();
    std::fs::create_dir(program.home()).unwrap();
    run(async {
        let mut follower = at(&program.home(), &upstream);
        follower.args(["run", "poe/follower", "--json"]);
        let mut follower = Up::start(follower, program.home().join("log"));
        follower.until(async |_| upstream.counters::<Counters>().page_requests > 3).await;
        let ended = follower.stop().await;
        assert!(ended["report"]["stored"].as_u64() > Some(0), "{ended}");
    });
    let chain = &program.json(&["status"])["fleets"][0]["chain"];
    assert_eq!((&chain["open"], &chain["followed_until"]), (&Value::Array(vec![]), &Value::Null), "{chain}");
}

#[test]
fn a_chain_that_was_stopped_is_not_drained() {
    let upstream = Upstream::start("poe-stashes", &[]);
    let program = Program::new();
    let mut up = up(&program.home(), &upstream);
    let ended = up.env("POE_CLIENT_SECRET", "another").arg("--until-drained").output().unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{error}");
    assert!(error.contains("error: it stopped before all work was done: poe-stashes: "), "{error}");
}

#[test]
fn missing_settings_are_named_before_anything_is_done() {
    let program = Program::new();
    let error = program.fail(&["up", "poe-stashes"]);
    assert!(error.contains("POE_CLIENT_ID is not set: the follower needs a confidential client"), "{error}");
    assert!(!program.home().exists());
    let error = program.fail(&["up"]);
    assert!(error.contains("WCL_KEYS is not set") && error.contains("POE_CLIENT_ID is not set"), "{error}");
    let by_alias = program.fail(&["up", "poe"]);
    assert!(by_alias.contains("POE_CLIENT_ID is not set") && !by_alias.contains("WCL_KEYS"), "{by_alias}");
    let unknown = program.run(&["up", "poe2"]);
    let expected = "there is no fleet 'poe2'; the available fleets are warcraftlogs, poe-stashes";
    assert!(unknown.code == 2 && unknown.stderr.contains(expected), "{unknown:?}");
}
