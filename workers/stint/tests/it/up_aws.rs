//! `stint up` with its queues on SQS, and its key pool and stores on MongoDB: the whole fleet in one process, which is
//! killed once on the way and stopped in the end.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, between};
use stint_host::SystemClock;

use crate::cloud::Cloud;
use crate::lambda_stage::{Stage, clock, run};

/// What a killed process held comes back after that.
const VISIBILITY_SECONDS: &str = "6";

/// The host waits up to ten seconds at an idle queue, and is not to be late by much.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);

/// Between two looks at what a test waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// `stint up`, killed if the test ends before it does. What it says goes to a file.
struct Up {
    process: Child,
    log: std::path::PathBuf,
}

impl Up {
    fn start(stage: &Stage, name: &str) -> Up {
        let log = stage.file(name);
        let mut command = stage.command(&["up", "--json"]);
        command.env("STINT_LOG", "info").stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        Up { process: command.spawn().unwrap(), log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Completes when something is in the log.
    async fn says(&mut self, words: &str) {
        while !self.log().contains(words) {
            assert!(self.process.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            clock().sleep(LOOK_AGAIN).await;
        }
    }

    /// Sends SIGTERM, and answers what it reports in the end.
    async fn stop(mut self) -> Value {
        let signalled = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(signalled.unwrap().success());
        let begun = SystemClock.now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            clock().sleep(LOOK_AGAIN).await;
        };
        let took = between(begun, SystemClock.now());
        assert!(status.success() && took < DRAINED_WITHIN, "{status} after {took:?}: {}", self.log());
        serde_json::from_reader(self.process.stdout.take().unwrap()).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a worker by hand: another process with the same settings.
fn by_hand(stage: &Stage, worker: &str) -> Value {
    let ran = stage.stint(&["run", "warcraftlogs", worker, "--json"]);
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
        let mut up = Up::start(&stage, "first.log");
        up.says("discover is done").await;
        let discovered = stage.ids("discovers");
        assert!(discovered.len() > 50, "only {} players were discovered", discovered.len());
        // Its hour is three hours away.
        let queued = by_hand(&stage, "aggregator");
        assert_eq!(queued["queued"], discovered.len(), "{queued}");
        while stage.ids("players").is_empty() {
            clock().sleep(LOOK_AGAIN).await;
        }
        drop(up);
        let up = Up::start(&stage, "second.log");
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
    let books = stage.upstream.books();
    assert_eq!((books["overspent"].as_f64(), books["refused_calls"].as_u64()), (Some(0.0), Some(0)), "{books}");
}
