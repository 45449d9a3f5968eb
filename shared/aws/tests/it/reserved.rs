//! The reserved concurrency of a function, as the source document's rule reads and writes it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stint_core::clock::{Clock, between};
use stint_core::ports::Throttle;
use stint_testkit::ThrottleWorld;

use crate::conformance::EmulatorWorld;
use crate::emulator::{block_on, run};
use crate::memory::Memory;
use crate::scripted::{Answer, InstantClock, Server};
use crate::throttle::WORKER;
use crate::{account, function};

/// Returns the function's reserved concurrency, and whether its mapping polls and how many batches it passes on at once.
async fn told(world: &EmulatorWorld) -> (Option<i32>, String, Option<i32>) {
    let lambda = aws_sdk_lambda::Client::new(&world.config);
    let name = function(&world.prefix, &WORKER);
    let concurrency = lambda.get_function_concurrency().function_name(&name).send().await.unwrap();
    let list = lambda.list_event_source_mappings().function_name(name).send().await.unwrap();
    let mapping = list.event_source_mappings.unwrap().remove(0);
    let maximum = mapping.scaling_config.and_then(|scaling| scaling.maximum_concurrency);
    (concurrency.reserved_concurrent_executions(), mapping.state.unwrap(), maximum)
}

#[test]
fn the_functions_own_value_is_read_and_set_and_its_mapping_is_left_alone() {
    run(async {
        let world = EmulatorWorld::with_throttles().await;
        let throttle = world.reserved_throttle();
        let deployed = told(&world).await;
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let put = lambda.put_function_concurrency().function_name(function(&world.prefix, &WORKER));
        put.reserved_concurrent_executions(50).send().await.unwrap();
        assert_eq!(throttle.read(&WORKER).await.unwrap().limit, Some(50), "as it was deployed");
        for concurrency in [49, 1, 0, 50] {
            throttle.set(&WORKER, concurrency).await.unwrap();
            let (reserved, state, maximum) = told(&world).await;
            assert_eq!((reserved, state, maximum), (Some(concurrency as i32), deployed.1.clone(), deployed.2));
        }
        assert_eq!(throttle.lag(), Duration::ZERO);
    });
}

/// A pause that outlives what is set, without a receive for messages that the function would refuse.
#[test]
fn an_operators_pause_disables_the_mapping() {
    run(async {
        let world = EmulatorWorld::with_throttles().await;
        let throttle = world.reserved_throttle();
        throttle.set(&WORKER, 5).await.unwrap();
        throttle.pause(&WORKER).await.unwrap();
        throttle.set(&WORKER, 9).await.unwrap();
        let (reserved, state, _) = told(&world).await;
        assert_eq!((reserved, state.as_str()), (Some(9), "Disabled"));
        throttle.resume(&WORKER).await.unwrap();
        assert_eq!(told(&world).await.1, "Enabled");
    });
}

/// The ledger had paused the mapping when the operator chose the other rule.
#[test]
fn a_mapping_that_the_other_rule_has_closed_is_opened() {
    run(async {
        let world = EmulatorWorld::with_throttles().await;
        world.throttle().await.unwrap().set(&WORKER, 0).await.unwrap();
        assert_eq!(told(&world).await.1, "Disabled");
        world.reserved_throttle().set(&WORKER, 50).await.unwrap();
        assert_eq!(told(&world).await, (Some(50), "Enabled".to_owned(), Some(50)));
    });
}

#[test]
fn a_busy_control_plane_is_asked_again_later() {
    block_on(async {
        let busy = || Answer::error(429, "TooManyRequestsException");
        let read = Answer::ok(json!({ "ReservedConcurrentExecutions": 7 }));
        let server = Server::start(vec![busy(), busy(), read, Answer::error(403, "AccessDeniedException")]);
        let clock = InstantClock::new();
        let (aws, _) = account(&server.url, "t", Arc::new(clock.clone())).await;
        let throttle = aws.reserved_throttle(Arc::new(Memory::default()), &[WORKER], &[WORKER]).unwrap();
        let before = clock.now();
        assert_eq!(throttle.read(&WORKER).await.unwrap().limit, Some(7));
        assert_eq!(between(before, clock.now()), Duration::from_millis(500 + 1_000));
        let error = throttle.set(&WORKER, 6).await.unwrap_err().to_string();
        assert!(error.contains("set the reserved concurrency of") && error.contains("AccessDenied"), "{error}");
        assert_eq!(server.heard().last().unwrap().body, json!({ "ReservedConcurrentExecutions": 6 }));
    });
}
