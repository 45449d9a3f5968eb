//! Tests beyond the queue port's suite: batches that fail in part, large batches, and what SQS cannot do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stint_aws::SqsQueue;
use stint_core::clock::{Clock, between};
use stint_core::ports::{MAX_BATCH, MAX_BODY, MAX_WAIT, NewMessage, PortError, Queue, QueueSettings};
use stint_host::SystemClock;
use stint_testkit::QueueWorld;

use crate::account;
use crate::conformance::EmulatorWorld;
use crate::emulator::{block_on, run, url};
use crate::scripted::{Answer, InstantClock, Server};

const SETTINGS: QueueSettings = QueueSettings { visibility_timeout: Duration::from_secs(60), max_receives: 3 };

/// Returns the queue `work` behind a scripted server.
async fn scripted(answers: Vec<Answer>) -> (Server, InstantClock, Arc<SqsQueue>) {
    let server = Server::start(answers);
    let clock = InstantClock::new();
    let (aws, _) = account(&server.url, "t", Arc::new(clock.clone())).await;
    (server, clock, aws.queue("work", SETTINGS))
}

fn address() -> Answer {
    Answer::ok(json!({ "QueueUrl": "http://sqs/t-work" }))
}

fn failed(id: &str, code: &str, sender_fault: bool) -> Answer {
    let entry = json!({ "Id": id, "Code": code, "Message": "words", "SenderFault": sender_fault });
    Answer::ok(json!({ "Successful": [], "Failed": [entry] }))
}

fn ids(request: &Value) -> Vec<&str> {
    request["Entries"].as_array().unwrap().iter().map(|entry| entry["Id"].as_str().unwrap()).collect()
}

fn messages(bodies: &[&str]) -> Vec<NewMessage> {
    bodies.iter().copied().map(NewMessage::new).collect()
}

#[test]
fn only_the_messages_that_failed_are_sent_again() {
    block_on(async {
        let done = Answer::ok(json!({ "Successful": [], "Failed": [] }));
        let (server, clock, queue) = scripted(vec![address(), failed("1", "InternalError", false), done]).await;
        let before = clock.now();
        queue.send(&messages(&["a", "b", "c"])).await.unwrap();
        assert_eq!(server.operations(), ["GetQueueUrl", "SendMessageBatch", "SendMessageBatch"]);
        let heard = server.heard();
        assert_eq!((ids(&heard[1].body), ids(&heard[2].body)), (vec!["0", "1", "2"], vec!["1"]));
        assert!(clock.now() > before, "not at once");
    });
}

#[test]
fn a_message_that_goes_on_failing_is_named() {
    block_on(async {
        let fails = || failed("1", "InternalError", false);
        let (server, _, queue) = scripted(vec![address(), fails(), fails(), fails()]).await;
        let error = queue.send(&messages(&["a", "b"])).await.unwrap_err();
        assert_eq!(error.to_string(), "send to queue 't-work': number 2 of 2: InternalError: words");
        assert_eq!(server.operations().len(), 4);
    });
}

#[test]
fn what_sqs_refuses_is_not_sent_again() {
    block_on(async {
        let (server, _, queue) = scripted(vec![address(), failed("0", "InvalidMessageContents", true)]).await;
        let error = queue.send(&messages(&["\u{1}"])).await.unwrap_err();
        assert!(error.to_string().contains("number 1 of 1: InvalidMessageContents"), "{error}");
        assert_eq!(server.operations().len(), 2);
    });
}

/// In whole seconds, and no longer than SQS allows.
#[test]
fn sqs_is_told_how_long_to_wait() {
    block_on(async {
        let nothing = || Answer::ok(json!({}));
        let (server, _, queue) = scripted(vec![address(), nothing(), nothing(), nothing()]).await;
        queue.receive(1).await.unwrap();
        for patience in [Duration::from_millis(1_500), Duration::from_secs(600)] {
            assert_eq!(queue.receive_patiently(1, patience).await.unwrap(), []);
        }
        let waits: Vec<Value> = server.heard()[1..].iter().map(|heard| heard.body["WaitTimeSeconds"].clone()).collect();
        assert_eq!(waits, [0, 2, 20]);
    });
}

/// In real time, because the emulator has no other clock for waiting receives.
#[test]
fn a_message_that_comes_while_a_receive_waits_is_brought_at_once() {
    run(async {
        let world = EmulatorWorld::new().await;
        world.queue("work", SETTINGS).await.unwrap();
        let clock = Arc::new(SystemClock);
        let (aws, _) = account(&url().unwrap(), &world.prefix, clock.clone()).await;
        let (queue, begun) = (aws.queue("work", SETTINGS), clock.now());
        let send = async {
            clock.sleep(Duration::from_millis(500)).await;
            queue.send(&messages(&["a"])).await.unwrap();
        };
        let (received, ()) = futures::join!(queue.receive_patiently(MAX_BATCH, MAX_WAIT), send);
        let waited = between(begun, clock.now());
        assert_eq!(received.unwrap()[0].body, "a");
        assert!(waited >= Duration::from_millis(500) && waited < MAX_WAIT, "{waited:?}");
    });
}

/// A stale receipt must not dead-letter a message that another receiver is working on.
#[test]
fn a_message_leased_to_another_receiver_is_not_dead_lettered() {
    block_on(async {
        for code in ["AWS.SimpleQueueService.MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"] {
            let (server, _, queue) = scripted(vec![address(), failed("0", code, true)]).await;
            let receipt = stint_aws::receipt("stale", "id", 1, "body");
            queue.reject(&receipt, "field 'id' is missing").await.unwrap();
            assert_eq!(server.operations(), ["GetQueueUrl", "ChangeMessageVisibilityBatch"], "{code}");
        }
    });
}

