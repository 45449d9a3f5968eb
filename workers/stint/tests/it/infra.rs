//! `infra/` deploys what `stint describe --json` describes.
//!
//! Both sides become lists of facts, such as "rank-fetcher: time-out in seconds" with 120, which are compared.

mod alarms;
mod environment;

use std::collections::{BTreeMap, BTreeSet};

use hcl::eval::{Context, Evaluate};
use hcl::{Block, Body, Expression, Map, Value};
use stint_core::telemetry::Metric;
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};
use stint_simulation::prices::MEMORY_MB;
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::handover::HANDOVERS;

use crate::program::Program;

/// A fleet, and what deploys it.
#[derive(Clone, Copy)]
struct Deployment {
    fleet: &'static str,
    file: &'static str,
    /// The local value that its workers have in common.
    installation: &'static str,
    /// Workers that run on a machine.
    elsewhere: &'static [&'static str],
}

const WARCRAFTLOGS: Deployment =
    Deployment { fleet: "warcraftlogs", file: "warcraftlogs.tf", installation: "installation", elsewhere: &[] };

/// The indexer writes a file.
const POE_STASHES: Deployment = Deployment {
    fleet: "poe-stashes",
    file: "poe-stashes.tf",
    installation: "poe_installation",
    elsewhere: &["indexer"],
};

const FLEET_FILE: &str = WARCRAFTLOGS.file;

/// What one side says: values by what they are about.
type Facts = BTreeMap<String, String>;

/// Terraform's files of the fleet.
struct Infra {
    fleet: Body,
    variables: Map<String, Value>,
}

impl Infra {
    fn read() -> Infra {
        Infra::of(&text(FLEET_FILE))
    }

    fn read_of(deployment: Deployment) -> Infra {
        Infra::of(&text(deployment.file))
    }

    /// With another text of the fleet's file.
    fn of(fleet: &str) -> Infra {
        let variables = body(&text("variables.tf"));
        let variables = labelled(&variables, "variable").filter_map(|(name, variable)| {
            let default = attribute(variable, "default")?;
            Some((name, default.evaluate(&Context::new()).unwrap()))
        });
        Infra { fleet: body(fleet), variables: variables.collect() }
    }

    /// The calls of a module, by the names that the fleet's file gives them.
    fn calls<'a>(&'a self, module: &'a str) -> impl Iterator<Item = (String, &'a Block)> {
        let source = Value::from(format!("./modules/{module}"));
        labelled(&self.fleet, "module").filter(move |(_, call)| self.value(call, "source") == Some(source.clone()))
    }

    /// An argument's value, with every variable at its default.
    fn value(&self, call: &Block, argument: &str) -> Option<Value> {
        let mut context = Context::new();
        context.declare_var("var", Value::Object(self.variables.clone()));
        attribute(call, argument).map(|expression| expression.evaluate(&context).unwrap())
    }

    /// A resource of the fleet's file.
    fn resource(&self, kind: &str, name: &str) -> &Block {
        let is_it = |block: &&Block| block.labels().iter().map(|label| label.as_str()).eq([kind, name]);
        self.fleet.blocks().filter(|block| block.identifier() == "resource").find(is_it).unwrap()
    }

    /// The call that deploys a worker, by the name that `stint describe` has for it.
    fn worker(&self, name: &str) -> Option<&Block> {
        self.calls("worker").map(|(_, call)| call).find(|call| self.value(call, "name") == Some(name.into()))
    }

    /// The secrets that a worker may read.
    fn secrets(&self, worker: &str) -> BTreeSet<String> {
        let secrets = self.value(self.worker(worker).unwrap(), "secrets").unwrap();
        secrets.as_array().unwrap().iter().map(|secret| secret.as_str().unwrap().to_owned()).collect()
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (_, call) in self.calls("worker") {
            let worker = text_of(&self.value(call, "name").unwrap());
            for argument in ["timeout_seconds", "concurrency"] {
                facts.insert(format!("worker {worker}: {argument}"), self.shown(call, argument));
            }
        }
        for (_, call) in self.calls("schedule") {
            let minutes = self.value(call, "every_minutes").and_then(|minutes| minutes.as_u64()).unwrap_or_default();
            facts.insert(format!("schedule of {}: every_seconds", self.fed(call)), (minutes * 60).to_string());
        }
        for (_, call) in self.calls("queue") {
            let queue = text_of(&self.value(call, "name").unwrap());
            facts.insert(format!("queue {queue}: feeds"), self.fed(call));
            for argument in ["batch", "visibility_timeout_seconds", "max_receives"] {
                facts.insert(format!("queue {queue}: {argument}"), self.shown(call, argument));
            }
        }
        facts
    }

    /// An argument's value as text.
    fn shown(&self, call: &Block, argument: &str) -> String {
        self.value(call, argument).map_or_else(|| "nothing".to_owned(), |value| text_of(&value))
    }

    /// The settings that every worker gets.
    fn environment(&self, deployment: Deployment) -> &Expression {
        let locals = self
            .fleet
            .blocks()
            .find(|block| block.identifier() == "locals" && attribute(block, deployment.installation).is_some());
        let installation = attribute(locals.unwrap(), deployment.installation);
        // One fleet's is that of another with some of it replaced.
        let installation = match installation {
            Some(Expression::FuncCall(merge)) => merge.args.last(),
            installation => installation,
        };
        let Some(Expression::Object(installation)) = installation else { panic!("{installation:?}") };
        let environment = installation.iter().find(|(key, _)| key.to_string() == "environment");
        environment.map(|(_, environment)| environment).unwrap()
    }

    /// The name of the worker that a call's `worker = module.…` leads to.
    fn fed(&self, call: &Block) -> String {
        let expression = attribute(call, "worker").unwrap().to_string();
        let called = expression.trim_start_matches("${").trim_end_matches('}').trim_start_matches("module.");
        // Of a fleet that may be left out there is one at the most.
        let called = called.trim_end_matches("[0]");
        let worker = self.calls("worker").find(|(module, _)| module == called);
        worker.map_or(expression.clone(), |(_, call)| self.shown(call, "name"))
    }
}

