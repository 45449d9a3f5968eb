//! The AWS adapters over HTTP: against an emulator, and against scripted answers that no emulator gives.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod alarms;
mod conformance;
mod dynamodb;
mod emulator;
mod memory;
mod reserved;
mod scripted;
mod sqs;
mod throttle;
mod wakeups;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::TimeSource;
use stint_aws::{Aws, AwsSettings};
use stint_core::clock::Clock;
use stint_core::worker::WorkerId;

const REGION: &str = "eu-west-1";

/// The clock of an account, which also dates the signatures of its calls.
struct SigningTime(Arc<dyn Clock>);

impl TimeSource for SigningTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

impl fmt::Debug for SigningTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.now())
    }
}

/// Returns an account at `endpoint`, with test credentials.
async fn account(endpoint: &str, prefix: &str, clock: Arc<dyn Clock>) -> (Aws, SdkConfig) {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let config = stint_aws::with_client(aws_config::defaults(BehaviorVersion::v2026_01_12()))
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .time_source(SigningTime(clock.clone()))
        .disable_clock_skew_correction(true)
        .endpoint_url(endpoint)
        .load()
        .await;
    (Aws::new(config.clone(), settings(prefix), clock), config)
}

/// Returns settings with names that no other test uses.
fn settings(prefix: &str) -> AwsSettings {
    AwsSettings {
        aws_queue: format!("{prefix}-{{}}").parse().unwrap(),
        aws_dead_letters: format!("{prefix}-{{}}-dead-letters").parse().unwrap(),
        aws_function: Some(function(prefix, &WorkerId::new("{fleet}", "{worker}")).parse().unwrap()),
        aws_schedule_group: prefix.to_owned(),
        aws_recurring_group: Some(format!("{prefix}-recurring")),
        aws_scheduler_role: Some(emulator::ROLE.to_owned()),
    }
}

/// Returns the ARN of a worker's function.
fn function(prefix: &str, worker: &WorkerId) -> String {
    let WorkerId { fleet, name } = worker;
    format!("arn:aws:lambda:{REGION}:{}:function:{prefix}-{fleet}-{name}", emulator::ACCOUNT)
}