#[test]
fn a_stale_receipt_is_neither_deleted_nor_given_back() {
    block_on(async {
        let stale = || failed("0", "ReceiptHandleIsInvalid", true);
        let (server, _, queue) = scripted(vec![address(), stale(), stale()]).await;
        let receipt = stint_aws::receipt("stale", "id", 1, "body");
        queue.acknowledge(std::slice::from_ref(&receipt)).await.unwrap();
        queue.release(&[receipt], Duration::ZERO, "stale").await.unwrap();
        assert_eq!(server.operations().len(), 3, "asked once each, and not again");
    });
}

/// SQS counts the 12 hours from the receive, which was up to one visibility timeout ago.
#[test]
fn the_longest_release_leaves_room_for_the_time_since_the_receive() {
    block_on(async {
        let done = Answer::ok(json!({ "Successful": [], "Failed": [] }));
        let (server, _, queue) = scripted(vec![address(), done]).await;
        let receipt = stint_aws::receipt("handle", "id", 1, "body");
        queue.release(&[receipt], Duration::from_secs(1_000_000), "much later").await.unwrap();
        assert_eq!(server.heard()[1].body["Entries"][0]["VisibilityTimeout"], 43_200 - 60);
    });
}

#[test]
fn peeking_is_refused_with_a_reason() {
    block_on(async {
        let (server, _, queue) = scripted(vec![]).await;
        let refused = queue.peek(10).await.unwrap_err();
        assert!(matches!(&refused, PortError::Invalid(words) if words.contains("queue 'work'")), "{refused}");
        assert!(server.operations().is_empty());
    });
}

/// All other tests here depend on this.
#[test]
fn the_emulators_time_is_that_of_its_client() {
    run(async {
        let world = EmulatorWorld::new().await;
        let queue = world.queue("work", SETTINGS).await.unwrap();
        QueueWorld::time(&world).pass(Duration::from_secs(86_400)).await;
        queue.send(&messages(&["a"])).await.unwrap();
        let (sent_at, now) = (queue.receive(1).await.unwrap()[0].sent_at, QueueWorld::time(&world).now());
        let remedy = "STINT_AWS_EMULATOR_URL must name an emulator that scripts/lib/aws/emulator.py has started";
        assert!(between(now, sent_at) < Duration::from_secs(1) && sent_at >= now, "{remedy}");
    });
}

/// On Lambda the event source mapping receives the messages and passes them to the function.
#[test]
fn a_message_received_by_the_mapping_can_be_rejected() {
    run(async {
        let world = EmulatorWorld::new().await;
        let queue = world.queue("work", SETTINGS).await.unwrap();
        queue.send(&messages(&["nonsense"])).await.unwrap();
        let client = aws_sdk_sqs::Client::new(&world.config);
        let name = format!("{}-work", world.prefix);
        let url = client.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let received = client.receive_message().queue_url(url).send().await.unwrap().messages.unwrap().remove(0);
        let receipt = stint_aws::receipt(&received.receipt_handle.unwrap(), "id", 1, &received.body.unwrap());
        queue.reject(&receipt, "field 'id' is missing").await.unwrap();
        let dead = queue.dead_letters(10).await.unwrap();
        assert_eq!((dead.len(), dead[0].message_id.as_str(), dead[0].body.as_str()), (1, "id", "nonsense"));
        assert_eq!(queue.counts().await.unwrap().unfinished(), 0);
    });
}

#[test]
fn a_queue_that_is_not_there_is_named() {
    run(async {
        let world = EmulatorWorld::new().await;
        let error = world.aws.queue("nowhere", SETTINGS).receive(1).await.unwrap_err().to_string();
        assert!(error.contains("-nowhere'") && error.contains("does not exist"), "{error}");
    });
}

#[test]
fn a_batch_of_large_messages_goes_in_several_requests() {
    run(async {
        let world = EmulatorWorld::new().await;
        let queue = world.queue("work", SETTINGS).await.unwrap();
        queue.send(&vec![NewMessage::new("x".repeat(MAX_BODY / 3)); MAX_BATCH]).await.unwrap();
        assert_eq!(queue.counts().await.unwrap().visible, 10);
    });
}

#[test]
fn a_body_of_the_full_size_can_be_rejected() {
    run(async {
        let world = EmulatorWorld::new().await;
        let queue = world.queue("work", SETTINGS).await.unwrap();
        queue.send(&[NewMessage::new("x".repeat(MAX_BODY))]).await.unwrap();
        let received = queue.receive(1).await.unwrap().remove(0);
        queue.reject(&received.receipt, "too much").await.unwrap();
        assert_eq!(queue.dead_letters(1).await.unwrap()[0].body.len(), MAX_BODY);
    });
}

/// The suite skips exact counts if they are estimates. The emulator's are exact, except for messages released with a
/// delay.
#[test]
fn counts_are_of_both_queues() {
    run(async {
        let world = EmulatorWorld::new().await;
        let queue = world.queue("work", SETTINGS).await.unwrap();
        queue.send(&messages(&["a", "b", "c", "d"])).await.unwrap();
        queue.send(&[NewMessage { body: "later".into(), delay: Duration::from_secs(60) }]).await.unwrap();
        let received = queue.receive(2).await.unwrap();
        queue.reject(&received[0].receipt, "unreadable").await.unwrap();
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.visible, counts.in_flight, counts.delayed, counts.dead_letters), (2, 1, 1, 1));
    });
}
