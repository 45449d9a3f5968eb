//! The alarms are as many, and cost as much, as `infra/README.md` says.

use hcl::{Block, Expression};

use super::{attribute, body, labelled, local, text};

/// The entries of a local value of `alarms.tf`, without those of the other fleet.
fn entries(name: &str) -> Vec<String> {
    let Expression::FuncCall(merge) = local("alarms.tf", name) else { panic!("{name} is merged") };
    let Some(Expression::Object(entries)) = merge.args.last() else { panic!("{name} has entries of its own") };
    entries.values().map(|entry| entry.to_string()).collect()
}

/// How many alarms a resource makes, and how many metrics are paid for.
fn alarms(resource: &Block) -> (usize, usize) {
    let for_each = attribute(resource, "for_each").map(|each| each.to_string()).unwrap_or_default();
    let known = ["queues", "upstreams", "workers"].into_iter().find(|name| for_each.contains(&format!("local.{name}")));
    let mut each: Vec<String> = known.map_or(vec![String::new()], entries);
    if for_each.contains("if worker.fed_by_queue") {
        each.retain(|entry| entry.replace([' ', '\n'], "").contains("fed_by_queue=true"));
    }
    let queries = resource.body().blocks().filter(|query| query.body().blocks().next().is_some()).count();
    (each.len(), each.len() * queries.max(1))
}

#[test]
fn the_readme_counts_alarms_and_their_metrics() {
    let file = body(&text("alarms.tf"));
    let resources = labelled(&file, "resource").filter(|(kind, _)| kind == "aws_cloudwatch_metric_alarm");
    let counts: Vec<(usize, usize)> = resources.map(|(_, resource)| alarms(resource)).collect();
    let (count, metrics) = counts.iter().fold((0, 0), |(all, paid), (alarms, metrics)| (all + alarms, paid + metrics));
    assert!(count > 10 && metrics > count, "{counts:?}");
    let readme = text("README.md");
    assert!(readme.contains(&format!("the budget's notice | {count} |")), "there are {count} alarms");
    assert!(readme.contains(&format!("| alarms: {metrics} metrics × 0.10")), "there are {metrics} metrics");
}
