//! The real bootstrap on AWS's services and MongoDB: an emulator and a server that `STINT_AWS_EMULATOR_URL` and
//! `MONGODB_URI` name, both processes of their own. Nothing is shared but what they keep.
//!
//! What the emulator cannot do, the test does: it calls the functions as schedules would, and is the event source
//! mapping, which it asks the emulator's control plane about before each batch.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use stint_core::clock::{Clock, to_millis};
use stint_host::SystemClock;
use stint_runtime_api::Source;
use stint_warcraftlogs::message::{QUEUE, REFRESH_QUEUE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::lambda_stage::{Stage, Workers, check, run};

const REGION: &str = "eu-west-1";

/// The emulator's own account.
const ACCOUNT: &str = "123456789012";

/// The visibility timeout of the stage's settings.
const VISIBILITY: Duration = Duration::from_secs(30);

/// The emulator, spoken to as AWS's own tools would, by hand: an SDK is the adapters' matter.
#[derive(Clone)]
struct Emulator {
    host: String,
    prefix: String,
}

impl Emulator {
    async fn request(&self, service: &str, method: &str, path: &str, headers: &str, body: &str) -> Value {
        let scope =
            format!("Credential=test/20261120/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let mut connection = TcpStream::connect(&self.host).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{service} {path}: {answer}");
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    async fn json(&self, service: &str, target: &str, body: Value) -> Value {
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let headers = format!("Content-Type: application/x-amz-json-{version}\r\nX-Amz-Target: {target}\r\n");
        self.request(service, "POST", "/", &headers, &body.to_string()).await
    }

    fn queue(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn function(&self, worker: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}-{worker}", self.prefix)
    }

    /// What Terraform makes, as far as the emulator knows it. Answers the id of the rank fetcher's mapping.
    async fn deploy(&self, keys: &str, database: &str) -> String {
        for queue in [QUEUE, REFRESH_QUEUE] {
            let (live, dead) = (self.queue(queue), format!("{}-dead-letters", self.queue(queue)));
            self.json("sqs", "AmazonSQS.CreateQueue", json!({ "QueueName": dead })).await;
            let policy = json!({ "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}"), "maxReceiveCount": 5 });
            let attributes = json!({ "RedrivePolicy": policy.to_string() });
            self.json("sqs", "AmazonSQS.CreateQueue", json!({ "QueueName": live, "Attributes": attributes })).await;
        }
        for (name, value) in [("WCL_KEYS", keys), ("MONGODB_URI", database)] {
            let parameter = json!({ "Name": self.secret(name), "Value": value, "Type": "SecureString" });
            self.json("ssm", "AmazonSSM.PutParameter", parameter).await;
        }
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let role =
            format!("Action=CreateRole&RoleName={}&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08", self.prefix);
        self.request("iam", "POST", "/", form, &role).await;
        let group = format!("/schedule-groups/{}", self.prefix);
        self.request("scheduler", "POST", &group, "Content-Type: application/json\r\n", "{}").await;
        self.create_mapping().await
    }

    async fn create_mapping(&self) -> String {
        let content = "Content-Type: application/json\r\n";
        // The code is a zip archive with nothing in it, in base64.
        let function = json!({
            "FunctionName": format!("{}-rank-fetcher", self.prefix), "Runtime": "provided.al2023", "Handler": "bootstrap",
            "Role": self.role(), "Code": { "ZipFile": format!("UEsFBg{}", "A".repeat(24) + "==") },
        });
        self.request("lambda", "POST", "/2015-03-31/functions", content, &function.to_string()).await;
        // Disabled: the emulator would take the messages of an enabled one, and the functions run here.
        let mapping = json!({
            "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.queue(QUEUE)),
            "FunctionName": self.function("rank-fetcher"), "BatchSize": 5, "Enabled": false,
        });
        let path = "/2015-03-31/event-source-mappings/";
        let mapping = self.request("lambda", "POST", path, content, &mapping.to_string()).await;
        mapping["UUID"].as_str().unwrap().to_owned()
    }

    fn secret(&self, name: &str) -> String {
        format!("/{}/{name}", self.prefix)
    }

    fn role(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/{}", self.prefix)
    }

    /// What Terraform sets for every function.
    fn settings(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", url.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("MONGODB_DATABASE", self.prefix.clone()),
            ("STINT_PROFILE", "aws".to_owned()),
            ("STINT_AWS_QUEUE", self.queue("{}")),
            ("STINT_AWS_DEAD_LETTERS", format!("{}-dead-letters", self.queue("{}"))),
            ("STINT_AWS_FUNCTION", self.function("{}")),
            ("STINT_AWS_SCHEDULE_GROUP", self.prefix.clone()),
            ("STINT_AWS_SCHEDULER_ROLE", self.role()),
        ]
    }
}