/// What the program says.
fn described() -> Facts {
    described_of(WARCRAFTLOGS)
}

fn described_of(deployment: Deployment) -> Facts {
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
                facts.insert(format!("schedule of {name}: every_seconds"), seconds.to_string());
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

/// What the program says of the queue that feeds a worker which runs elsewhere.
fn queue_of(deployment: Deployment, worker: &str) -> serde_json::Value {
    let description = Program::new().json(&["describe"]);
    let fleets = description["fleets"].as_array().unwrap();
    let fleet = fleets.iter().find(|fleet| fleet["fleet"] == deployment.fleet).unwrap();
    fleet["queues"].as_array().unwrap().iter().find(|queue| queue["feeds"] == worker).unwrap().clone()
}

/// Where the two sides differ, in words that name both.
fn differences(described: &Facts, deployed: &Facts) -> Vec<String> {
    let about: BTreeSet<&String> = described.keys().chain(deployed.keys()).collect();
    let differing = about.into_iter().filter(|about| described.get(*about) != deployed.get(*about));
    let says = |facts: &Facts, about: &String| facts.get(about).map_or("nothing", String::as_str).to_owned();
    differing
        .map(|about| {
            let (program, infra) = (says(described, about), says(deployed, about));
            format!("{about}: `stint describe` says {program}, infra/{FLEET_FILE} says {infra}")
        })
        .collect()
}

fn text(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../infra/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn body(text: &str) -> Body {
    hcl::parse(text).unwrap()
}

/// The blocks of a kind, by their label.
fn labelled<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = (String, &'a Block)> {
    let blocks = body.blocks().filter(move |block| block.identifier() == kind);
    blocks.filter_map(|block| Some((block.labels().first()?.as_str().to_owned(), block)))
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn infra_deploys_what_is_described() {
    let deployed = Infra::read().facts();
    assert!(deployed.len() > 20, "only {} facts: the test would pass on nothing", deployed.len());
    let differences = differences(&described(), &deployed);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn infra_deploys_the_other_fleet_as_it_is_described() {
    let (described, deployed) = (described_of(POE_STASHES), Infra::read_of(POE_STASHES).facts());
    assert!(deployed.len() >= 9, "{deployed:?}");
    let differences = differences(&described, &deployed);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Nobody's function consumes it, so that no module makes it.
#[test]
fn the_queue_of_a_worker_that_runs_elsewhere_is_as_described() {
    let (described, infra) = (queue_of(POE_STASHES, "indexer"), Infra::read_of(POE_STASHES));
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
        let text = text(FLEET_FILE);
        assert!(text.contains(from), "{from}");
        differences(&described(), &Infra::of(&text.replacen(from, to, 1)).facts())
    };
    assert_eq!(
        changed("every_minutes = 180", "every_minutes = 60"),
        ["schedule of aggregator: every_seconds: `stint describe` says 10800, infra/warcraftlogs.tf says 3600"]
    );
    assert_eq!(
        changed("max_receives               = 5", ""),
        ["queue wcl-discovered-players: max_receives: `stint describe` says 5, infra/warcraftlogs.tf says nothing"]
    );
    // Two facts of the worker and one of its schedule, missing on one side and unknown on the other.
    assert_eq!(changed("= \"reviver\"", "= \"revivor\"").len(), 6);
}

#[test]
fn a_message_is_its_workers_for_six_time_outs() {
    let deployed = Infra::read().facts();
    let number = |about: &str| deployed[about].parse::<u64>().unwrap();
    for (queue, worker) in [("wcl-discovered-players", "rank-fetcher"), ("wcl-refresh-players", "refresher")] {
        let visibility = number(&format!("queue {queue}: visibility_timeout_seconds"));
        assert_eq!(visibility, 6 * number(&format!("worker {worker}: timeout_seconds")), "{queue}");
    }
}

#[test]
fn every_worker_has_memory_and_the_bill_counts_with_it() {
    let infra = Infra::read();
    for (name, call) in infra.calls("worker") {
        assert!(infra.value(call, "memory_mb").is_some_and(|memory| memory.as_u64() >= Some(128)), "{name}");
    }
    let fetcher = infra.value(infra.worker("rank-fetcher").unwrap(), "memory_mb");
    assert_eq!(fetcher, Some(MEMORY_MB.into()), "`stint simulate` prints the bill of another memory");
}

#[test]
fn only_who_calls_the_api_reads_its_keys() {
    let mut infra = Infra::read();
    let readers = |infra: &Infra| -> BTreeSet<String> {
        let names = infra.calls("worker").map(|(_, call)| text_of(&infra.value(call, "name").unwrap()));
        names.filter(|name| infra.secrets(name).contains("WCL_KEYS")).collect()
    };
    assert_eq!(readers(&infra), ["rank-fetcher", "refresher", "reviver"].map(str::to_owned).into());
    for (variable, value) in [("discovery_source", Value::from("reports")), ("rules_name_servers", true.into())] {
        let without = infra.variables.insert(variable.to_owned(), value).unwrap();
        assert_eq!(readers(&infra), ["discover", "rank-fetcher", "refresher", "reviver"].map(str::to_owned).into());
        infra.variables.insert(variable.to_owned(), without);
    }
}

/// A local value of a file.
fn local(file: &str, name: &str) -> Expression {
    let body = body(&text(file));
    let mut locals = body.blocks().filter(|block| block.identifier() == "locals");
    locals.find_map(|block| attribute(block, name).cloned()).unwrap()
}

fn texts(list: &Expression) -> BTreeSet<String> {
    let list = list.evaluate(&Context::new()).unwrap();
    list.as_array().unwrap().iter().map(text_of).collect()
}

#[test]
fn every_upstream_has_an_alarm() {
    let alarms = text("alarms.tf");
    let (fleet, other) = (body(&alarms), text("poe-stashes.tf"));
    let alarm = fleet
        .blocks()
        .find(|block| block.labels().iter().map(|label| label.as_str()).eq(["aws_cloudwatch_metric_alarm", "down"]));
    let metric = attribute(alarm.unwrap(), "metric_name").unwrap().evaluate(&Context::new()).unwrap();
    assert_eq!(metric, Value::from(Metric::BreakerOpen.name()));
    for upstream in [stint_warcraftlogs::client::UPSTREAM, stint_warcraftlogs::discovery::SITE] {
        assert!(alarms.contains(&format!("{upstream:<17} = {{ prefix = local.prefix }}")), "{upstream}");
    }
    let names = [PAGES_UPSTREAM, HEAD_UPSTREAM].map(|name| format!("\"{name}\"")).join(", ");
    assert!(other.contains(&format!("for name in [{names}]")), "{names}");
}

#[test]
fn the_planners_may_set_the_fleets_wake_up() {
    assert_eq!(local("planning.tf", "wakeup").to_string(), format!("\"{REVIVE}\""));
}

#[test]
fn whoever_starts_the_next_worker_may_set_its_wake_up_and_no_other() {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (wakeup, _, set_by) in HANDOVERS {
        let wakeup = if wakeup.ends_with('-') { format!("{wakeup}*") } else { wakeup.to_owned() };
        for worker in set_by {
            expected.entry((*worker).to_owned()).or_default().insert(wakeup.clone());
        }
    }
    let Expression::Object(handovers) = local("planning.tf", "handovers") else { panic!("an object") };
    let deployed: BTreeMap<String, BTreeSet<String>> =
        handovers.iter().map(|(worker, wakeups)| (worker.to_string(), texts(wakeups))).collect();
    assert_eq!(deployed, expected);
    let Expression::Object(roles) = local("planning.tf", "handing_over") else { panic!("an object") };
    let roles: BTreeSet<String> = roles.iter().map(|(worker, _)| worker.to_string()).collect();
    assert_eq!(roles, expected.into_keys().collect(), "each with its role");
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
    assert_eq!(texts(&local("wakeups.tf", "woken")), woken);
    let handed: BTreeSet<String> = HANDOVERS.iter().map(|(_, worker, _)| (*worker).to_owned()).collect();
    assert!(handed.is_subset(&woken), "{handed:?} of {woken:?}");
}
