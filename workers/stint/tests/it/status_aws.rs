//! `stint status` of a deployment: the schedules are those of EventBridge Scheduler, and what it says of them is true.

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::Clock;
use stint_host::SystemClock;

use crate::cloud::Cloud;
use crate::home_fixture::block_on;
use crate::lambda_aws::{VISIBILITY, lambda_fleet};
use crate::lambda_fleet::{LambdaFleet, Workers, run, tick};
use crate::throttle::deployed;

/// The workers with a recurring schedule, its expression, and its state.
const SCHEDULES: [(&str, &str, &str); 4] = [
    ("discover", "rate(30 minutes)", "ENABLED"),
    ("aggregator", "cron(0 0/3 * * ? *)", "ENABLED"),
    ("reviver", "rate(10 minutes)", "ENABLED"),
    ("db-generator", "rate(1440 minutes)", "DISABLED"),
];

fn status(fleet: &LambdaFleet) -> Value {
    let status: Value = serde_json::from_str(&fleet.stint(&["status", "--json"])).unwrap();
    status["fleets"][0].clone()
}

fn schedule<'a>(status: &'a Value, name: &str) -> &'a Value {
    let all = status["schedules"].as_array().unwrap();
    all.iter().find(|schedule| schedule["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:#?}"))
}

fn hints(status: &Value) -> Vec<&str> {
    status["hints"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_fleet_of_functions_shows_its_schedules_and_what_they_have_done() {
    let Some(cloud) = Cloud::find() else { return };
    let fleet = lambda_fleet(&cloud, VISIBILITY);
    run(async {
        cloud.emulator.deploy(fleet.upstream.setting("wcl_keys"), &cloud.database).await;
        cloud.emulator.create_schedules("warcraftlogs", &SCHEDULES).await;
        let deployed = status(&fleet);
        assert_eq!(schedule(&deployed, "discover")["last_done"], Value::Null);
        let begun = SystemClock.now();
        fleet.add_rules("3");
        let workers = Workers::of(&fleet);
        while workers.discover.invoke(tick("discover")).await.unwrap()["rule"].is_string() {}
        workers.aggregator.invoke(tick("aggregator")).await.unwrap();
        check_schedules(&cloud, &status(&fleet), begun);
        let text = fleet.stint(&["status"]);
        assert!(text.contains("schedules   ") && !text.contains("never started"), "{text}");
        assert!(text.contains("discover starts discover: rate(30 minutes), next due "), "{text}");
        assert!(text.contains("db-generator starts db-generator: rate(1440 minutes), DISABLED\n"), "{text}");
        workers.terminate().await;
    });
}

fn check_schedules(cloud: &Cloud, status: &Value, begun: Timestamp) {
    let now = SystemClock.now();
    let time = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
    for (name, expression, state) in SCHEDULES {
        let shown = schedule(status, name);
        assert_eq!(
            (&shown["worker"], &shown["group"], &shown["expression"], &shown["enabled"]),
            (
                &json!(format!("warcraftlogs/{name}")),
                &json!(cloud.emulator.recurring()),
                &json!(expression),
                &json!(state == "ENABLED")
            )
        );
        let due = time(&shown["next_due"]);
        assert_eq!(due.is_some_and(|due| due > now), state == "ENABLED", "{shown}");
    }
    for done in ["discover", "aggregator"] {
        let at = time(&schedule(status, done)["last_done"]);
        assert!(at.is_some_and(|at| at >= begun && at <= now), "{done}: {at:?}");
    }
    // The wake-up that discovery has set is in the other group.
    let workers = status["workers"].as_array().unwrap();
    let next_run = |name: &str| workers.iter().find(|worker| worker["worker"] == name).unwrap()["next_run"].clone();
    assert!(next_run("discover").is_string() && next_run("reviver").is_string(), "{workers:#?}");
    assert_eq!(next_run("db-generator"), schedule(status, "db-generator")["next_due"], "disabled");
    let hints = hints(status);
    assert!(hints.iter().any(|hint| hint.starts_with("the schedule db-generator of the group ")), "{hints:?}");
    assert!(hints.iter().all(|hint| !hint.contains("stint up")), "{hints:?}");
}

/// The operator's settings name another group, or Terraform was never applied.
#[test]
fn a_deployment_without_schedules_says_so() {
    let Some(cloud) = Cloud::find() else { return };
    let fleet = lambda_fleet(&cloud, VISIBILITY);
    run(async {
        cloud.emulator.deploy(fleet.upstream.setting("wcl_keys"), &cloud.database).await;
        let status = status(&fleet);
        let hints = hints(&status);
        assert!(hints.iter().any(|hint| hint.contains("has no recurring schedule of the fleet")), "{hints:?}");
        assert!(hints.iter().all(|hint| !hint.contains("stint up")), "{hints:?}");
    });
}

/// Its functions are deployed, and the chain has not begun.
#[test]
fn a_fleet_without_wakeups_shows_its_schedules_too() {
    let Some(Cloud { emulator, .. }) = Cloud::find() else { return };
    let program = deployed(&emulator);
    block_on(async {
        for queue in ["poe-chain", "poe-stored-pages"] {
            for name in [emulator.queue(queue), format!("{}-dead-letters", emulator.queue(queue))] {
                emulator.create_queue(&name, json!({})).await;
            }
        }
        emulator.create_role().await;
        emulator.create_schedules("poe-stashes", &[("watcher", "rate(2 minutes)", "ENABLED")]).await;
    });
    let status = program.json(&["status", "poe"])["fleets"][0].clone();
    assert_eq!(schedule(&status, "watcher")["worker"], "poe-stashes/watcher");
    assert!(schedule(&status, "watcher")["next_due"].is_string(), "{status}");
    assert_eq!(hints(&status), ["no follower is at work on the chain: the watcher starts one at its next run"]);
    let text = program.succeed(&["status", "poe"]);
    assert!(text.contains("schedules   watcher starts watcher: rate(2 minutes), next due "), "{text}");
    assert!(!program.home().exists());
}
