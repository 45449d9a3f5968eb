//! What is written to the mapping and how often, and what happens if the write fails.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stint_aws::{DesiredState, MAPPING_LAG, MappingThrottle, ThrottleMemory};
use stint_core::clock::{Clock, between};
use stint_core::ports::Throttle;
use stint_core::worker::WorkerId;
use stint_testkit::ThrottleWorld;

use crate::conformance::EmulatorWorld;
use crate::emulator::{block_on, run};
use crate::memory::Memory;
use crate::scripted::{Answer, InstantClock, Server};
use crate::{account, function};

pub(crate) const WORKER: WorkerId = WorkerId::new("warcraftlogs", "rank-fetcher");
const LIST: &str = "GET /2015-03-31/event-source-mappings";
const UPDATE: &str = "PUT /2015-03-31/event-source-mappings/m-1";

/// Returns a throttle behind a scripted server.
async fn scripted(answers: Vec<Answer>, memory: Arc<Memory>) -> (Server, InstantClock, Arc<MappingThrottle>) {
    let server = Server::start(answers);
    let clock = InstantClock::new();
    let (aws, _) = account(&server.url, "t", Arc::new(clock.clone())).await;
    let throttle = aws.throttle(memory, &[WORKER]).unwrap();
    (server, clock, throttle)
}

fn found(id: &str) -> Answer {
    let mapping = json!({ "UUID": id, "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:t-work" });
    Answer::ok(json!({ "EventSourceMappings": [mapping] }))
}

fn taken() -> Answer {
    Answer::ok(json!({ "UUID": "m-1", "State": "Updating" }))
}

fn busy() -> Answer {
    Answer::error(429, "TooManyRequestsException")
}

#[test]
fn a_mapping_is_steered_and_paused_at_zero() {
    run(async {
        let world = EmulatorWorld::with_throttles().await;
        let throttle = world.throttle().await.unwrap();
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let told = async || {
            let list = lambda.list_event_source_mappings().function_name(function(&world.prefix, &WORKER));
            let mapping = list.send().await.unwrap().event_source_mappings.unwrap().remove(0);
            let maximum = mapping.scaling_config.and_then(|scaling| scaling.maximum_concurrency);
            (mapping.state.unwrap(), maximum)
        };
        throttle.set(&WORKER, 7).await.unwrap();
        assert_eq!(told().await, ("Enabled".into(), Some(7)));
        throttle.set(&WORKER, 0).await.unwrap();
        assert_eq!(told().await.0, "Disabled");
        throttle.set(&WORKER, 1).await.unwrap();
        assert_eq!(told().await, ("Enabled".into(), Some(2)), "a mapping's least is 2");
        throttle.pause(&WORKER).await.unwrap();
        throttle.set(&WORKER, 9).await.unwrap();
        assert_eq!(told().await.0, "Disabled", "an operator's pause outlives what is set");
        throttle.resume(&WORKER).await.unwrap();
        assert_eq!(told().await, ("Enabled".into(), Some(9)));
        assert_eq!(throttle.lag(), MAPPING_LAG);
    });
}

#[test]
fn a_function_without_a_mapping_is_named() {
    block_on(async {
        let none = Answer::ok(json!({ "EventSourceMappings": [] }));
        let (_server, _, throttle) = scripted(vec![none], Arc::default()).await;
        let error = throttle.set(&WORKER, 5).await.unwrap_err().to_string();
        assert!(error.contains("function:t-warcraftlogs-rank-fetcher") && error.contains("0 mappings"), "{error}");
        assert_eq!(throttle.read(&WORKER).await.unwrap().limit, None);
    });
}

#[test]
fn what_the_mapping_would_not_notice_costs_no_request() {
    block_on(async {
        let (server, _, throttle) = scripted(vec![found("m-1"), taken(), taken()], Arc::default()).await;
        for concurrency in [1, 1, 2] {
            throttle.set(&WORKER, concurrency).await.unwrap();
        }
        assert_eq!(server.operations(), [LIST, UPDATE]);
        throttle.set(&WORKER, 0).await.unwrap();
        throttle.pause(&WORKER).await.unwrap();
        throttle.set(&WorkerId::new("warcraftlogs", "discover"), 5).await.unwrap();
        for _ in 0..100 {
            assert_eq!(throttle.read(&WORKER).await.unwrap().limit, Some(0));
        }
        assert_eq!(server.operations(), [LIST, UPDATE, UPDATE]);
    });
}

