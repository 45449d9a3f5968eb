//! Responses that DynamoDBLocal does not give: throttling, conflicts in a row, unprocessed writes, faults of the service.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use serde_json::{Value, json};
use stint_aws::DynamoError;
use stint_aws::dynamodb::{ActionFailure, Dynamo, FailedAction, Transacted};
use stint_aws::testing::dynamo_at;
use stint_core::clock::{Clock, between};

use super::{WITHIN, count, key};
use crate::emulator::block_on;
use crate::scripted::{Answer, InstantClock, Server};

async fn at(server: &Server, clock: &InstantClock) -> Dynamo {
    dynamo_at(&server.url, Arc::new(clock.clone())).await
}

fn cancelled(codes: &[&str]) -> Answer {
    let reasons: Vec<Value> = codes.iter().map(|code| json!({ "Code": code, "Message": "words" })).collect();
    let body = json!({ "Message": "Transaction cancelled", "CancellationReasons": reasons });
    Answer::refusal(400, "TransactionCanceledException", body)
}

fn tokens(server: &Server) -> Vec<Value> {
    server.heard().iter().map(|heard| heard.body["ClientRequestToken"].clone()).collect()
}

#[test]
fn a_conflict_is_tried_again_with_the_same_token() {
    block_on(async {
        let answers = [
            cancelled(&["None", "TransactionConflict"]),
            cancelled(&["ThrottlingError", "None"]),
            Answer::error(500, "InternalServerError"),
            Answer::error(400, "TransactionInProgressException"),
            Answer::ok(json!({})),
        ];
        let (server, clock) = (Server::start(answers), InstantClock::new());
        let begun = clock.now();
        let made = at(&server, &clock).await.transact(&[count("a", 1), count("b", 1)], None, WITHIN).await.unwrap();
        assert_eq!(made, Transacted::Committed);
        let tokens = tokens(&server);
        assert!(tokens.len() == 5 && tokens.iter().all(|token| token == &tokens[0] && token.is_string()), "{tokens:?}");
        assert!(between(begun, clock.now()) <= Duration::from_millis(25 + 50 + 100 + 200));
    });
}

#[test]
fn attempts_end_at_the_deadline() {
    block_on(async {
        let within = Duration::from_secs(5);
        for (code, text) in [("TransactionConflict", "other writers changed"), ("ThrottlingError", "throttled")] {
            let (server, clock) = (Server::start((0..1000).map(|_| cancelled(&[code]))), InstantClock::new());
            let begun = clock.now();
            let error = at(&server, &clock).await.transact(&[count("a", 1)], None, within).await.unwrap_err();
            assert!(error.is_load() && error.to_string().contains(text), "{error}");
            assert!(between(begun, clock.now()) <= within && server.heard().len() > 5);
        }
    });
}

#[test]
fn a_condition_that_does_not_hold_is_final() {
    block_on(async {
        let answer = cancelled(&["ConditionalCheckFailed", "TransactionConflict", "None"]);
        let server = Server::start([answer]);
        let dynamo = at(&server, &InstantClock::new()).await;
        let refused = dynamo.transact(&[count("a", 1), count("a", 2), count("a", 3)], None, WITHIN).await.unwrap();
        let failed = |action, reason| FailedAction { action, reason };
        let expected = vec![failed(0, ActionFailure::Condition(None)), failed(1, ActionFailure::Conflict)];
        assert_eq!(refused, Transacted::Refused(expected));
        let server = Server::start([cancelled(&["None", "ValidationError"])]);
        let dynamo = at(&server, &InstantClock::new()).await;
        let error = dynamo.transact(&[count("a", 1), count("b", 2)], None, WITHIN).await.unwrap_err();
        let expected = "could not write to table 'a', 'b' (DynamoDB): write 2: ValidationError: words";
        assert_eq!(error.to_string(), expected);
    });
}

fn puts(range: std::ops::Range<u64>) -> Vec<WriteRequest> {
    let put = |ts| PutRequest::builder().set_item(Some(key(ts))).build().unwrap();
    range.map(|ts| WriteRequest::builder().put_request(put(ts)).build()).collect()
}

/// Returns the sort keys of the writes of each request.
fn written(server: &Server) -> Vec<Vec<u64>> {
    let ts = |write: &Value| write["PutRequest"]["Item"]["ts"]["N"].as_str().unwrap().parse().unwrap();
    let requests = server.heard();
    requests.iter().map(|heard| heard.body["RequestItems"]["t"].as_array().unwrap().iter().map(ts).collect()).collect()
}

#[test]
fn unprocessed_writes_are_sent_again_with_the_next_ones() {
    block_on(async {
        let left: Vec<Value> = [3, 4]
            .map(|ts| json!({ "PutRequest": { "Item": { "day": { "S": "monday" }, "ts": { "N": ts.to_string() } } } }))
            .into();
        let answers = [
            Answer::ok(json!({ "UnprocessedItems": { "t": left } })),
            Answer::error(400, "ProvisionedThroughputExceededException"),
            Answer::ok(json!({ "UnprocessedItems": {} })),
        ];
        let (server, clock) = (Server::start(answers), InstantClock::new());
        at(&server, &clock).await.write_all("t", puts(0..30), WITHIN).await.unwrap();
        let rest: Vec<u64> = [3, 4].into_iter().chain(25..30).collect();
        assert_eq!(written(&server), [(0..25).collect(), rest.clone(), rest]);
    });
}

#[test]
fn writes_that_stay_unprocessed_are_counted() {
    block_on(async {
        let answer = || {
            let item = json!({ "PutRequest": { "Item": { "day": { "S": "monday" }, "ts": { "N": "1" } } } });
            Answer::ok(json!({ "UnprocessedItems": { "t": [item] } }))
        };
        let (server, clock) = (Server::start((0..1000).map(|_| answer())), InstantClock::new());
        let error = at(&server, &clock).await.write_all("t", puts(0..3), WITHIN).await.unwrap_err();
        assert!(matches!(error, DynamoError::Throttled { .. }), "{error}");
        assert!(error.to_string().contains("1 of 3 writes were left unprocessed"), "{error}");
    });
}
