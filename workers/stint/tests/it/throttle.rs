//! Tests of `stint throttle`.

use crate::cloud::Cloud;
use crate::program::Program;
use crate::world::block_on;

#[test]
fn throttles_are_set_paused_and_shown() {
    let program = Program::new();
    assert_eq!(program.succeed(&["throttle", "set", "wcl/rank-fetcher", "8"]), "rank-fetcher runs 8 at once\n");
    program.succeed(&["throttle", "pause", "wcl/discover"]);
    insta::assert_snapshot!(program.redact(&program.succeed(&["throttle"])));
    let shown = program.json(&["throttle", "show"]);
    assert_eq!(shown["workers"][0]["effective"], 0);
    assert_eq!(shown["workers"][2]["set"], 8);
    assert_eq!(program.succeed(&["throttle", "resume", "wcl/discover"]), "discover runs 1 at once\n");
}

/// On AWS, a throttle is an event source mapping, which the discovery worker may not change.
#[test]
fn only_workers_that_plan_the_budget_set_a_throttle() {
    let program = Program::new().with("WCL_KEYS", "key-1:secret");
    // Nothing listens at this address.
    let program = program.with("WCL_API_URL", "http://127.0.0.1:1/").with("WCL_TOKEN_URL", "http://127.0.0.1:1/");
    let set = || program.json(&["throttle", "show"])["workers"][2]["set"].clone();
    program.run(&["run", "wcl/discover"]);
    assert_eq!(set(), serde_json::Value::Null);
    program.run(&["run", "wcl/reviver"]);
    // The reviver sets the number, although the API cannot be reached.
    assert!(set().is_u64());
}

#[test]
fn an_unknown_worker_is_answered_with_the_known_ones() {
    let ran = Program::new().run(&["throttle", "pause", "wcl/rank-fetch"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .contains("there is no worker 'wcl/rank-fetch'; there are wcl/discover, wcl/aggregator, wcl/rank-fetcher"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_number_for_a_worker_by_schedule_is_answered_with_what_helps() {
    let ran = Program::new().run(&["throttle", "set", "wcl/discover", "0"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("pause it"), "{}", ran.stderr);
}

/// The state of its throttles is in the bucket of its pages.
#[test]
fn a_fleet_that_keeps_nothing_in_mongodb_is_steered_on_aws_without_it() {
    let Some(Cloud { emulator, .. }) = Cloud::find() else { return };
    let bucket = emulator.queue("pages");
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    block_on(emulator.request("s3", "PUT", &format!("/{bucket}"), "", place)).unwrap();
    let settings = [emulator.places(), emulator.settings()].concat();
    let program = settings.iter().fold(Program::new(), |program, (name, value)| program.with(name, value));
    let program = program.with("POE_BLOBS", &format!("s3://{bucket}/pages"));
    assert!(program.succeed(&["throttle", "pause", "poe/watcher"]).starts_with("watcher is paused; end it with"));
    let shown = || program.json(&["throttle", "show", "poe/watcher"])["workers"][0].clone();
    assert_eq!((&shown()["worker"], &shown()["paused"]), (&"watcher".into(), &true.into()));
    program.succeed(&["throttle", "resume", "poe/watcher"]);
    assert_eq!(shown()["paused"], false);
    assert!(program.fail(&["throttle", "pause", "wcl/discover"]).contains("MONGODB_URI is not set"));
    assert!(!program.home().exists());
}
