//! What is exported and where, and what an export may cost.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use serde_json::{Value, json};
use stint_core::clock::{Clock, ManualClock};
use stint_core::telemetry::{CALL, INVOCATION, Metric, TRACES};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_testkit::drive;
use stint_testkit::otlp::{Received, attributes};
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::otlp::{EXPORT_TIMEOUT, Endpoint};
use super::{Lines, Telemetry, TraceParent, flush, logs};
use crate::config::{LogFormat, LogSettings};

/// How a collector treats exports.
enum CollectorBehaviour {
    Accepts,
    Hangs,
    Refuses,
}

/// A collector without a network.
struct Collector {
    manner: CollectorBehaviour,
    received: Received,
}

#[async_trait]
impl Transport for Collector {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        _limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        assert_eq!(request.headers()["content-type"], "application/json");
        self.received.add(request.uri().path(), request.body());
        let (status, said) = match self.manner {
            CollectorBehaviour::Accepts => (200, "{}"),
            CollectorBehaviour::Hangs => std::future::pending().await,
            CollectorBehaviour::Refuses => (401, "planted"),
        };
        let body = Body::whole(Bytes::from_static(said.as_bytes()));
        Ok(http::Response::builder().status(status).body(body).unwrap())
    }
}

/// Two outputs and a collector, for the code of this thread.
struct TelemetryWorld {
    clock: ManualClock,
    collector: Arc<Collector>,
    lines: SharedBuffer,
    log: SharedBuffer,
    _listening: DefaultGuard,
}

impl TelemetryWorld {
    fn new(manner: CollectorBehaviour) -> TelemetryWorld {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let collector = Arc::new(Collector { manner, received: Received::default() });
        let (lines, log) = (SharedBuffer::default(), SharedBuffer::default());
        let endpoint = Endpoint::new("http://collector:4318", None).unwrap();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let otlp = Some((endpoint, collector.clone() as _));
        let telemetry = Telemetry::new("test", shared, otlp, Some(Lines::new("Stint/two", lines.clone())));
        let settings = LogSettings { log: "trace".into(), log_format: LogFormat::Text };
        let writer = log.clone();
        let registry = tracing_subscriber::registry().with(logs::layer(&settings, move || writer.clone()).unwrap());
        let listening = tracing::subscriber::set_default(registry.with(telemetry.layer()));
        TelemetryWorld { clock, collector, lines, log, _listening: listening }
    }
}

/// A buffer that is written to and read later.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One second of work: one call within an invocation.
async fn work(clock: &ManualClock) {
    Metric::WakeDelay.record("reviver", 2.5);
    Metric::WakeDelay.record("reviver", 70.0);
    for (key, spent) in [("key-1", 17_997.25), ("key-2", 3_600.0)] {
        Metric::PointsSpent.record(key, spent);
        Metric::PointsHeld.record(key, 125.0);
        Metric::PointsHeld.record(key, 0.0);
    }
    let invocation = info_span!(target: TRACES, INVOCATION, worker = "reviver", messages = 5_u64, error = "it failed");
    let call = info_span!(target: TRACES, parent: &invocation, CALL, key = "key-1", held = 125.5);
    async { clock.sleep(Duration::from_secs(1)).await }.instrument(call).instrument(invocation).await;
}

#[test]
fn an_invocations_metrics_are_lines_that_cloudwatch_reads() {
    let world = TelemetryWorld::new(CollectorBehaviour::Accepts);
    drive(&world.clock, async {
        work(&world.clock).await;
        flush().await;
        flush().await;
    });
    let text = world.lines.text();
    let directive = |dimension: &str, metrics: Value| {
        json!({ "Timestamp": 1_795_168_801_000_u64, "CloudWatchMetrics": [
            { "Namespace": "Stint/two", "Dimensions": [[dimension]], "Metrics": metrics }
        ] })
    };
    let points = json!([{ "Name": "PointsSpent", "Unit": "Count" }, { "Name": "PointsHeld", "Unit": "Count" }]);
    let expected = [
        json!({ "_aws": directive("Key", points.clone()), "Key": "key-1", "PointsSpent": 17_997.25, "PointsHeld": 0.0 }),
        json!({ "_aws": directive("Key", points), "Key": "key-2", "PointsSpent": 3_600.0, "PointsHeld": 0.0 }),
    ];
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, expected, "once, though it was flushed twice, and no metric that no alarm or chart uses");
}

