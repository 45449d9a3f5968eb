//! Runs the real bootstrap on AWS services and MongoDB: an emulator and a server, in separate processes. The functions
//! share only what these two store.
//!
//! The test does what the emulator cannot: it calls the functions as schedules would, and acts as the event source
//! mapping, whose state it reads from the emulator's control plane before each batch.

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use serde_json::{Value, json};
use stint_runtime_api::{ProcessFunction, Source};
use stint_warcraftlogs::message::QUEUE;

use crate::cloud::{Cloud, Emulator};
use crate::lambda_fleet::{LambdaFleet, Workers, check, clock, run, tick};
use crate::unreliable_source::UnreliableSource;

/// The visibility time-out of a message, except where the fleet's settings say otherwise.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(30);

/// The visibility time-out in tests that kill functions. Messages that a killed function had received are visible again
/// after it.
const SHORT_VISIBILITY: Duration = Duration::from_secs(6);

/// How often a rank fetcher is killed while it works. After five receives a message is dead-lettered.
const KILLS: u32 = 8;

/// The time between two kills. Some processes are killed as they start, others as they finish.
const KILL_AGAIN: Duration = Duration::from_millis(433);

/// The rank fetcher's queue, and the mapping that reads from it.
pub(crate) struct Mapped {
    emulator: Emulator,
    url: String,
    mapping: String,
    visibility: Duration,
}

impl Mapped {
    async fn new(emulator: &Emulator, mapping: String, visibility: Duration) -> Mapped {
        let name = json!({ "QueueName": emulator.queue(QUEUE) });
        let url = emulator.json("sqs", "AmazonSQS.GetQueueUrl", name).await;
        let url = url["QueueUrl"].as_str().unwrap().to_owned();
        Mapped { emulator: emulator.clone(), url, mapping, visibility }
    }
}

#[async_trait]
impl Source for Mapped {
    async fn receive(&self, max: usize) -> Vec<Value> {
        let ask = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": max, "AttributeNames": ["All"],
            "VisibilityTimeout": self.visibility.as_secs(),
        });
        let answer = self.emulator.json("sqs", "AmazonSQS.ReceiveMessage", ask).await;
        let record = |message: &Value| {
            json!({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": message["Attributes"], "eventSource": "aws:sqs",
            })
        };
        answer["Messages"].as_array().into_iter().flatten().map(record).collect()
    }

    async fn delete(&self, records: Vec<Value>) {
        for record in records {
            let done = json!({ "QueueUrl": self.url, "ReceiptHandle": record["receiptHandle"] });
            // The message is gone already, or another receiver has it.
            let _ = self.emulator.ask("sqs", "AmazonSQS.DeleteMessage", done).await;
        }
    }

    async fn concurrency(&self) -> u32 {
        let path = format!("/2015-03-31/event-source-mappings/{}", self.mapping);
        let mapping = self.emulator.request("lambda", "GET", &path, "", "").await.unwrap();
        let most = mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(0);
        if mapping["State"] == "Enabled" { most as u32 } else { 0 }
    }
}

/// Returns a fleet whose functions have the settings of a deployment and read their secrets from SSM.
pub(crate) fn lambda_fleet(cloud: &Cloud, visibility: Duration) -> LambdaFleet {
    lambda_fleet_with(cloud, visibility, &[])
}

