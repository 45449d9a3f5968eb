//! The requests that a collector received, decoded with OpenTelemetry's own types instead of those of the exporter.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use serde::de::DeserializeOwned;

pub use opentelemetry_proto::tonic::trace::v1::Span;

/// The bodies of all requests, with the paths that they were sent to.
#[derive(Debug, Default)]
pub struct Received(Mutex<Vec<(String, Vec<u8>)>>);

impl Received {
    /// Adds a request.
    pub fn add(&self, path: &str, body: &[u8]) {
        self.lock().push((path.to_owned(), body.to_vec()));
    }

    /// The number of requests.
    pub fn requests(&self) -> usize {
        self.lock().len()
    }

    /// All requests as text, to search them for what must not be exported.
    pub fn text(&self) -> String {
        self.lock().iter().map(|(path, body)| format!("{path}\n{}\n", String::from_utf8_lossy(body))).collect()
    }

    /// All spans, in the order in which they ended.
    ///
    /// # Panics
    /// If a request is not valid OTLP.
    pub fn spans(&self) -> Vec<Span> {
        let requests: Vec<ExportTraceServiceRequest> = self.bodies("/v1/traces");
        let resources = requests.into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The values of each series in the last export, by the metric's name and its attribute, as in `stint.calls key-1`.
    /// A histogram has its sum under that name, and its count and its cumulative buckets under longer names.
    ///
    /// # Panics
    /// If a request is not valid OTLP.
    pub fn numbers(&self) -> BTreeMap<String, f64> {
        let requests: Vec<ExportMetricsServiceRequest> = self.bodies("/v1/metrics");
        let resources = requests.into_iter().flat_map(|request| request.resource_metrics);
        let metrics = resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
        metrics.flat_map(|metric| numbers(&metric)).collect()
    }

    fn bodies<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let received = self.lock();
        let bodies = received.iter().filter(|(to, _)| to == path);
        // A body that cannot be read is a failure that the test is there to find.
        bodies.map(|(_, body)| serde_json::from_slice(body).expect("a request as OTLP has it")).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attributes of a span as text, by name.
///
/// # Panics
/// If an attribute is neither text nor a number.
pub fn attributes(span: &Span) -> BTreeMap<&str, String> {
    span.attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
}

fn numbers(metric: &Metric) -> Vec<(String, f64)> {
    let named = |attributes: &[KeyValue]| format!("{} {}", metric.name, text(&attributes[0]));
    let number = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsDouble(value)) => (named(&point.attributes), value),
        // Stint exports no integer metrics.
        _ => panic!("{point:?}"),
    };
    match &metric.data {
        Some(Data::Sum(sum)) => {
            assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true), "cumulative, and never less");
            sum.data_points.iter().map(number).collect()
        }
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(number).collect(),
        Some(Data::Histogram(histogram)) => {
            let mut numbers = Vec::new();
            for point in &histogram.data_points {
                let name = named(&point.attributes);
                numbers.push((format!("{name} count"), point.count as f64));
                numbers.push((name.clone(), point.sum.unwrap_or(f64::NAN)));
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                let bounds = point.explicit_bounds.iter().zip(&point.bucket_counts);
                numbers.extend(bounds.map(|(bound, count)| (format!("{name} up to {bound}"), *count as f64)));
            }
            numbers
        }
        // The other kinds are not used here.
        other => panic!("{other:?}"),
    }
}

fn text(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        // The other kinds are not used here.
        other => panic!("{other:?}"),
    }
}
