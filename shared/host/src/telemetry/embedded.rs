//! Metrics as lines of a log, in CloudWatch's embedded metric format: what Lambda collects without a call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stint_core::clock::to_millis;
use stint_core::telemetry::{Metric, NAMESPACE, Unit};

use super::meter::Meter;

/// A metric and its new values.
type Measured = (Metric, Vec<f64>);

/// What is new in `meter`, as lines without line ends: one for each key, queue and worker, since a line has one value
/// for each of its dimensions.
pub(super) fn lines(meter: &Meter, now: Timestamp) -> Vec<String> {
    let mut groups: BTreeMap<(&str, String), Vec<Measured>> = BTreeMap::new();
    for (metric, of, values) in meter.take_fresh() {
        groups.entry((metric.dimension().name(), of)).or_default().push((metric, values));
    }
    groups.into_iter().map(|((dimension, of), metrics)| line(dimension, of, &metrics, now)).collect()
}

fn line(dimension: &str, of: String, metrics: &[Measured], now: Timestamp) -> String {
    let definitions: Vec<Value> =
        metrics.iter().map(|(metric, _)| json!({ "Name": metric.name(), "Unit": unit(*metric) })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[dimension]], "Metrics": definitions });
    let mut line = Map::new();
    line.insert("_aws".into(), json!({ "Timestamp": to_millis(now), "CloudWatchMetrics": [directive] }));
    line.insert(dimension.into(), Value::String(of));
    for (metric, values) in metrics {
        let value = if let [value] = values[..] { json!(value) } else { json!(values) };
        line.insert(metric.name().into(), value);
    }
    Value::Object(line).to_string()
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Count => "Count",
        Unit::Seconds => "Seconds",
    }
}
