//! Metrics in OTLP's JSON encoding.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::telemetry::{Metric, MetricKind, MetricUnit};

use super::{Resource, attribute, nanos};
use crate::telemetry::meter::{BOUNDS, Recorded, Series};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: the next export makes up for one that is lost.
const CUMULATIVE: u32 = 2;

/// Returns everything recorded since `begun` as an `ExportMetricsServiceRequest`.
pub(super) fn request(resource: &Resource, recorded: &Recorded, begun: Timestamp, now: Timestamp) -> Value {
    let span = (nanos(begun), nanos(now));
    let metrics: Vec<Value> = recorded.iter().map(|(metric, series)| of_metric(*metric, series, &span)).collect();
    json!({ "resourceMetrics": [{
        "resource": resource.attributes(),
        "scopeMetrics": [{ "scope": resource.scope(), "metrics": metrics }],
    }] })
}

fn of_metric(metric: Metric, series: &BTreeMap<String, Series>, span: &(String, String)) -> Value {
    let points: Vec<Value> = series.iter().map(|(of, series)| point(metric, of, series, span)).collect();
    let unit = match metric.unit() {
        MetricUnit::Count => "1",
        MetricUnit::Seconds => "s",
    };
    let name = name(metric);
    match metric.kind() {
        MetricKind::Sum => json!({ "name": name, "unit": unit, "sum": {
            "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points,
        } }),
        MetricKind::Latest => json!({ "name": name, "unit": unit, "gauge": { "dataPoints": points } }),
        MetricKind::Distribution => json!({ "name": name, "unit": unit, "histogram": {
            "aggregationTemporality": CUMULATIVE, "dataPoints": points,
        } }),
    }
}

fn point(metric: Metric, of: &str, series: &Series, (begun, now): &(String, String)) -> Value {
    let dimension = format!("stint.{}", metric.dimension().name().to_lowercase());
    let mut point = json!({
        "attributes": [attribute(&dimension, &json!(of))], "startTimeUnixNano": begun, "timeUnixNano": now,
    });
    match metric.kind() {
        MetricKind::Sum => point["asDouble"] = json!(series.sum),
        MetricKind::Latest => point["asDouble"] = json!(series.last),
        MetricKind::Distribution => {
            // This encoding writes 64-bit integers as strings.
            let buckets: Vec<String> = series.buckets.iter().map(u64::to_string).collect();
            point["count"] = json!(series.count.to_string());
            point["sum"] = json!(series.sum);
            point["bucketCounts"] = json!(buckets);
            point["explicitBounds"] = json!(BOUNDS);
        }
    }
    point
}

/// Returns the metric's name in OpenTelemetry's style: `PointsSpent` becomes `stint.points_spent`.
fn name(metric: Metric) -> String {
    let mut name = String::from("stint.");
    for (index, letter) in metric.name().chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
