//! Tests what the real binary exports to a real receiver: the same numbers that it reports, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use stint_core::telemetry::{CALL, INVOCATION, Metric, MetricKind, MetricUnit};
use stint_testkit::otlp::{Received, attributes};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::program::{Program, text};

/// A receiver on loopback. It rejects everything that is not OTLP, and keeps it for the error message.
struct Receiver {
    address: String,
    received: Arc<Received>,
    _runtime: Runtime,
}

impl Receiver {
    fn start() -> Receiver {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Received::default());
        let router = Router::new().fallback(receive).with_state(received.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Receiver { address, received, _runtime: runtime }
    }

    fn program(&self) -> Program {
        Program::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", &self.address)
    }
}

async fn receive(
    State(received): State<Arc<Received>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    if uri.path().starts_with("/v1/") {
        received.add(uri.path(), &body);
        return (StatusCode::OK, "{}".into());
    }
    (StatusCode::UNAUTHORIZED, format!("{headers:?} {}", String::from_utf8_lossy(&body)))
}

#[test]
fn a_demo_exports_what_it_reports() {
    let receiver = Receiver::start();
    let program = receiver.program();
    let ran = program.run(&["demo", "--players", "120", "--keys", "1", "--window", "4", "--latency", "20", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let reported = |group: &str, name: &str| report[group][name].as_f64().unwrap();
    let numbers = receiver.received.numbers();
    let sum = |metric: &str| {
        let of = numbers.iter().filter(|(name, _)| name.split(' ').next() == Some(metric));
        of.map(|(_, value)| value).sum::<f64>()
    };
    assert_eq!(numbers["stint.receives wcl-discovered-players"], reported("queue", "received"));
    assert_eq!(sum("stint.parked"), reported("queue", "parked"));
    assert_eq!(sum("stint.invocations"), reported("invocations", "total"));
    assert_eq!(sum("stint.wasted"), reported("invocations", "wasted"));
    assert_eq!(sum("stint.refusals") + sum("stint.failures") + sum("stint.dead_letters"), 0.0);
    assert!(
        sum("stint.throttle_changes") > 0.0 && numbers["stint.wake_delay warcraftlogs/reviver count"] > 0.0,
        "{numbers:?}"
    );
    let demo = program.file("stint-demo");
    let keys = program.json(&["wcl", "keys", "--windows", "100", "--home", text(&demo)]);
    let windows = &keys["windows"]["total"];
    assert!(windows["windows"].as_u64().is_some_and(|closed| closed > 0), "{keys}");
    for (metric, column) in [("stint.points_spent", "spent"), ("stint.points_expired", "expired")] {
        let closed = windows[column].as_f64().unwrap();
        assert!((sum(metric) - closed).abs() < 1e-6, "{metric}: {} is not {closed}", sum(metric));
    }
    every_call_is_traced(&receiver.received, sum("stint.calls"), sum("stint.invocations"));
    let dropped = program.succeed(&["data", "export", "wcl", "dropped", "-", "--home", text(&demo)]);
    calls_end_as_the_upstream_says(&receiver.received, dropped.matches("never-classed").count());
}

/// Nothing fails in a demo except calls that contain a player without a class: their answer is an error for all
/// players, and does not report the cost. Such a player is requested again alone, and the other players of that call
/// are requested again too.
fn calls_end_as_the_upstream_says(received: &Received, never_classed: usize) {
    let spans = received.spans();
    let ranks = spans.iter().map(attributes).filter(|call| call.get("stint.operation").is_some_and(|it| it == "ranks"));
    let ended: BTreeMap<String, usize> = ranks.fold(BTreeMap::new(), |mut ended, call| {
        *ended.entry(call["stint.status"].clone()).or_default() += 1;
        ended
    });
    assert!(ended["answered"] > 0 && never_classed > 0 && ended["unpriced"] >= never_classed, "{ended:?}");
    assert_eq!(ended.len(), 2, "no call is lost, refused or too hasty: {ended:?}");
}

fn every_call_is_traced(received: &Received, calls: f64, invocations: f64) {
    let spans = received.spans();
    let named = |name: &'static str| spans.iter().filter(move |span| span.name == name);
    assert_eq!((named(CALL).count() as f64, named(INVOCATION).count() as f64), (calls, invocations));
    let known: BTreeSet<&[u8]> = named(INVOCATION).map(|span| &*span.span_id).collect();
    for ranks in named(CALL).filter(|span| attributes(span)["stint.operation"] == "ranks") {
        let attributes = attributes(ranks);
        assert!(known.contains(&*ranks.parent_span_id), "{attributes:?}");
        assert!(attributes["stint.held"].parse::<f64>().unwrap() > 0.0);
        assert!(ranks.end_time_unix_nano >= ranks.start_time_unix_nano);
    }
    let workers: BTreeSet<String> = named(INVOCATION).map(|span| attributes(span)["stint.worker"].clone()).collect();
    let expected = ["aggregator", "db-generator", "discover", "rank-fetcher"];
    assert!(expected.iter().all(|name| workers.contains(&format!("warcraftlogs/{name}"))), "{workers:?}");
}

/// The upstream's error repeats the whole request, and the log is at its most detailed level.
#[test]
fn no_secret_is_exported_printed_or_logged() {
    let receiver = Receiver::start();
    let program = receiver
        .program()
        .with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20planted")
        .with("WCL_KEYS", "key-1:planted-key")
        .with("GIT_TOKEN", "planted-token")
        .with("WCL_TOKEN_URL", &format!("{}/token", receiver.address))
        .with("WCL_API_URL", &format!("{}/api", receiver.address))
        .with("STINT_METRICS", "emf")
        .with("STINT_LOG", "trace");
    let ran = program.run(&["run", "wcl/reviver"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let exported = receiver.received.text();
    assert!(ran.stdout.contains(r#""BreakerOpen":"#) && exported.contains("stint.invocations"), "{ran:?}");
    assert!(!ran.stdout.contains("Invocations"), "CloudWatch has those of its own: {ran:?}");
    let call = receiver.received.spans().into_iter().find(|span| span.name == CALL).unwrap();
    assert_eq!(attributes(&call)["stint.key"], "key-1");
    let basic = "a2V5LTE6cGxhbnRlZC1rZXk"; // key-1:planted-key
    for (place, text) in [("exported", &exported), ("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        assert!(!text.contains("planted") && !text.contains(basic), "{place}: {text}");
    }
}

/// A receiver that accepts connections and never answers.
#[test]
fn a_receiver_that_hangs_fails_no_work() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let program = Program::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", &address);
    let ran = program.run(&["run", "wcl/aggregator"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stderr.matches("OTEL_EXPORTER_OTLP_ENDPOINT: telemetry exports are paused for 60 s").count(),
        1,
        "{ran:?}"
    );
}

#[test]
fn an_invalid_endpoint_is_an_error_and_an_empty_one_is_unset() {
    let ran = Program::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", "collector").run(&["run", "wcl/aggregator"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT: it is a URL such as"), "{ran:?}");
    Program::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", "").succeed(&["run", "wcl/aggregator"]);
}

/// Parses `| name | dimension | kind | on AWS | … |`, in the order of the code.
#[test]
fn the_documentation_names_every_metric_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split("| metric |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: Vec<Vec<&str>> =
        rows.map(|row| row.split('|').skip(1).take(4).map(|cell| cell.trim().trim_matches('`')).collect()).collect();
    let expected: Vec<Vec<&str>> = Metric::ALL.into_iter().map(row).collect();
    assert_eq!(documented, expected);
}

fn row(metric: Metric) -> Vec<&'static str> {
    let kind = match (metric.kind(), metric.unit()) {
        (MetricKind::Sum, _) => "sum",
        (MetricKind::Latest, MetricUnit::Count) => "latest",
        (MetricKind::Latest, MetricUnit::Seconds) => "latest, seconds",
        (MetricKind::Distribution, MetricUnit::Seconds) => "spread, seconds",
        (MetricKind::Distribution, MetricUnit::Count) => "spread",
    };
    vec![metric.name(), metric.dimension().name(), kind, if metric.is_on_cloudwatch() { "yes" } else { "" }]
}