#[test]
fn a_busy_control_plane_is_asked_again_later() {
    block_on(async {
        let changing = Answer::error(400, "ResourceInUseException");
        let (server, clock, throttle) =
            scripted(vec![busy(), found("m-1"), changing, busy(), taken()], Arc::default()).await;
        let before = clock.now();
        throttle.set(&WORKER, 5).await.unwrap();
        assert_eq!(server.operations(), [LIST, LIST, UPDATE, UPDATE, UPDATE]);
        assert_eq!(server.heard()[4].body, json!({ "Enabled": true, "ScalingConfig": { "MaximumConcurrency": 5 } }));
        assert_eq!(between(before, clock.now()), Duration::from_millis(500 + 1_000 + 2_000));
    });
}

#[test]
fn a_write_that_was_given_up_is_not_relied_on() {
    block_on(async {
        let mut answers = vec![found("m-1"), taken()];
        answers.extend(std::iter::repeat_with(busy).take(6));
        answers.push(taken());
        let (server, clock, throttle) = scripted(answers, Arc::default()).await;
        throttle.set(&WORKER, 5).await.unwrap();
        let before = clock.now();
        let error = throttle.set(&WORKER, 9).await.unwrap_err().to_string();
        assert!(error.contains("TooManyRequestsException: scripted"), "{error}");
        assert!(between(before, clock.now()) <= Duration::from_secs(30));
        assert_eq!(throttle.read(&WORKER).await.unwrap().limit, Some(5));
        // It is unknown whether the mapping received the 9, so the 5 is written again.
        throttle.set(&WORKER, 5).await.unwrap();
        assert_eq!(server.heard().last().unwrap().body["ScalingConfig"]["MaximumConcurrency"], 5);
    });
}

#[test]
fn nothing_is_tried_again_that_waiting_does_not_help() {
    block_on(async {
        let (server, clock, throttle) =
            scripted(vec![found("m-1"), Answer::error(403, "AccessDeniedException")], Arc::default()).await;
        let before = clock.now();
        assert!(throttle.set(&WORKER, 5).await.unwrap_err().to_string().contains("AccessDenied"));
        assert_eq!((server.operations().len(), clock.now()), (2, before));
    });
}

#[test]
fn a_mapping_that_was_deployed_anew_is_found_again() {
    block_on(async {
        let gone = Answer::error(404, "ResourceNotFoundException");
        let (server, _, throttle) = scripted(vec![found("m-0"), gone, found("m-1"), taken()], Arc::default()).await;
        throttle.set(&WORKER, 5).await.unwrap();
        assert_eq!(server.operations()[2..], [LIST, UPDATE]);
    });
}

#[test]
fn only_one_of_many_writes_what_all_of_them_want() {
    block_on(async {
        let memory = Arc::new(Memory::default());
        let (seen, other) = (memory.clone(), memory.clone());
        let unreachable = scripted(vec![], other).await.2;
        let relies = move || {
            // Another process plans the same change while the request is in flight, and cannot reach the control plane.
            assert_eq!(block_on(unreachable.read(&WORKER)).unwrap().limit, Some(5));
            block_on(unreachable.set(&WORKER, 5)).unwrap();
        };
        let (_server, _, throttle) = scripted(vec![found("m-1"), taken().meanwhile(relies)], memory).await;
        throttle.set(&WORKER, 5).await.unwrap();
        assert_eq!(seen.load(&WORKER).await.unwrap().intent, None);
    });
}

#[test]
fn a_writer_that_was_overtaken_says_what_holds_now() {
    block_on(async {
        let memory = Arc::new(Memory::default());
        let overtaking = memory.clone();
        let nine = DesiredState { concurrency: Some(9), paused: false };
        let overtaken = taken().meanwhile(move || overtaking.overwrite(&WORKER, nine));
        let (server, _, throttle) = scripted(vec![found("m-1"), overtaken, taken()], memory).await;
        throttle.set(&WORKER, 5).await.unwrap();
        assert_eq!(server.heard()[2].body["ScalingConfig"]["MaximumConcurrency"], 9);
        assert_eq!(throttle.read(&WORKER).await.unwrap().limit, Some(9));
    });
}
