//! Tests that the program measures what alarms and dashboards show.

use std::collections::BTreeSet;

use hcl::eval::{Context, Evaluate};
use hcl::{Value, value};
use stint_core::telemetry::{Metric, NAMESPACE};
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};

use super::deployed::{
    Deployment, Infra, POE_STASHES, WARCRAFTLOGS, attribute, body, context, field, installation, labelled, module_text,
    text_of, texts,
};
use crate::program::Program;

#[test]
fn every_upstream_has_an_alarm() {
    let shared = body(&module_text("watch"));
    let is_it = |block: &&hcl::Block| block.labels().iter().any(|label| label.as_str() == "down");
    let alarm = shared.blocks().find(is_it).unwrap();
    let metric = attribute(alarm, "metric_name").unwrap().evaluate(&Context::new()).unwrap();
    assert_eq!(metric, Value::from(Metric::BreakerOpen.name()));
    let called = [
        (WARCRAFTLOGS, [stint_warcraftlogs::client::UPSTREAM, stint_warcraftlogs::discovery::SITE]),
        (POE_STASHES, [PAGES_UPSTREAM, HEAD_UPSTREAM]),
    ];
    for (deployment, upstreams) in called {
        let infra = Infra::read(deployment);
        let (_, watch) = infra.calls("watch").next().unwrap();
        assert_eq!(texts(&infra.value(watch, "upstreams").unwrap()), upstreams.map(str::to_owned).into());
    }
}

#[test]
fn charts_show_metrics_by_the_dimension_that_they_have() {
    for deployment in [WARCRAFTLOGS, POE_STASHES] {
        let infra = Infra::read(deployment);
        let (_, watch) = infra.calls("watch").next().unwrap();
        let charts = infra.value(watch, "charts").unwrap();
        for chart in charts.as_array().unwrap() {
            let lines = field(chart, "lines").as_object().unwrap();
            assert!(!lines.is_empty(), "{chart}");
            for line in lines.values() {
                let metric = Metric::named(field(line, "metric").as_str().unwrap());
                assert_eq!(
                    metric.map(|metric| metric.dimension().name()),
                    field(chart, "dimension").as_str(),
                    "{line}"
                );
            }
        }
    }
}

/// Returns the names of the metrics that a module's alarms are about, in the namespace of the workers.
fn alarmed(module: &str) -> Vec<String> {
    fn metrics(block: &hcl::Block) -> Vec<String> {
        let is_own = attribute(block, "namespace").is_some_and(|it| it.to_string().ends_with(".metrics_namespace"));
        let own = attribute(block, "metric_name").filter(|_| is_own);
        let own = own.map(|name| text_of(&name.evaluate(&Context::new()).unwrap()));
        block.body().blocks().flat_map(metrics).chain(own).collect()
    }
    let module = body(&module_text(module));
    let alarms = labelled(&module, "resource").filter(|(kind, _)| kind == "aws_cloudwatch_metric_alarm");
    alarms.flat_map(|(_, alarm)| metrics(alarm)).collect()
}

/// Returns the names of the metrics that a fleet's charts show.
fn charted(deployment: Deployment) -> Vec<String> {
    let infra = Infra::read(deployment);
    let (_, watch) = infra.calls("watch").next().unwrap();
    let charts = infra.value(watch, "charts").unwrap();
    let lines = charts.as_array().unwrap().iter().flat_map(|chart| field(chart, "lines").as_object().unwrap().values());
    lines.map(|line| text_of(field(line, "metric"))).collect()
}

/// CloudWatch bills each metric that it receives. One that an alarm waits for and that is not sent would be worse.
#[test]
fn cloudwatch_receives_what_alarms_and_dashboards_use_and_nothing_else() {
    let charted = [WARCRAFTLOGS, POE_STASHES].into_iter().flat_map(charted);
    let alarmed = ["watch", WARCRAFTLOGS.fleet, POE_STASHES.fleet].into_iter().flat_map(alarmed);
    let used: BTreeSet<String> = charted.chain(alarmed).collect();
    let sent = Metric::ALL.into_iter().filter(|metric| metric.is_on_cloudwatch());
    assert_eq!(sent.map(|metric| metric.name().to_owned()).collect::<BTreeSet<_>>(), used);
}

/// The metrics of the installation with the default prefix keep the namespace they had before prefixes existed.
#[test]
fn alarms_look_where_the_workers_metrics_are() {
    for (prefix, namespace) in [("stint", NAMESPACE), ("second", "Second")] {
        let installation = installation(prefix);
        assert_eq!(text_of(field(&installation, "metrics_namespace")), namespace);
        let environment = field(&installation, "environment");
        assert_eq!(text_of(field(environment, "STINT_METRICS_NAMESPACE")), namespace);
    }
    let own = |module: &str| -> BTreeSet<String> {
        let module = body(&module_text(module));
        let alarms = labelled(&module, "resource").filter(|(kind, _)| kind == "aws_cloudwatch_metric_alarm");
        let namespaces = alarms.filter_map(|(_, alarm)| attribute(alarm, "namespace").map(ToString::to_string));
        namespaces.filter(|namespace| !namespace.starts_with("\"AWS/")).collect()
    };
    assert_eq!(own("watch"), BTreeSet::from(["var.fleet.metrics_namespace".to_owned()]));
    for deployment in [WARCRAFTLOGS, POE_STASHES] {
        let expected = "var.installation.metrics_namespace".to_owned();
        assert_eq!(own(deployment.fleet), BTreeSet::from([expected]), "{}", deployment.fleet);
    }
}

/// Metrics are named by the realm, and `stint status` reports the same lag.
#[test]
fn alarms_are_about_the_realm_and_the_lag_that_are_set() {
    let mut infra = Infra::read(POE_STASHES);
    let mut alarms = |settings: Value| {
        infra.variables.insert("settings".to_owned(), settings);
        let mut context = context(Value::Object(infra.variables.clone()));
        context.declare_var("local", infra.locals());
        let of = |alarm, argument| {
            let alarm = infra.resource("aws_cloudwatch_metric_alarm", alarm);
            attribute(alarm, argument).unwrap().evaluate(&context).unwrap()
        };
        let stream = |alarm| text_of(&of(alarm, "dimensions").as_object().unwrap()["Stream"]);
        [stream("lag"), stream("lost_pages"), text_of(&of("lag", "threshold"))]
    };
    assert_eq!(alarms(value!({})), ["pc", "pc", "300"]);
    assert_eq!(alarms(value!({ POE_REALM = "sony", POE_LAG_ALARM_SECONDS = "60" })), ["sony", "sony", "60"]);
    let page = Program::new().succeed(&["describe", "--settings", "env"]);
    assert!(page.contains("# POE_REALM=pc\n") && page.contains("# POE_LAG_ALARM_SECONDS=300\n"), "other defaults");
}
