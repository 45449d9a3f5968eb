//! Tests that `infra/` deploys what `stint describe --json` describes.
//!
//! Each side is converted into a list of facts, such as "rank-fetcher: time-out in seconds" with 120, and the lists are
//! compared.

mod alarms;
mod deployed;
mod environment;
mod permissions;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use hcl::eval::{Context, Evaluate};
use hcl::{Expression, Value, value};
use stint_simulation::prices::MEMORY_MB;
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::next_worker::WORKER_WAKEUPS;

use crate::program::Program;
use deployed::{
    Deployment, Infra, POE_STASHES, WARCRAFTLOGS, attribute, body, context, labelled, module_text, text, text_of, texts,
};

/// The facts of one side: what a value is about, and the value.
type Facts = BTreeMap<String, String>;

/// Returns the facts from `stint describe`.
fn described(deployment: Deployment) -> Facts {
    let description = Program::new().json(&["describe"]);
    let fleets = description["fleets"].as_array().unwrap();
    let fleet = fleets.iter().find(|fleet| fleet["fleet"] == deployment.fleet).unwrap();
    let is_here = |name: &str| !deployment.elsewhere.contains(&name);
    let mut facts = Facts::new();
    for worker in fleet["workers"].as_array().unwrap() {
        let name = worker["name"].as_str().unwrap();
        if !is_here(name) {
            continue;
        }
        for field in ["timeout_seconds", "concurrency"] {
            facts.insert(format!("worker {name}: {field}"), worker[field].to_string());
        }
        for trigger in worker["triggers"].as_array().unwrap() {
            if let Some(seconds) = trigger.get("every_seconds") {
                // Below a minute, a function is started once a minute and sends a message for each slot.
                let seconds = seconds.as_u64().unwrap().max(60);
                facts.insert(format!("schedule of {name}: every_seconds"), seconds.to_string());
            }
            if trigger.get("aligned").is_some() {
                facts.insert(format!("schedule of {name}: aligned"), "true".to_owned());
            }
        }
    }
    for queue in fleet["queues"].as_array().unwrap().iter().filter(|queue| is_here(queue["feeds"].as_str().unwrap())) {
        let name = queue["queue"].as_str().unwrap();
        facts.insert(format!("queue {name}: feeds"), queue["feeds"].as_str().unwrap().to_owned());
        for field in ["batch", "visibility_timeout_seconds", "max_receives"] {
            facts.insert(format!("queue {name}: {field}"), queue[field].to_string());
        }
    }
    facts
}

/// Returns the program's description of the queue that feeds a worker which is not a function.
fn queue_of(deployment: Deployment, worker: &str) -> serde_json::Value {
    let description = Program::new().json(&["describe"]);
    let fleets = description["fleets"].as_array().unwrap();
    let fleet = fleets.iter().find(|fleet| fleet["fleet"] == deployment.fleet).unwrap();
    fleet["queues"].as_array().unwrap().iter().find(|queue| queue["feeds"] == worker).unwrap().clone()
}

/// Describes where the two sides differ.
fn differences(deployment: Deployment, deployed: &Facts) -> Vec<String> {
    let described = described(deployment);
    let about: BTreeSet<&String> = described.keys().chain(deployed.keys()).collect();
    let differing = about.into_iter().filter(|about| described.get(*about) != deployed.get(*about));
    let says = |facts: &Facts, about: &String| facts.get(about).map_or("nothing", String::as_str).to_owned();
    differing
        .map(|about| {
            let (program, infra) = (says(&described, about), says(deployed, about));
            format!("{about}: `stint describe` says {program}, infra/modules/{} says {infra}", deployment.fleet)
        })
        .collect()
}

