//! An AWS emulator and a MongoDB server, both separate processes whose addresses are in `STINT_AWS_EMULATOR_URL` and
//! `MONGODB_URI`.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stint_core::clock::{Clock, to_millis};
use stint_host::SystemClock;
use stint_warcraftlogs::message::{QUEUE, REFRESH_QUEUE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REGION: &str = "eu-west-1";

/// The emulator's own account.
const ACCOUNT: &str = "123456789012";

/// The number of tests that have looked for the servers.
static TESTS: AtomicU32 = AtomicU32::new(0);

/// Both servers, with names in them that no other test uses.
pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
    /// The address of the MongoDB server.
    pub(crate) database: String,
}

impl Cloud {
    /// Returns the servers named in the environment; otherwise prints why the test is skipped.
    #[expect(clippy::print_stderr, reason = "a skipped test says why")]
    pub(crate) fn find() -> Option<Cloud> {
        #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
        let [url, database] = ["STINT_AWS_EMULATOR_URL", "MONGODB_URI"].map(|name| std::env::var(name).ok());
        let (Some(url), Some(database)) = (url, database) else {
            eprintln!("skipped: STINT_AWS_EMULATOR_URL and MONGODB_URI name no servers; scripts/test starts them");
            return None;
        };
        let url = url.trim_end_matches('/').to_owned();
        // Tests of one process may begin in the same millisecond.
        let prefix = format!("t{}-{}", to_millis(SystemClock.now()), TESTS.fetch_add(1, Ordering::Relaxed));
        Some(Cloud { emulator: Emulator { url, prefix }, database })
    }
}

/// A client of the emulator that sends requests by hand, as AWS's own tools would. The SDK is tested with the adapters.
#[derive(Clone)]
pub(crate) struct Emulator {
    url: String,
    prefix: String,
}