/// The rules of the format, for every metric and any name.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
mod embedded_format {
    use super::*;

    /// The most bytes in a line: the limit of every log event, even where CloudWatch accepts more by now.
    const MAX_LINE: usize = 256 * 1024;
    const MAX_METRICS: usize = 100;
    const MAX_DIMENSIONS: usize = 30;
    /// The most characters in the name of a metric or a dimension, and in a namespace.
    const MAX_NAME: usize = 255;
    /// The most characters in a dimension's value.
    const MAX_VALUE: usize = 1024;
    /// The two units used here, of those that exist.
    const UNITS: [&str; 2] = ["Count", "Seconds"];

    #[test]
    fn every_metric_keeps_to_it() {
        let long = "x".repeat(2_000);
        for of in ["wcl-discovered-players", "Ånn 🦀\n", "", " ", &long] {
            let world = TelemetryWorld::new(CollectorBehaviour::Accepts);
            for metric in Metric::ALL {
                (0..3).for_each(|value| metric.record(of, f64::from(value)));
            }
            drive(&world.clock, flush());
            let seen: usize = world.lines.text().lines().map(check).sum();
            assert_eq!(seen, Metric::ALL.into_iter().filter(|metric| metric.is_on_cloudwatch()).count());
        }
    }

    /// Returns the number of metrics in the line.
    fn check(line: &str) -> usize {
        assert!(line.len() <= MAX_LINE);
        let line: Value = serde_json::from_str(line).unwrap();
        let now: u64 = 1_795_168_800_000;
        assert_eq!(line["_aws"]["Timestamp"].as_u64(), Some(now), "milliseconds");
        let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("{line}") };
        let in_namespaces = |char: char| char.is_ascii_alphanumeric() || ".-_/#:".contains(char);
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!(is_name(namespace) && namespace.chars().all(in_namespaces) && !namespace.starts_with("AWS/"));
        let [set] = &directive["Dimensions"].as_array().unwrap()[..] else { panic!("{line}") };
        let names: Vec<&str> = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!((1..=MAX_DIMENSIONS).contains(&names.len()));
        for name in names {
            let value = line[name].as_str().expect("a dimension is text at the top");
            assert!(is_name(name) && !name.starts_with(':') && value.len() <= MAX_VALUE, "{line}");
            assert!(value.chars().all(|char| matches!(char, ' '..='~')) && !value.trim().is_empty(), "{line}");
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=MAX_METRICS).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!(is_name(name) && UNITS.contains(&metric["Unit"].as_str().unwrap()), "{metric}");
            assert!(line[name].is_number(), "{metric}: {line}");
        }
        metrics.len()
    }

    fn is_name(name: &str) -> bool {
        (1..=MAX_NAME).contains(&name.len()) && name.is_ascii()
    }
}

