//! Metrics as lines of a log, in CloudWatch's embedded metric format: what Lambda collects without a call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! A line that breaks one of the format's rules is a line of the log and nothing more: CloudWatch says nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stint_core::clock::to_millis;
use stint_core::telemetry::{Metric, Unit};

use super::meter::Meter;

/// Values of one metric in a line.
pub(super) const MAX_VALUES: usize = 100;

/// Bytes of a dimension's value. They are printable ASCII characters, and not all of them blanks.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html>
const MAX_DIMENSION_VALUE: usize = 1024;

/// A metric and its new values.
type Measured = (Metric, Vec<f64>);

/// What is new in `meter`, as lines without line ends: one for each key, queue and worker, since a line has one value
/// for each of its dimensions.
pub(super) fn lines(meter: &Meter, namespace: &str, now: Timestamp) -> Vec<String> {
    let mut groups: BTreeMap<(&str, String), Vec<Measured>> = BTreeMap::new();
    for (metric, of, values) in meter.take_fresh() {
        groups.entry((metric.dimension().name(), of)).or_default().push((metric, values));
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
    for (metric, values) in metrics {
        let value = if let [value] = values[..] { json!(value) } else { json!(values) };
        line.insert(metric.name().into(), value);
    }
    Value::Object(line).to_string()
}

/// What names a key, a queue or a worker, as CloudWatch takes it. Ids are what somebody has written into a setting.
fn dimension_value(of: &str) -> String {
    let printable = |char: char| if matches!(char, ' '..='~') { char } else { '?' };
    let value: String = of.trim().chars().take(MAX_DIMENSION_VALUE).map(printable).collect();
    if value.is_empty() { "?".to_owned() } else { value }
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Count => "Count",
        Unit::Seconds => "Seconds",
    }
}
