//! What is sent to EventBridge Scheduler for a wake-up, and what it does not support.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindowMode};
use serde_json::{Value, json};
use stint_core::clock::{after, before};
use stint_core::ports::{PortError, Wakeups};
use stint_core::worker::WorkerId;
use stint_testkit::WakeupWorld;

use crate::conformance::EmulatorWorld;
use crate::emulator::{ROLE, block_on, run};
use crate::scripted::{Answer, InstantClock, Server};
use crate::{account, function};

const MINUTE: Duration = Duration::from_secs(60);
const REVIVER: WorkerId = WorkerId::new("warcraftlogs", "reviver");
const SWEEPER: WorkerId = WorkerId::new("warcraftlogs", "sweeper");

async fn told(world: &EmulatorWorld, name: &str) -> GetScheduleOutput {
    let client = aws_sdk_scheduler::Client::new(&world.config);
    client.get_schedule().group_name(&world.prefix).name(name).send().await.unwrap()
}

#[test]
fn a_one_shot_wakeup_calls_the_worker_and_is_deleted() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let at = after(world.time().now(), Duration::from_millis(90_500));
        world.wakeups().await.unwrap().once("revive", &REVIVER, at).await.unwrap();
        let told = told(&world, "revive").await;
        assert_eq!(told.schedule_expression(), Some("at(2026-11-20T10:01:31)"), "rounded up");
        assert_eq!(told.schedule_expression_timezone(), Some("UTC"));
        assert_eq!(told.action_after_completion(), Some(&ActionAfterCompletion::Delete));
        assert_eq!(told.flexible_time_window().unwrap().mode(), &FlexibleTimeWindowMode::Off);
        let target = told.target().unwrap();
        assert_eq!((target.arn(), target.role_arn()), (function(&world.prefix, &REVIVER).as_str(), ROLE));
        let input: Value = serde_json::from_str(target.input().unwrap()).unwrap();
        assert_eq!((&input["wakeup"], &input["worker"]), (&json!("revive"), &json!("warcraftlogs/reviver")));
    });
}

/// Scheduler's behaviour for a time that has passed is not documented, so none is ever sent.
#[test]
fn a_time_in_the_past_is_a_moment_ahead() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let (wakeups, now) = (world.wakeups().await.unwrap(), world.time().now());
        for past in [before(now, MINUTE), now, after(now, Duration::from_secs(1))] {
            wakeups.once("revive", &REVIVER, past).await.unwrap();
            assert_eq!(told(&world, "revive").await.schedule_expression(), Some("at(2026-11-20T10:00:05)"));
        }
    });
}

#[test]
fn a_recurring_wakeup_keeps_its_grid_when_its_worker_changes() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let (wakeups, start) = (world.wakeups().await.unwrap(), world.time().now());
        wakeups.every("sweep", &REVIVER, MINUTE * 60).await.unwrap();
        world.time().pass(MINUTE * 100).await;
        wakeups.every("sweep", &SWEEPER, MINUTE * 60).await.unwrap();
        let all = wakeups.list().await.unwrap();
        assert_eq!((&all[0].worker, all[0].at), (&SWEEPER, after(start, MINUTE * 120)));
    });
}

#[test]
fn a_schedule_that_is_no_wakeup_is_left_alone() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let wakeups = world.wakeups().await.unwrap();
        wakeups.once("revive", &REVIVER, after(world.time().now(), MINUTE)).await.unwrap();
        let target = told(&world, "revive").await.target().unwrap().clone();
        let window = told(&world, "revive").await.flexible_time_window().unwrap().clone();
        let client = aws_sdk_scheduler::Client::new(&world.config);
        let create = client.create_schedule().group_name(&world.prefix).name("nightly").target(target);
        create.schedule_expression("cron(0 9 * * ? *)").flexible_time_window(window).send().await.unwrap();
        let names: Vec<String> = wakeups.list().await.unwrap().into_iter().map(|wakeup| wakeup.name).collect();
        assert_eq!(names, ["revive"]);
    });
}