/// The rank fetcher's queue, and the mapping that leads from it.
struct Mapped {
    emulator: Emulator,
    url: String,
    mapping: String,
}

impl Mapped {
    async fn new(emulator: &Emulator, mapping: String) -> Mapped {
        let name = json!({ "QueueName": emulator.queue(QUEUE) });
        let url = emulator.json("sqs", "AmazonSQS.GetQueueUrl", name).await;
        let url = url["QueueUrl"].as_str().unwrap().to_owned();
        Mapped { emulator: emulator.clone(), url, mapping }
    }
}

#[async_trait]
impl Source for Mapped {
    async fn receive(&self, max: usize) -> Vec<Value> {
        let ask = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": max, "AttributeNames": ["All"],
            "VisibilityTimeout": VISIBILITY.as_secs(),
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
            self.emulator.json("sqs", "AmazonSQS.DeleteMessage", done).await;
        }
    }

    async fn concurrency(&self) -> u32 {
        let path = format!("/2015-03-31/event-source-mappings/{}", self.mapping);
        let mapping = self.emulator.request("lambda", "GET", &path, "", "").await;
        let most = mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(0);
        if mapping["State"] == "Enabled" { most as u32 } else { 0 }
    }
}

/// The emulator and the database, or why the test is passed over.
fn servers() -> Result<(String, String), &'static str> {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let variable = |name| std::env::var(name).ok();
    let emulator = variable("STINT_AWS_EMULATOR_URL").ok_or("STINT_AWS_EMULATOR_URL names no emulator")?;
    let database = variable("MONGODB_URI").ok_or("MONGODB_URI names no MongoDB")?;
    Ok((emulator.trim_end_matches('/').to_owned(), database))
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever reads a test's output learns what it could not do")]
fn the_whole_fleet_runs_as_functions_on_aws_and_mongodb() {
    let (url, database) = match servers() {
        Ok(servers) => servers,
        Err(reason) => return eprintln!("passed over: {reason}; scripts/test starts one"),
    };
    let prefix = format!("t{}", to_millis(SystemClock.now()));
    let emulator = Emulator { host: url.trim_start_matches("http://").to_owned(), prefix };
    let settings = emulator.settings(&url);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The operator has the address of the database; the functions read it from SSM, and the keys too.
    let operators = [("MONGODB_URI", database.as_str())];
    let stage = Stage::set("120", &[&settings[..], &operators].concat());
    let secrets = ["WCL_KEYS", "MONGODB_URI"].map(|name| emulator.secret(name)).join(",");
    let stage = stage.with_secrets(&["WCL_KEYS", "MONGODB_URI"], &secrets);
    run(async {
        let mapping = emulator.deploy(stage.upstream.setting("wcl_keys"), &database).await;
        let source = Mapped::new(&emulator, mapping).await;
        let workers = Workers::of(&stage);
        let ended = stage.play(&workers, source).await;
        check(&stage, &ended);
        assert!(!stage.home().join("queues.db").exists(), "nothing is kept in files");
        report_memory(&workers);
        workers.terminate().await;
    });
}

#[expect(clippy::print_stderr, reason = "a figure for whoever looks; scripts/bench lambda measures")]
fn report_memory(workers: &Workers) {
    for (name, function) in [("rank-fetcher", &workers.rank_fetcher), ("db-generator", &workers.db_generator)] {
        eprintln!("{name}: {} MB resident after its work", function.resident_kb() / 1024);
    }
}
