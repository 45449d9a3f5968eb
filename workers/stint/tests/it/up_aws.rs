//! Runs `stint up` with its queues on SQS, and its key pool and stores on MongoDB. The whole fleet runs in one process,
//! which is killed once and stopped at the end.

use std::time::Duration;

use serde_json::Value;

use crate::cloud::Cloud;
use crate::lambda_fleet::{LambdaFleet, clock, run};
use crate::up::Up;

/// Messages that a killed process had received are visible again after this time.
const VISIBILITY_SECONDS: &str = "6";

/// The time between two looks while a test waits.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

fn start(fleet: &LambdaFleet, name: &str) -> Up {
    let mut command = fleet.command(&["up", "--json"]);
    command.env("STINT_LOG", "info");
    Up::start(command, fleet.file(name))
}

/// Runs a worker by hand, in another process with the same settings.
fn by_hand(fleet: &LambdaFleet, worker: &str) -> Value {
    let ran = fleet.stint(&["run", &format!("wcl/{worker}"), "--json"]);
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
    let fleet = LambdaFleet::start("240", &settings);
    run(async {
        cloud.emulator.create_queues().await;
        fleet.add_rules("3");
        fleet.stint(&["throttle", "pause", "wcl/aggregator"]);
        let mut up = start(&fleet, "first.log");
        up.says("discover is done").await;
        let discovered = fleet.ids("discovers");
        assert!(discovered.len() > 50, "only {} players were discovered", discovered.len());
        // The aggregator was woken but is paused, so the discovered players are still visible.
        fleet.stint(&["throttle", "resume", "wcl/aggregator"]);
        let queued = by_hand(&fleet, "aggregator");
        assert_eq!(queued["queued"], discovered.len(), "{queued}");
        while fleet.ids("players").is_empty() {
            clock().sleep(LOOK_AGAIN).await;
        }
        drop(up);
        let up = start(&fleet, "second.log");
        let (ranked, dropped) = loop {
            let (ranked, dropped) = (fleet.ids("players"), fleet.ids("dropped"));
            if discovered.iter().all(|id| ranked.contains(id) || dropped.contains(id)) {
                break (ranked, dropped);
            }
            clock().sleep(LOOK_AGAIN).await;
        };
        let report = up.stop().await;
        assert_eq!(report["drained"], true, "{report}");
        assert_eq!(ranked.len() + dropped.len(), discovered.len());
        let generated = by_hand(&fleet, "db-generator");
        let regions = generated["regions"].as_array().unwrap().iter();
        let in_databases: u64 = regions.map(|region| region["players"].as_u64().unwrap()).sum();
        assert_eq!(in_databases, ranked.len() as u64, "{generated}");
    });
    let queues: Value = serde_json::from_str(&fleet.stint(&["queue", "list", "--json"])).unwrap();
    let queue = &queues["queues"][0];
    assert_eq!((&queue["in_flight"], &queue["dead"]), (&0.into(), &0.into()), "{queues}");
    let counters: Value = fleet.upstream.counters();
    assert_eq!(
        (counters["overspent"].as_f64(), counters["refused_calls"].as_u64()),
        (Some(0.0), Some(0)),
        "{counters}"
    );
}
