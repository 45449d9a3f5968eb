//! Tests of `stint throttle`.

use std::sync::Arc;

use serde_json::json;
use stint_host::SystemClock;
use stint_mongo::{Mongo, MongoRecords, MongoSettings};

use crate::cloud::{Cloud, Emulator};
use crate::home_fixture::block_on;
use crate::program::Program;

#[test]
fn throttles_are_set_paused_and_shown() {
    let program = Program::new();
    assert_eq!(
        program.succeed(&["throttle", "set", "wcl/rank-fetcher", "8"]),
        "warcraftlogs/rank-fetcher: concurrency 8\n"
    );
    program.succeed(&["throttle", "pause", "wcl/discover"]);
    insta::assert_snapshot!(program.redact(&program.succeed(&["throttle"])));
    let shown = program.json(&["throttle", "show"]);
    assert_eq!(shown["workers"][0]["effective"], 0);
    assert_eq!(shown["workers"][2]["set"], 8);
    assert_eq!(program.succeed(&["throttle", "resume", "wcl/discover"]), "warcraftlogs/discover: concurrency 1\n");
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
fn an_unknown_worker_is_an_error_that_names_the_known_ones() {
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
fn a_concurrency_for_a_scheduled_worker_is_a_warning() {
    let ran = Program::new().run(&["throttle", "set", "wcl/discover", "0"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("pause it"), "{}", ran.stderr);
}

/// A program for `poe-stashes` as it is deployed: with a bucket for its pages, and without MongoDB and wake-ups.
pub(crate) fn deployed(emulator: &Emulator) -> Program {
    let bucket = emulator.queue("pages");
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    block_on(emulator.request("s3", "PUT", &format!("/{bucket}"), "", place)).unwrap();
    let is_needed = |name: &str| !["STINT_AWS_SCHEDULER_ROLE", "STINT_AWS_SCHEDULE_GROUP"].contains(&name);
    let settings = [emulator.places(), emulator.settings()].concat();
    let settings = settings.iter().filter(|(name, _)| is_needed(name));
    let program = settings.fold(Program::new(), |program, (name, value)| program.with(name, value));
    program.with("POE_BLOBS", &format!("s3://{bucket}/pages"))
}

/// The state of its throttles is in the bucket of its pages.
#[test]
fn a_fleet_without_mongodb_is_throttled_on_aws_without_it() {
    let Some(Cloud { emulator, .. }) = Cloud::find() else { return };
    let program = deployed(&emulator);
    let paused = program.succeed(&["throttle", "pause", "poe/watcher"]);
    assert!(paused.starts_with("poe-stashes/watcher is paused; resume it with"), "{paused}");
    let shown = || program.json(&["throttle", "show", "poe/watcher"])["workers"][0].clone();
    let [fleet, worker] = ["fleet", "worker"].map(|field| shown()[field].clone());
    assert_eq!((fleet, worker, shown()["paused"].clone()), ("poe-stashes".into(), "watcher".into(), true.into()));
    program.succeed(&["throttle", "resume", "poe/watcher"]);
    assert_eq!(shown()["paused"], false);
    assert!(program.fail(&["throttle", "pause", "wcl/discover"]).contains("MONGODB_URI is not set"));
    assert!(!program.home().exists());
}

#[test]
fn a_pause_on_aws_reaches_the_function_of_the_worker_or_fails_with_its_name() {
    let Some(Cloud { emulator, .. }) = Cloud::find() else { return };
    let program = deployed(&emulator);
    let error = program.fail(&["throttle", "pause", "poe-stashes/follower"]);
    assert!(error.contains(&emulator.queue("poe-stashes-follower")), "{error}");
    let paused = || program.json(&["throttle", "show", "poe/follower"])["workers"][0]["paused"].clone();
    assert_eq!(paused(), false, "what the function did not hear is not shown");
    let mappings = block_on(async {
        emulator.create_role().await;
        let mut mappings = Vec::new();
        for (fleet, queue) in [("poe-stashes", "poe-chain"), ("other", "others")] {
            emulator.create_queue(&emulator.queue(queue), json!({})).await;
            mappings.push(emulator.create_mapping(fleet, "follower", queue).await);
        }
        mappings
    });
    let enabled = |mapping: &str| block_on(emulator.is_enabled(mapping));
    // The mappings of a deployment begin disabled here, and a number enables the one of its worker.
    program.succeed(&["throttle", "resume", "poe-stashes/follower"]);
    program.succeed(&["throttle", "set", "poe-stashes/follower", "2"]);
    assert_eq!((enabled(&mappings[0]), enabled(&mappings[1])), (true, false), "the other fleet's function is another");
    program.succeed(&["throttle", "pause", "poe-stashes/follower"]);
    assert_eq!((enabled(&mappings[0]), paused()), (false, true.into()));
}

/// Earlier versions stored it under the worker's name alone.
#[test]
fn the_throttle_of_an_earlier_version_is_known() {
    let Some(Cloud { emulator, database }) = Cloud::find() else { return };
    let settings = [emulator.places(), emulator.settings()].concat();
    let program = settings.iter().fold(Program::new(), |program, (name, value)| program.with(name, value));
    let program = program.with("MONGODB_URI", &database);
    // A client lives no longer than the runtime that it was made in, so each block connects anew.
    let records = || async {
        let settings = MongoSettings {
            mongodb_uri: Some(database.clone().into()),
            mongodb_database: Some(emulator.queue("").trim_end_matches('-').to_owned()),
            mongodb_pool_size: None,
        };
        MongoRecords::new(&Mongo::connect(&settings, Arc::new(SystemClock)).await.unwrap(), "throttles")
    };
    let record = json!({ "version": 7, "written": { "concurrency": 5, "paused": true }, "intent": null });
    assert!(block_on(async { records().await.replace("discover", 0, &record).await.unwrap() }));
    let shown = || program.json(&["throttle", "show", "wcl/discover"])["workers"][0].clone();
    assert_eq!((&shown()["set"], &shown()["paused"]), (&5.into(), &true.into()));
    program.succeed(&["throttle", "resume", "wcl/discover"]);
    assert_eq!((&shown()["set"], &shown()["paused"]), (&5.into(), &false.into()));
    // A function of the earlier version that still runs knows of it too.
    let told = block_on(async { records().await.load::<serde_json::Value>("discover").await }).unwrap().unwrap().1;
    assert_eq!(told["written"]["paused"], false, "{told}");
}
