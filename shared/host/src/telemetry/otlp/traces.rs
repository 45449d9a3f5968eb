//! Spans in OTLP's JSON encoding.

use serde_json::{Value, json};
use stint_core::telemetry::CALL;

use super::{Resource, attribute, nanos};
use crate::telemetry::spans::Span;

/// `SPAN_KIND_INTERNAL`, for an invocation.
const INTERNAL: u32 = 1;

/// `SPAN_KIND_CLIENT`, for a call to an upstream.
const CLIENT: u32 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;

/// Returns these spans as an `ExportTraceServiceRequest`.
pub(super) fn request(resource: &Resource, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(of_span).collect();
    json!({ "resourceSpans": [{
        "resource": resource.attributes(),
        "scopeSpans": [{ "scope": resource.scope(), "spans": spans }],
    }] })
}

fn of_span(span: &Span) -> Value {
    let error = span.fields.iter().find(|(name, _)| *name == "error").map(|(_, error)| error);
    let others = span.fields.iter().filter(|(name, _)| *name != "error");
    let attributes: Vec<Value> = others.map(|(name, value)| attribute(&format!("stint.{name}"), value)).collect();
    let mut written = json!({
        // This encoding writes bytes in hexadecimal, not in base64 as other JSON encodings of Protocol Buffers do.
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": if span.name == CALL { CLIENT } else { INTERNAL },
        "startTimeUnixNano": nanos(span.begun),
        "endTimeUnixNano": nanos(span.ended),
        "attributes": attributes,
    });
    if let Some(parent) = span.parent {
        written["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    if let Some(sampled) = span.sampled {
        written["flags"] = json!(u32::from(sampled));
    }
    if let Some(error) = error {
        written["status"] = json!({ "code": ERROR, "message": error });
    }
    written
}
