//! Runs `stint up` with its queues on SQS, and its key pool and stores on MongoDB. The whole fleet runs in one process,
//! which is killed once and stopped at the end.

use std::time::Duration;

use serde_json::Value;

use crate::cloud::Cloud;
use crate::lambda_stage::{Stage, clock, run};
use crate::up::Up;

/// Messages that a killed process had received are visible again after this time.
const VISIBILITY_SECONDS: &str = "6";

/// The time between two looks while a test waits.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

fn start(stage: &Stage, name: &str) -> Up {
    let mut command = stage.command(&["up", "--json"]);
    command.env("STINT_LOG", "info");
    Up::start(command, stage.file(name))
}

/// Runs a worker by hand, in another process with the same settings.
fn by_hand(stage: &Stage, worker: &str) -> Value {
    let ran = stage.stint(&["run", &format!("wcl/{worker}"), "--json"]);
    let ran: Value = serde_json::from_str(&ran).unwrap();
    ran["report"].clone()
}

#[test]
fn up_takes_the_fleet_from_discovery_to_databases_on_sqs_and_mongodb() {
    let Some(cloud) = Cloud::find() else { return };
    let own = [
        ("STINT_QUEUES", "sqs".to_owned()),
        ("STINT_KEY_POOL", "mongo".to_owned()),
        ("STINT_STORES", "mongo".to_owned()),
        ("MONGODB_URI", cloud.database.clone()),
        ("WCL_VISIBILITY_SECONDS", VISIBILITY_SECONDS.to_owned()),
    ];
    let settings = [cloud.emulator.places(), own.to_vec()].concat();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stage = Stage::set("240", &settings);
    run(async {
        cloud.emulator.create_queues().await;
        stage.add_rules("3");
        stage.stint(&["throttle", "pause", "wcl/aggregator"]);
        let mut up = start(&stage, "first.log");
        up.says("discover is done").await;
        let discovered = stage.ids("discovers");
        assert!(discovered.len() > 50, "only {} players were discovered", discovered.len());
        // The aggregator was woken but is paused, so the discovered players are still visible.
        stage.stint(&["throttle", "resume", "wcl/aggregator"]);
        let queued = by_hand(&stage, "aggregator");
        assert_eq!(queued["queued"], discovered.len(), "{queued}");
        while stage.ids("players").is_empty() {
            clock().sleep(LOOK_AGAIN).await;
        }
        drop(up);
        let up = start(&stage, "second.log");
        let (ranked, dropped) = loop {
            let (ranked, dropped) = (stage.ids("players"), stage.ids("dropped"));
            if discovered.iter().all(|id| ranked.contains(id) || dropped.contains(id)) {
                break (ranked, dropped);
            }
            clock().sleep(LOOK_AGAIN).await;
        };
        let report = up.stop().await;
        assert_eq!(report["drained"], true, "{report}");
        assert_eq!(ranked.len() + dropped.len(), discovered.len());
        let generated = by_hand(&stage, "db-generator");
        let regions = generated["regions"].as_array().unwrap().iter();
        let in_databases: u64 = regions.map(|region| region["players"].as_u64().unwrap()).sum();
        assert_eq!(in_databases, ranked.len() as u64, "{generated}");
    });
    let queues: Value = serde_json::from_str(&stage.stint(&["queue", "list", "--json"])).unwrap();
    let queue = &queues["queues"][0];
    assert_eq!((&queue["in_flight"], &queue["dead"]), (&0.into(), &0.into()), "{queues}");
    let books: Value = stage.upstream.books();
    assert_eq!((books["overspent"].as_f64(), books["refused_calls"].as_u64()), (Some(0.0), Some(0)), "{books}");
}