#[test]
fn infra_deploys_what_is_described() {
    for (deployment, least) in [(WARCRAFTLOGS, 21), (POE_STASHES, 9)] {
        let deployed = Infra::read(deployment).facts();
        assert!(deployed.len() >= least, "only {} facts: the test would pass on nothing", deployed.len());
        let differences = differences(deployment, &deployed);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// No function consumes this queue, so no module creates it.
#[test]
fn the_queue_of_a_worker_that_runs_elsewhere_is_as_described() {
    let (described, infra) = (queue_of(POE_STASHES, "indexer"), Infra::read(POE_STASHES));
    let queue = infra.resource("aws_sqs_queue", "stored_pages");
    assert_eq!(infra.shown(queue, "name"), described["queue"].as_str().unwrap());
    assert_eq!(infra.shown(queue, "visibility_timeout_seconds"), described["visibility_timeout_seconds"].to_string());
    let Some(Expression::FuncCall(encode)) = attribute(queue, "redrive_policy") else { panic!("{queue:?}") };
    let Some(Expression::Object(policy)) = encode.args.first() else { panic!("{encode:?}") };
    let receives = policy.iter().find(|(key, _)| key.to_string() == "maxReceiveCount").unwrap().1;
    assert_eq!(receives.to_string(), described["max_receives"].to_string());
}

#[test]
fn a_difference_names_both_sides() {
    let changed = |from: &str, to: &str| {
        let text = module_text(WARCRAFTLOGS.fleet);
        assert!(text.contains(from), "{from}");
        differences(WARCRAFTLOGS, &Infra::of(&text.replacen(from, to, 1), "stint").facts())
    };
    assert_eq!(
        changed("every_minutes = 180", "every_minutes = 60"),
        ["schedule of aggregator: every_seconds: `stint describe` says 10800, infra/modules/warcraftlogs says 3600"]
    );
    assert_eq!(
        changed("max_receives               = 5", ""),
        [
            "queue wcl-discovered-players: max_receives: `stint describe` says 5, infra/modules/warcraftlogs says nothing"
        ]
    );
    // Two facts about the worker and one about its schedule are missing on one side and unknown on the other.
    assert_eq!(changed("= \"reviver\"", "= \"revivor\"").len(), 6);
}

#[test]
fn a_message_is_its_workers_for_six_time_outs() {
    let deployed = Infra::read(WARCRAFTLOGS).facts();
    let number = |about: &str| deployed[about].parse::<u64>().unwrap();
    for (queue, worker) in [("wcl-discovered-players", "rank-fetcher"), ("wcl-refresh-players", "refresher")] {
        let visibility = number(&format!("queue {queue}: visibility_timeout_seconds"));
        assert_eq!(visibility, 6 * number(&format!("worker {worker}: timeout_seconds")), "{queue}");
    }
}

#[test]
fn every_worker_has_memory_and_the_bill_counts_with_it() {
    let infra = Infra::read(WARCRAFTLOGS);
    for (name, call) in infra.calls("worker") {
        assert!(infra.value(call, "memory_mb").is_some_and(|memory| memory.as_u64() >= Some(128)), "{name}");
    }
    let fetcher = infra.value(infra.worker("rank-fetcher").unwrap(), "memory_mb");
    assert_eq!(fetcher, Some(MEMORY_MB.into()), "`stint simulate` prints the bill of another memory");
}

#[test]
fn only_workers_that_call_the_api_read_its_keys() {
    let mut infra = Infra::read(WARCRAFTLOGS);
    let readers = |infra: &Infra| -> BTreeSet<String> {
        let names = infra.calls("worker").map(|(_, call)| infra.shown(call, "name"));
        names.filter(|name| infra.secrets(name).contains("WCL_KEYS")).collect()
    };
    assert_eq!(readers(&infra), ["rank-fetcher", "refresher", "reviver"].map(str::to_owned).into());
    for (variable, value) in [("discovery_source", Value::from("reports")), ("rules_name_servers", true.into())] {
        let without = infra.variables.insert(variable.to_owned(), value).unwrap();
        assert_eq!(readers(&infra), ["discover", "rank-fetcher", "refresher", "reviver"].map(str::to_owned).into());
        infra.variables.insert(variable.to_owned(), without);
    }
}

/// Returns the strings in a list that contains nothing else.
fn list(list: &Expression) -> BTreeSet<String> {
    texts(&list.evaluate(&Context::new()).unwrap())
}

#[test]
fn the_planners_may_set_the_fleets_wake_up() {
    assert_eq!(Infra::read(WARCRAFTLOGS).local("wakeup").to_string(), format!("\"{REVIVE}\""));
}

#[test]
fn a_worker_that_starts_the_next_one_may_set_its_wake_up_and_no_other() {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (wakeup, _, set_by) in WORKER_WAKEUPS {
        let wakeup = if wakeup.ends_with('-') { format!("{wakeup}*") } else { wakeup.to_owned() };
        for worker in set_by {
            expected.entry((*worker).to_owned()).or_default().insert(wakeup.clone());
        }
    }
    let infra = Infra::read(WARCRAFTLOGS);
    let Expression::Object(handovers) = infra.local("handovers") else { panic!("an object") };
    let deployed: BTreeMap<String, BTreeSet<String>> =
        handovers.iter().map(|(worker, wakeups)| (worker.to_string(), list(wakeups))).collect();
    assert_eq!(deployed, expected);
    let Expression::Object(roles) = infra.local("handing_over") else { panic!("an object") };
    let roles: BTreeSet<String> = roles.iter().map(|(worker, _)| worker.to_string()).collect();
    assert_eq!(roles, expected.into_keys().collect(), "each with its role");
}

/// Lambda stops a function that its own messages have started sixteen times in a row, unless it is told that this is
/// intended. The rights say which functions send to a queue that feeds them.
#[test]
fn a_worker_that_may_send_to_its_own_queue_may_do_so_without_end() {
    for (deployment, least) in [(WARCRAFTLOGS, 2), (POE_STASHES, 1)] {
        let infra = Infra::read(deployment);
        let feeding = infra.workers_that_feed_themselves();
        assert!(feeding.len() >= least, "only {feeding:?}: the test would pass on nothing");
        let allowed: BTreeSet<String> = infra
            .calls("worker")
            .filter(|(_, call)| infra.value(call, "feeds_itself") == Some(true.into()))
            .map(|(module, _)| module)
            .collect();
        assert_eq!(allowed, feeding, "infra/modules/{}", deployment.fleet);
    }
    let worker = body(&module_text("worker"));
    let (_, config) =
        labelled(&worker, "resource").find(|(kind, _)| kind == "aws_lambda_function_recursion_config").unwrap();
    assert_eq!(attribute(config, "recursive_loop").map(ToString::to_string).as_deref(), Some("\"Allow\""));
    assert_eq!(attribute(config, "count").map(ToString::to_string).as_deref(), Some("var.feeds_itself ? 1 : 0"));
}

#[test]
fn scheduler_may_start_every_worker_that_has_wake_ups() {
    let description = Program::new().json(&["describe"]);
    let fleets = description["fleets"].as_array().unwrap();
    let workers = fleets.iter().filter(|fleet| fleet["fleet"] == WARCRAFTLOGS.fleet);
    let workers: Vec<&serde_json::Value> = workers.flat_map(|fleet| fleet["workers"].as_array().unwrap()).collect();
    let has_wakeups = |worker: &&&serde_json::Value| {
        worker["triggers"].as_array().unwrap().iter().any(|trigger| trigger["trigger"] == "wakeup")
    };
    let woken: BTreeSet<String> =
        workers.iter().filter(has_wakeups).map(|worker| worker["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(list(Infra::read(WARCRAFTLOGS).local("woken")), woken);
    let handed: BTreeSet<String> = WORKER_WAKEUPS.iter().map(|(_, worker, _)| (*worker).to_owned()).collect();
    assert!(handed.is_subset(&woken), "{handed:?} of {woken:?}");
}

/// The provider is passed to the fleet's module.
#[test]
fn what_a_fleet_is_made_of_is_tagged_with_its_name() {
    let mut context = context(value!({ region = "eu-west-1" }));
    context.declare_var("local", value!({ tags = { project = "stint" } }));
    for Deployment { fleet, .. } in [WARCRAFTLOGS, POE_STASHES] {
        let root = body(&text(&format!("{fleet}.tf")));
        let (_, provider) = labelled(&root, "provider").next().unwrap();
        let tags = provider.body().blocks().find(|block| block.identifier() == "default_tags").unwrap();
        let tags = attribute(tags, "tags").unwrap().evaluate(&context).unwrap();
        assert_eq!(tags, value!({ project = "stint", fleet = (fleet) }));
        let alias = attribute(provider, "alias").unwrap().evaluate(&context).unwrap();
        let (_, call) = labelled(&root, "module").next().unwrap();
        let Some(Expression::Object(providers)) = attribute(call, "providers") else { panic!("{call:?}") };
        let providers: Vec<String> = providers.iter().map(|(name, given)| format!("{name} = {given}")).collect();
        assert_eq!(providers, [format!("aws = aws.{}", text_of(&alias))]);
        assert_eq!(attribute(call, "source").unwrap().to_string(), format!("\"./modules/{fleet}\""));
    }
}
