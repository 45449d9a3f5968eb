//! Exports to a collector: OTLP over HTTP, encoded as JSON.
//!
//! This uses JSON instead of Protocol Buffers, and none of OpenTelemetry's crates: every collector accepts both
//! encodings on one port, and the two requests below are two short files, while the SDK with its exporter on the same
//! HTTP client adds 26 crates and 0.9 MB to every function. The tests decode what is sent with OpenTelemetry's own
//! types.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

mod endpoint;
mod metrics;
mod traces;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, join_all, select};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::{Clock, after, from_millis, is_pending, to_millis};
use stint_http::{RequestLimits, Transport};

pub(super) use endpoint::Endpoint;

use super::meter::Recorded;
use super::spans::Span;

/// The longest that an export may take. It delays a function's response.
pub(super) const EXPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a failed export: a collector that is down costs its time-out once a minute, not at each invocation.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The largest answer of a collector that is read.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The connection to a collector.
pub(super) struct Otlp {
    endpoint: Endpoint,
    resource: Resource,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    begun: Timestamp,
    rests_until: AtomicI64,
}

/// The exporting process.
pub(super) struct Resource {
    /// The service's name.
    pub(super) service: String,
    /// Distinguishes processes, because each has its own counts.
    pub(super) instance: u64,
}

impl Otlp {
    pub(super) fn new(
        endpoint: Endpoint,
        resource: Resource,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Otlp {
        let begun = clock.now();
        Otlp { endpoint, resource, transport, clock, begun, rests_until: AtomicI64::new(i64::MIN) }
    }

    /// Returns whether exports are paused after a failure.
    pub(super) fn is_paused(&self) -> bool {
        is_pending(from_millis(self.rests_until.load(Ordering::Relaxed)), PAUSE_AFTER_FAILURE, self.clock.now())
    }

    /// Exports both, or gives up after [`EXPORT_TIMEOUT`]. A failure is logged, and has no other effect.
    pub(super) async fn export(&self, recorded: &Recorded, spans: &[Span]) {
        let now = self.clock.now();
        let mut requests = Vec::new();
        if !recorded.is_empty() {
            let metrics = metrics::request(&self.resource, recorded, self.begun, now);
            requests.push(self.send(&self.endpoint.metrics, metrics));
        }
        if !spans.is_empty() {
            requests.push(self.send(&self.endpoint.traces, traces::request(&self.resource, spans)));
        }
        let sent = Box::pin(join_all(requests));
        let failure = match select(sent, self.clock.sleep(EXPORT_TIMEOUT)).await {
            Either::Left((sent, _)) => sent.into_iter().find_map(Result::err),
            Either::Right(_) => Some(format!("no answer within {} s", EXPORT_TIMEOUT.as_secs())),
        };
        if let Some(failure) = failure {
            let (host, rest) = (self.endpoint.traces.host().unwrap_or_default(), PAUSE_AFTER_FAILURE.as_secs());
            self.rests_until.store(to_millis(after(now, PAUSE_AFTER_FAILURE)), Ordering::Relaxed);
            tracing::warn!(host, "OTEL_EXPORTER_OTLP_ENDPOINT: telemetry exports are paused for {rest} s: {failure}");
        }
    }

    async fn send(&self, uri: &Uri, body: Value) -> Result<(), String> {
        let mut request = Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.endpoint.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let limits = RequestLimits { timeout: EXPORT_TIMEOUT, max_body: MAX_RESPONSE_BYTES };
        let answer = self.transport.send(request, limits).await.map_err(|error| error.to_string())?;
        // The collector's answer is left out: it may repeat a header.
        if answer.status().is_success() { Ok(()) } else { Err(format!("status {}", answer.status())) }
    }
}

impl Resource {
    fn attributes(&self) -> Value {
        let own = [
            attribute("service.name", &json!(self.service)),
            attribute("service.version", &json!(env!("CARGO_PKG_VERSION"))),
            attribute("service.instance.id", &json!(format!("{:016x}", self.instance))),
        ];
        json!({ "attributes": own })
    }

    fn scope(&self) -> Value {
        json!({ "name": "stint", "version": env!("CARGO_PKG_VERSION") })
    }
}

/// Returns an attribute, with text, an integer or a float as its value.
fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        Value::Number(number) if !number.is_f64() => json!({ "intValue": number.to_string() }),
        Value::Number(number) => json!({ "doubleValue": number }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": name, "value": value })
}

/// Returns nanoseconds since the epoch, as this encoding writes a 64-bit integer.
fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}
