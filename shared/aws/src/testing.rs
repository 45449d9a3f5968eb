//! Shared by tests of stores on DynamoDB. `STINT_DYNAMODB_URL` names the server; `scripts/test` starts DynamoDBLocal.
//!
//! DynamoDBLocal is the referee, and not the emulator of the other services: moto runs a transaction with a known
//! `ClientRequestToken` again, and accepts a batch of 26. The emulator in turn is the partner of SQS and SNS, except for
//! `StartMessageMoveTask`, for which it returns 500. DynamoDBLocal refuses two updates of one item in a transaction, as the
//! service does, but not an update and a put: a store's own test has to look at that.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use stint_core::clock::Clock;

use crate::account::timeouts;
use crate::config::{dynamodb_of_tests, of_environment};
use crate::dynamodb::Dynamo;
use crate::with_client;

/// Runs a test on the server, or prints why it is skipped.
///
/// # Panics
/// If a runtime cannot be started.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
#[expect(clippy::expect_used, reason = "a test without a runtime is no test")]
pub fn run(test: impl Future<Output = ()>) {
    if dynamodb_of_tests().is_none() {
        eprintln!("skipped: STINT_DYNAMODB_URL names no server; scripts/test starts one");
        return;
    }
    // Fails only if no thread can be started.
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

/// Returns the tables of the test server.
pub async fn dynamo(clock: Arc<dyn Clock>) -> Dynamo {
    dynamo_at(&dynamodb_of_tests().unwrap_or_default(), clock).await
}

/// Returns the tables of the server at `url`, with test credentials.
pub async fn dynamo_at(url: &str, clock: Arc<dyn Clock>) -> Dynamo {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let config = with_client(of_environment(timeouts(Duration::ZERO)))
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard())
        .endpoint_url(url)
        .load()
        .await;
    Dynamo::new(&config, clock)
}

/// Returns the name of a table that no other test uses.
///
/// # Panics
/// If the system has no random bytes.
#[expect(clippy::expect_used, reason = "a panic fails the test")]
pub fn unused_table() -> String {
    // Fails only on a system without randomness, which cannot make connections either.
    format!("t{:016x}", getrandom::u64().expect("random bytes"))
}
