//! Metrics as log lines in CloudWatch's embedded metric format, which Lambda collects without a call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! CloudWatch treats a line that breaks one of the format's rules as an ordinary log line and reports no error. It bills
//! each metric of each key, queue and worker by the month, so only those that an alarm or a chart uses are written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stint_core::clock::to_millis;
use stint_core::telemetry::{Metric, MetricUnit};

use super::meter::Meter;

/// The most bytes in a dimension's value. It must be printable ASCII, and not only blanks.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html>
const MAX_DIMENSION_VALUE: usize = 1024;

/// A metric and its new value.
type Measured = (Metric, f64);

/// Returns the new values in `meter` as lines without line ends: one line for each key, queue and worker, because a
/// line has one value per dimension.
pub(super) fn lines(meter: &Meter, namespace: &str, now: Timestamp) -> Vec<String> {
    let mut groups: BTreeMap<(&str, String), Vec<Measured>> = BTreeMap::new();
    for (metric, of, value) in meter.take_fresh().into_iter().filter(|(metric, ..)| metric.is_on_cloudwatch()) {
        groups.entry((metric.dimension().name(), of)).or_default().push((metric, value));
    }
    groups.into_iter().map(|((dimension, of), metrics)| line(namespace, (dimension, &of), &metrics, now)).collect()
}

fn line(namespace: &str, (dimension, of): (&str, &str), metrics: &[Measured], now: Timestamp) -> String {
    let definitions: Vec<Value> =
        metrics.iter().map(|(metric, _)| json!({ "Name": metric.name(), "Unit": unit(*metric) })).collect();
    let directive = json!({ "Namespace": namespace, "Dimensions": [[dimension]], "Metrics": definitions });
    let mut line = Map::new();
    line.insert("_aws".into(), json!({ "Timestamp": to_millis(now), "CloudWatchMetrics": [directive] }));
    line.insert(dimension.into(), Value::String(dimension_value(of)));
    for (metric, value) in metrics {
        line.insert(metric.name().into(), json!(value));
    }
    Value::Object(line).to_string()
}

/// Converts the name of a key, a queue or a worker to a valid dimension value. Ids come from settings and may contain
/// anything.
fn dimension_value(of: &str) -> String {
    let printable = |char: char| if matches!(char, ' '..='~') { char } else { '?' };
    let value: String = of.trim().chars().take(MAX_DIMENSION_VALUE).map(printable).collect();
    if value.is_empty() { "?".to_owned() } else { value }
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        MetricUnit::Count => "Count",
        MetricUnit::Seconds => "Seconds",
    }
}
