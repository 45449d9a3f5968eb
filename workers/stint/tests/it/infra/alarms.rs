//! Tests that there are as many alarms, at the same cost, as `infra/README.md` says.

use hcl::{Block, Body, Expression};
use stint_core::telemetry::{Metric, MetricDimension};

use super::deployed::{Deployment, Infra, POE_STASHES, WARCRAFTLOGS, attribute, body, labelled, module_text, text};

/// Returns the entries of a variable of `modules/watch`, which list what is monitored for a fleet.
fn entries(infra: &Infra, name: &str) -> Vec<String> {
    let (_, watch) = infra.calls("watch").next().unwrap();
    match attribute(watch, name).unwrap() {
        Expression::Array(entries) => entries.iter().map(ToString::to_string).collect(),
        local => {
            assert_eq!(local.to_string(), format!("local.{name}"));
            let Expression::Object(entries) = infra.local(name) else { panic!("{name} is an object") };
            entries.values().map(ToString::to_string).collect()
        }
    }
}

/// Returns how many alarms a resource creates, and how many metrics they are billed for.
fn alarms(infra: &Infra, resource: &Block) -> (usize, usize) {
    let for_each = attribute(resource, "for_each").map(|each| each.to_string()).unwrap_or_default();
    let known = ["queues", "upstreams", "workers"].into_iter().find(|name| for_each.contains(&format!("var.{name}")));
    let mut each: Vec<String> = known.map_or(vec![String::new()], |name| entries(infra, name));
    if for_each.contains("if worker.fed_by_queue") {
        each.retain(|entry| entry.replace([' ', '\n'], "").contains("fed_by_queue=true"));
    }
    if for_each.contains("if entry.feeds != null") {
        each.retain(|entry| entry.contains("feeds"));
    }
    let queries = resource.body().blocks().filter(|query| query.body().blocks().next().is_some()).count();
    (each.len(), each.len() * queries.max(1))
}

/// Counts the alarms of a fleet, in its module and in the shared one, and their metrics.
fn counted(deployment: Deployment) -> (usize, usize) {
    let (infra, shared) = (Infra::read(deployment), body(&module_text("watch")));
    let made = |module: &Body| {
        let resources = labelled(module, "resource").filter(|(kind, _)| kind == "aws_cloudwatch_metric_alarm");
        resources.map(|(_, resource)| alarms(&infra, resource)).collect::<Vec<_>>()
    };
    let counts = [made(&shared), made(&infra.fleet)].concat();
    counts.iter().fold((0, 0), |(all, paid), (alarms, metrics)| (all + alarms, paid + metrics))
}

#[test]
fn the_readme_counts_alarms_and_their_metrics() {
    let ((first, metrics), (other, _)) = (counted(WARCRAFTLOGS), counted(POE_STASHES));
    assert!(first > 10 && metrics > first && other > 5, "{first} alarms of {metrics} metrics, and {other} alarms");
    let readme = text("README.md");
    assert!(readme.contains(&format!("| alarms | {first} | {other} |")), "there are {first} and {other} alarms");
    assert!(readme.contains(&format!("| alarms: {metrics} metrics × 0.10")), "there are {metrics} metrics");
    let double = metrics - first;
    assert!(double == 4 && readme.contains("since four alarms have two"), "{double} alarms have two metrics");
}

/// The fleet's own metrics, each of which is billed: those of a key, of a worker, and of an upstream.
#[test]
fn the_readme_counts_the_workers_metrics() {
    let sent = |dimension: MetricDimension| {
        let is_it = |metric: &Metric| metric.is_on_cloudwatch() && metric.dimension() == dimension;
        Metric::ALL.into_iter().filter(is_it).count()
    };
    let upstreams = entries(&Infra::read(WARCRAFTLOGS), "upstreams").len();
    let others = sent(MetricDimension::Worker) + sent(MetricDimension::Upstream) * upstreams;
    let (per_key, all) = (sent(MetricDimension::Key), Metric::ALL.len());
    let readme = text("README.md");
    let row = format!("| metrics of the workers: {per_key} a key and {others} more, × 0.30 |");
    let cost = |keys: usize| format!("{:.2}", (per_key * keys + others) as f64 * 0.30);
    assert!(readme.contains(&format!("{row} {} | {} |", cost(2), cost(3))), "{row}");
    assert!(readme.contains(&format!("all {all} of the program")), "{all}");
}
