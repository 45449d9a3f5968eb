//! Runs the real bootstrap under a Runtime API, with all its state in one folder.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use serde_json::Value;
use stint_core::ports::{NewMessage, Queue, QueueSettings, Throttle};
use stint_core::worker::StopSignal;
use stint_embedded::{Embedded, Mode};
use stint_runtime_api::{EventSourceMapping, QueueSource};
use stint_warcraftlogs::message::QUEUE;

use crate::lambda_fleet::{LambdaFleet, Workers, check, check_log, clock, run, spec, tick};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The time that `discover` reserves for a page, the host's margin, and two seconds for pages.
const TWO_SECONDS_OF_PAGES: Duration = Duration::from_secs(45 + 2 + 2);

/// Opens the queue in the fleet's folder with the fleet's settings, and its throttle.
fn queue(fleet: &LambdaFleet) -> (Arc<dyn Queue>, Arc<dyn Throttle>) {
    let embedded = Embedded::open(&fleet.home(), Mode::Shared, clock()).unwrap();
    let settings = QueueSettings { visibility_timeout: Duration::from_secs(30), max_receives: 5 };
    (embedded.queue(QUEUE, settings), embedded.throttle())
}

fn source(fleet: &LambdaFleet) -> QueueSource {
    let (queue, throttle) = queue(fleet);
    QueueSource { queue, throttle, worker: spec("rank-fetcher") }
}

#[test]
fn the_whole_fleet_runs_as_functions() {
    let fleet = LambdaFleet::start("120", &[]);
    run(async {
        let workers = Workers::of(&fleet);
        let ended = fleet.run_to_databases(&workers, source(&fleet)).await;
        check(&fleet, &ended);
        assert_eq!(ended.polled.failed_batches, 0, "{:?}: {:#?}", ended.polled, ended.log);
        assert!(ended.log.iter().any(|line| line.contains("is done with a batch")), "{:#?}", ended.log);
        workers.terminate().await;
    });
}

#[test]
fn a_throttled_batch_waits_and_a_message_that_can_never_succeed_burns_one_receive() {
    let fleet = LambdaFleet::start("50", &[]);
    run(async {
        let (queue, _) = queue(&fleet);
        queue.send(&[NewMessage::new(r#"{"id": 0, "raidsToScrap": {"26": [3]}}"#)]).await.unwrap();
        let function = fleet.function(&spec("rank-fetcher"), TIMEOUT, &[]);
        function.reserve(0);
        let poller = EventSourceMapping::new(source(&fleet), function.clone(), 5, clock());
        let stop = StopSignal::default();
        let watched = async {
            while poller.polled().throttled == 0 {
                clock().sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(queue.counts().await.unwrap().in_flight, 1, "the mapping holds what the function cannot take");
            function.reserve(1);
            while poller.polled().batches == 0 {
                clock().sleep(Duration::from_millis(10)).await;
            }
            stop.set();
        };
        join(poller.run(&stop), watched).await;
        assert_eq!((poller.polled().item_failures, poller.polled().failed_batches), (0, 0));
        let dead = queue.dead_letters(10).await.unwrap();
        assert_eq!((dead.len(), dead[0].receive_count), (1, 1), "{dead:?}");
        assert!(dead[0].reason.contains("id"), "{dead:?}");
        let log = function.take_log();
        check_log(&log, fleet.upstream.setting("wcl_keys"));
        assert!(log.iter().any(|line| line.contains("trace_id") && line.contains("1-5759e988-")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains(&dead[0].message_id)), "{log:#?}");
    });
}

#[test]
fn a_discovery_that_runs_out_of_time_keeps_its_progress() {
    let fleet = LambdaFleet::start("3000", &[]);
    fleet.add_rules("3");
    run(async {
        let slow = [("WCL_PAGE_INTERVAL_MS", "500")];
        let discover = fleet.function(&spec("discover"), TWO_SECONDS_OF_PAGES, &slow);
        let first = discover.invoke(tick("discover")).await.unwrap();
        assert_eq!((&first["finished"], first["pages"].as_u64() > Some(0)), (&Value::Bool(false), true), "{first}");
        let second = discover.invoke(tick("discover")).await.unwrap();
        assert_eq!(second["rule"], first["rule"], "it goes on with the same rule");
        assert_eq!(discover.starts().len(), 1, "in the same environment");
    });
}

#[test]
fn a_signal_ends_a_function_after_its_response() {
    let fleet = LambdaFleet::start("3000", &[]);
    fleet.add_rules("3");
    run(async {
        let discover = fleet.function(&spec("discover"), Duration::from_secs(120), &[("WCL_PAGE_INTERVAL_MS", "500")]);
        discover.start().await.unwrap();
        let signalled = async {
            while !fleet.stint(&["wcl", "rules", "list"]).contains("reading") {
                clock().sleep(Duration::from_millis(20)).await;
            }
            discover.terminate().await;
        };
        let (answer, ()) = join(discover.invoke(tick("discover")), signalled).await;
        let answer = answer.unwrap();
        assert_eq!(answer["stopped"], "out of time; the next discovery continues", "{answer}");
        discover.start().await.unwrap();
        // The previous process may still be exiting.
        assert!((1..=2).contains(&discover.terminate().await), "an idle one ends at once, and well");
    });
}

#[test]
fn missing_settings_are_named_before_the_first_event() {
    let fleet = LambdaFleet::start("50", &[]);
    let said = |variables: &[(&str, &str)]| {
        let mut command = Command::new(fleet.bootstrap());
        let output = command.env_clear().env("STINT_HOME", fleet.home()).envs(variables.iter().copied()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let worker = ("STINT_WORKER", "warcraftlogs/reviver");
    let api = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");
    let profile = ("STINT_PROFILE", "aws");
    assert!(said(&[]).starts_with("error: STINT_WORKER is not set: it names the worker"));
    assert!(said(&[("STINT_WORKER", "reviver")]).contains("there is no worker 'reviver'; it is one of warcraftlogs/"));
    assert!(said(&[worker]).starts_with("error: AWS_LAMBDA_RUNTIME_API is not set"));
    assert!(said(&[worker, api, profile]).starts_with("error: MONGODB_URI is not set"));
    let secrets = ("STINT_AWS_SECRETS", "/stint/warcraftlogs/MONGODB_URI");
    assert!(said(&[worker, api, profile, secrets]).starts_with("error: STINT_AWS_FUNCTION is not set"));
    let (other, wrong) = (("STINT_WORKER", "poe-stashes/watcher"), ("CONCURRENCY_LIMIT", "many"));
    let error = said(&[other, api, profile, wrong]);
    assert!(error.starts_with("error: STINT_AWS_FUNCTION is not set"), "neither a database nor another fleet: {error}");
    let error = said(&[worker, api, ("WCL_VISIBILITY_SECONDS", "30")]);
    assert!(error.starts_with("error: WCL_VISIBILITY_SECONDS: 30 s are over while a call is under way"), "{error}");
    let error = said(&[worker, api, ("STINT_QUEUES", "rabbit")]);
    assert!(error.starts_with("error: STINT_QUEUES: 'rabbit' cannot be used: it is one of sqlite, sqs"), "{error}");
}