#[test]
fn a_call_is_a_child_of_its_invocation_and_neither_is_in_the_log() {
    let world = TelemetryWorld::new(CollectorBehaviour::Accepts);
    drive(&world.clock, async {
        work(&world.clock).await;
        flush().await;
    });
    let spans = world.collector.received.spans();
    let [call, invocation] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((call.name.as_str(), invocation.name.as_str()), ("call", "invocation"));
    assert_eq!((&call.trace_id, &call.parent_span_id), (&invocation.trace_id, &invocation.span_id));
    assert_eq!((call.trace_id.len(), call.span_id.len(), invocation.parent_span_id.len()), (16, 8, 0));
    assert_eq!(call.end_time_unix_nano - call.start_time_unix_nano, 1_000_000_000);
    assert_eq!(invocation.status.as_ref().unwrap().message, "it failed");
    let of = |span, names: [&str; 2]| names.map(|name| attributes(span)[name].clone());
    assert_eq!(of(call, ["stint.key", "stint.held"]), ["key-1", "125.5"]);
    assert_eq!(of(invocation, ["stint.worker", "stint.messages"]), ["reviver", "5"]);
    assert_eq!((call.kind, invocation.kind), (3, 1), "a client's, and an internal one");
    assert_eq!(world.log.text(), "", "at the level trace");
}

#[test]
fn an_invocation_continues_the_trace_that_lambda_has_begun() {
    let world = TelemetryWorld::new(CollectorBehaviour::Accepts);
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    drive(&world.clock, async {
        TraceParent::parse(header).unwrap().scope(work(&world.clock)).await;
        flush().await;
    });
    let spans = world.collector.received.spans();
    let [call, invocation] = &spans[..] else { panic!("{spans:?}") };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&invocation.trace_id), "5759e988bd862e3fe1be46a994272793");
    assert_eq!(hex(&invocation.parent_span_id), "53995c3f42cd8ad8");
    assert_eq!((&call.trace_id, &call.parent_span_id), (&invocation.trace_id, &invocation.span_id));
    assert_eq!((call.flags, invocation.flags), (1, 1));
}

#[test]
fn otlp_has_sums_since_the_start() {
    let world = TelemetryWorld::new(CollectorBehaviour::Accepts);
    drive(&world.clock, async {
        for _ in 0..2 {
            work(&world.clock).await;
            flush().await;
        }
    });
    let points = world.collector.received.numbers();
    assert_eq!(points["stint.points_spent key-1"], 2.0 * 17_997.25);
    assert_eq!(points["stint.points_held key-1"], 0.0);
    assert_eq!(points["stint.wake_delay reviver"], 2.0 * 72.5, "what a histogram adds up to");
    assert_eq!(points["stint.wake_delay reviver count"], 4.0);
    assert_eq!(points["stint.wake_delay reviver up to 5"], 2.0);
}

#[test]
fn a_collector_that_hangs_costs_a_second_a_minute() {
    let world = TelemetryWorld::new(CollectorBehaviour::Hangs);
    drive(&world.clock, async {
        work(&world.clock).await;
        let begun = world.clock.now();
        flush().await;
        assert_eq!(world.clock.now().duration_since(begun), jiff::SignedDuration::try_from(EXPORT_TIMEOUT).unwrap());
        assert!(flush().now_or_never().is_some(), "not asked again");
        assert_eq!(world.collector.received.requests(), 2);
        world.clock.sleep(Duration::from_secs(60)).await;
        Metric::Calls.record("key-1", 1.0);
        flush().await;
        assert_eq!(world.collector.received.requests(), 3, "asked again after its rest");
    });
    let log = world.log.text();
    assert_eq!(
        log.matches("OTEL_EXPORTER_OTLP_ENDPOINT: telemetry exports are paused for 60 s: no answer within 1 s").count(),
        2
    );
}

#[test]
fn a_collector_that_refuses_is_not_quoted() {
    let world = TelemetryWorld::new(CollectorBehaviour::Refuses);
    drive(&world.clock, async {
        work(&world.clock).await;
        flush().await;
    });
    let log = world.log.text();
    assert!(log.contains("status 401 Unauthorized") && !log.contains("planted"), "{log}");
}

#[test]
fn nothing_is_collected_without_an_exporter() {
    Metric::Calls.record("key-1", 1.0);
    assert!(flush().now_or_never().is_some());
    assert!(super::flush_regularly().now_or_never().is_some());
}