impl Emulator {
    /// Sends one request. A refusal is an error with the emulator's message.
    pub(crate) async fn request(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<Value, String> {
        let scope =
            format!("Credential=test/20261120/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let host = self.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let is_done = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        if is_done { Ok(serde_json::from_str(body).unwrap_or(Value::Null)) } else { Err(answer.clone()) }
    }

    /// Calls an operation that must succeed.
    pub(crate) async fn json(&self, service: &str, target: &str, body: Value) -> Value {
        self.ask(service, target, body).await.unwrap()
    }

    /// Calls an operation of a service with a JSON API.
    pub(crate) async fn ask(&self, service: &str, target: &str, body: Value) -> Result<Value, String> {
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let headers = format!("Content-Type: application/x-amz-json-{version}\r\nX-Amz-Target: {target}\r\n");
        self.request(service, "POST", "/", &headers, &body.to_string()).await
    }

    pub(crate) fn queue(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn function(&self, fleet: &str, worker: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}-{fleet}-{worker}", self.prefix)
    }

    /// Creates the fleet's queues as Terraform does.
    pub(crate) async fn create_queues(&self) {
        for queue in [QUEUE, REFRESH_QUEUE] {
            let (live, dead) = (self.queue(queue), format!("{}-dead-letters", self.queue(queue)));
            self.create_queue(&dead, json!({})).await;
            let policy = json!({ "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}"), "maxReceiveCount": 5 });
            let attributes = json!({ "RedrivePolicy": policy.to_string() });
            self.create_queue(&live, attributes).await;
        }
    }

    /// Creates a queue by its name in SQS.
    pub(crate) async fn create_queue(&self, name: &str, attributes: Value) {
        self.json("sqs", "AmazonSQS.CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
    }

    /// Creates everything that Terraform creates and the emulator supports. Returns the id of the rank fetcher's
    /// mapping.
    pub(crate) async fn deploy(&self, keys: &str, database: &str) -> String {
        self.create_queues().await;
        for (name, value) in [("WCL_KEYS", keys), ("MONGODB_URI", database)] {
            let parameter = json!({ "Name": self.secret(name), "Value": value, "Type": "SecureString" });
            self.json("ssm", "AmazonSSM.PutParameter", parameter).await;
        }
        self.create_role().await;
        let group = format!("/schedule-groups/{}", self.prefix);
        self.request("scheduler", "POST", &group, "Content-Type: application/json\r\n", "{}").await.unwrap();
        self.create_mapping(stint_warcraftlogs::FLEET, "rank-fetcher", QUEUE).await
    }

    /// Creates the recurring schedules of a fleet's workers, in a group of their own, as Terraform does.
    pub(crate) async fn create_schedules(&self, fleet: &str, schedules: &[(&str, &str, &str)]) {
        let content = "Content-Type: application/json\r\n";
        let group = self.recurring();
        self.request("scheduler", "POST", &format!("/schedule-groups/{group}"), content, "{}").await.unwrap();
        for (worker, expression, state) in schedules {
            let input = json!({
                "wakeup": worker, "worker": format!("{fleet}/{worker}"), "due": "<aws.scheduler.scheduled-time>",
            });
            let target = json!({
                "Arn": self.function(fleet, worker), "RoleArn": self.role(), "Input": input.to_string(),
                "RetryPolicy": { "MaximumEventAgeInSeconds": 600, "MaximumRetryAttempts": 5 },
            });
            let schedule = json!({
                "GroupName": group, "ScheduleExpression": expression, "State": state,
                "FlexibleTimeWindow": { "Mode": "OFF" }, "Target": target,
            });
            let path = format!("/schedules/{worker}");
            self.request("scheduler", "POST", &path, content, &schedule.to_string()).await.unwrap();
        }
    }

    /// Returns the name of the group of recurring schedules.
    pub(crate) fn recurring(&self) -> String {
        format!("{}-schedules", self.prefix)
    }

    /// Creates the role of the functions.
    pub(crate) async fn create_role(&self) {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let role =
            format!("Action=CreateRole&RoleName={}&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08", self.prefix);
        self.request("iam", "POST", "/", form, &role).await.unwrap();
    }

    /// Creates the function of a worker and the mapping that feeds it from a queue. Returns the mapping's id.
    pub(crate) async fn create_mapping(&self, fleet: &str, worker: &str, queue: &str) -> String {
        let function_arn = self.function(fleet, worker);
        let content = "Content-Type: application/json\r\n";
        // The code is an empty zip archive in base64.
        let function = json!({
            "FunctionName": function_arn.rsplit(':').next(), "Runtime": "provided.al2023", "Handler": "bootstrap",
            "Role": self.role(), "Code": { "ZipFile": format!("UEsFBg{}", "A".repeat(24) + "==") },
        });
        self.request("lambda", "POST", "/2015-03-31/functions", content, &function.to_string()).await.unwrap();
        // Disabled, because the emulator would receive the messages of an enabled mapping, and the functions run here.
        let mapping = json!({
            "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.queue(queue)),
            "FunctionName": function_arn, "BatchSize": 5, "Enabled": false,
        });
        let path = "/2015-03-31/event-source-mappings/";
        let mapping = self.request("lambda", "POST", path, content, &mapping.to_string()).await.unwrap();
        mapping["UUID"].as_str().unwrap().to_owned()
    }

    /// Returns whether a mapping polls.
    pub(crate) async fn is_enabled(&self, mapping: &str) -> bool {
        let path = format!("/2015-03-31/event-source-mappings/{mapping}");
        let mapping = self.request("lambda", "GET", &path, "", "").await.unwrap();
        mapping["State"].as_str().is_some_and(|state| state.starts_with("Enabl"))
    }

    /// Returns the reserved concurrency of a worker's function.
    pub(crate) async fn reserved(&self, fleet: &str, worker: &str) -> Option<u64> {
        let path = format!("/2019-09-30/functions/{}-{fleet}-{worker}/concurrency", self.prefix);
        let answer = self.request("lambda", "GET", &path, "", "").await.unwrap();
        answer["ReservedConcurrentExecutions"].as_u64()
    }

    /// Reserves concurrency for a worker's function, as Terraform does.
    pub(crate) async fn reserve(&self, fleet: &str, worker: &str, concurrency: u64) {
        let path = format!("/2017-10-31/functions/{}-{fleet}-{worker}/concurrency", self.prefix);
        let reserved = json!({ "ReservedConcurrentExecutions": concurrency }).to_string();
        self.request("lambda", "PUT", &path, "Content-Type: application/json\r\n", &reserved).await.unwrap();
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        format!("/{}/{name}", self.prefix)
    }

    fn role(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/{}", self.prefix)
    }

    /// Returns the settings that name the queues and the database.
    pub(crate) fn places(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("MONGODB_DATABASE", self.prefix.clone()),
            ("STINT_AWS_QUEUE", self.queue("{}")),
            ("STINT_AWS_DEAD_LETTERS", format!("{}-dead-letters", self.queue("{}"))),
        ]
    }

    /// Returns the other settings that Terraform sets for every function.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("STINT_PROFILE", "aws".to_owned()),
            ("STINT_AWS_FUNCTION", self.function("{fleet}", "{worker}")),
            ("STINT_AWS_RECURRING_GROUP", self.recurring()),
            ("STINT_AWS_SCHEDULE_GROUP", self.prefix.clone()),
            ("STINT_AWS_SCHEDULER_ROLE", self.role()),
        ]
    }
}