/// The setting for the functions' ARNs was changed, or the schedule was made for another installation.
#[test]
fn a_recurring_wakeup_of_another_function_is_set_anew() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let wakeups = world.wakeups().await.unwrap();
        wakeups.every("sweep", &REVIVER, MINUTE * 60).await.unwrap();
        let set = told(&world, "sweep").await;
        let mut target = set.target().unwrap().clone();
        let own = std::mem::replace(&mut target.arn, "arn:aws:lambda:eu-west-1:123456789012:function:other".into());
        let client = aws_sdk_scheduler::Client::new(&world.config);
        let update = client.update_schedule().group_name(&world.prefix).name("sweep").target(target);
        let update = update.schedule_expression(set.schedule_expression().unwrap());
        update.flexible_time_window(set.flexible_time_window().unwrap().clone()).send().await.unwrap();
        wakeups.every("sweep", &REVIVER, MINUTE * 60).await.unwrap();
        assert_eq!(told(&world, "sweep").await.target().unwrap().arn(), own);
    });
}

/// Earlier versions named the worker without its fleet.
#[test]
fn a_wakeup_that_an_earlier_version_has_set_is_its_workers() {
    run(async {
        let world = EmulatorWorld::with_wakeups().await;
        let wakeups = world.wakeups().await.unwrap();
        wakeups.once("revive", &REVIVER, after(world.time().now(), MINUTE)).await.unwrap();
        let set = told(&world, "revive").await;
        let mut target = set.target().unwrap().clone();
        target.input = Some(json!({ "wakeup": "revive", "worker": "reviver", "due": "" }).to_string());
        let client = aws_sdk_scheduler::Client::new(&world.config);
        let update = client.update_schedule().group_name(&world.prefix).name("revive").target(target);
        let update = update.schedule_expression(set.schedule_expression().unwrap());
        update.flexible_time_window(set.flexible_time_window().unwrap().clone()).send().await.unwrap();
        assert_eq!(wakeups.list().await.unwrap()[0].worker, REVIVER);
    });
}

/// Returns wake-ups behind a scripted server.
async fn scripted(answers: Vec<Answer>) -> (Server, Arc<dyn Wakeups>) {
    let server = Server::start(answers);
    let (aws, _) = account(&server.url, "t", Arc::new(InstantClock::new())).await;
    let wakeups = aws.wakeups().unwrap();
    (server, wakeups)
}

#[test]
fn the_loser_of_a_create_race_updates() {
    block_on(async {
        let missing = Answer::error(404, "ResourceNotFoundException");
        let created = Answer::error(409, "ConflictException");
        let done = Answer::ok(json!({ "ScheduleArn": "arn" }));
        let (server, wakeups) = scripted(vec![missing, created, done]).await;
        wakeups.once("revive", &REVIVER, "2026-11-20T12:00:00Z".parse().unwrap()).await.unwrap();
        let [update, create] = ["PUT /schedules/revive", "POST /schedules/revive"];
        assert_eq!(server.operations(), [update, create, update]);
    });
}

#[test]
fn what_scheduler_cannot_keep_is_refused_before_it_is_asked() {
    block_on(async {
        let (server, wakeups) = scripted(vec![]).await;
        for seconds in [1, 59, 90] {
            let refused = wakeups.every("sweep", &REVIVER, Duration::from_secs(seconds)).await;
            assert!(matches!(&refused, Err(PortError::Invalid(why)) if why.contains("whole minutes")), "{refused:?}");
        }
        for name in ["", "revive now", "ünder", &"x".repeat(65)] {
            let refused = wakeups.once(name, &REVIVER, "2026-11-20T12:00:00Z".parse().unwrap()).await;
            assert!(matches!(&refused, Err(PortError::Invalid(why)) if why.contains("64 letters")), "{refused:?}");
        }
        assert!(server.operations().is_empty());
    });
}