/// The same, with further settings.
pub(crate) fn lambda_fleet_with(cloud: &Cloud, visibility: Duration, further: &[(&'static str, &str)]) -> LambdaFleet {
    let emulator = &cloud.emulator;
    let visibility = ("WCL_VISIBILITY_SECONDS", visibility.as_secs().to_string());
    // The operator has the address of the database. The functions read it from SSM, and the keys too.
    let operators = ("MONGODB_URI", cloud.database.clone());
    let further = further.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let settings = [emulator.places(), emulator.settings(), vec![visibility, operators], further].concat();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let secrets = ["WCL_KEYS", "MONGODB_URI"].map(|name| emulator.secret(name)).join(",");
    LambdaFleet::start("120", &settings).with_secrets(&["WCL_KEYS", "MONGODB_URI"], &secrets)
}

pub(crate) async fn deploy(cloud: &Cloud, fleet: &LambdaFleet, visibility: Duration) -> Mapped {
    let mapping = cloud.emulator.deploy(fleet.upstream.setting("wcl_keys"), &cloud.database).await;
    Mapped::new(&cloud.emulator, mapping, visibility).await
}

#[test]
fn the_whole_fleet_runs_as_functions_on_aws_and_mongodb() {
    let Some(cloud) = Cloud::find() else { return };
    let fleet = lambda_fleet(&cloud, VISIBILITY);
    run(async {
        let source = deploy(&cloud, &fleet, VISIBILITY).await;
        let workers = Workers::of(&fleet);
        let ended = fleet.run_to_databases(&workers, source).await;
        check(&fleet, &ended);
        assert_eq!(ended.polled.failed_batches, 0, "{:?}: {:#?}", ended.polled, ended.log);
        assert!(!fleet.home().join("queues.db").exists(), "nothing is kept in files");
        report_memory(&workers);
        workers.terminate().await;
    });
}

/// Covers everything that SQS may do to a message, and everything that Lambda may do to a function.
#[test]
fn no_player_is_lost_under_duplicate_deliveries_and_kills() {
    let Some(cloud) = Cloud::find() else { return };
    let fleet = lambda_fleet(&cloud, SHORT_VISIBILITY);
    run(async {
        let source = UnreliableSource::new(deploy(&cloud, &fleet, SHORT_VISIBILITY).await, SHORT_VISIBILITY, clock());
        let workers = Workers::of(&fleet);
        kill_at_work(&workers.discover, tick("discover")).await;
        let kills = Cell::new(0);
        let played = Box::pin(fleet.run_to_databases(&workers, &source));
        // A fleet that finishes early is not killed any more.
        let ended = match select(played, Box::pin(kill_again_and_again(&workers.rank_fetcher, &kills))).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), played)) => played.await,
        };
        check(&fleet, &ended);
        assert!(kills.get() > 0, "no function was killed at work");
        assert!(ended.polled.failed_batches > 0, "{:?}", ended.polled);
        let done = source.done();
        assert!(done.twice > 10 && done.late > 10 && done.after_visibility > 5 && done.out_of_order > 10, "{done:?}");
        let dead = fleet.stint(&["queue", "list", "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&dead).unwrap()["queues"][0]["dead"], 0, "{dead}");
    });
}

/// Calls a function, and kills it once it has started to work. Its next invocation must find everything in order.
async fn kill_at_work(function: &ProcessFunction, event: Value) {
    let killed = async {
        while !function.kill().await {
            // Often enough not to miss a short invocation.
            clock().sleep(Duration::from_millis(2)).await;
        }
    };
    let (answer, ()) = futures::join!(function.invoke(event), killed);
    assert!(answer.is_err(), "{answer:?}");
}

/// Kills a function up to [`KILLS`] times while it works, and counts the kills.
async fn kill_again_and_again(function: &ProcessFunction, kills: &Cell<u32>) {
    while kills.get() < KILLS {
        kills.set(kills.get() + u32::from(function.kill().await));
        clock().sleep(KILL_AGAIN).await;
    }
}

#[expect(clippy::print_stderr, reason = "a figure for information; scripts/bench lambda measures")]
fn report_memory(workers: &Workers) {
    let all = [
        ("discover", &workers.discover),
        ("aggregator", &workers.aggregator),
        ("rank-fetcher", &workers.rank_fetcher),
        ("reviver", &workers.reviver),
        ("db-generator", &workers.db_generator),
    ];
    for (name, function) in all {
        eprintln!("{name}: {} MB resident after its work", function.resident_kb() / 1024);
    }
}
