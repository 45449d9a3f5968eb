//! The `tracing` layer that collects measurements and spans.

use std::fmt;

use serde_json::Value;
use stint_core::telemetry::{METRICS, Metric, TRACES};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::Telemetry;
use super::spans::Span;

/// Returns whether events and spans of this target are collected here instead of written to the log.
pub(super) fn is_telemetry_target(target: &str) -> bool {
    matches!(target, METRICS | TRACES)
}

impl<S> Layer<S> for Telemetry
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != METRICS {
            return;
        }
        let mut measured = MeasurementFields::default();
        event.record(&mut measured);
        if let Some(metric) = measured.metric {
            self.inner.meter.record(metric, &measured.of, measured.value);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| span.metadata().target() == TRACES) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Span>().map(|parent| (parent.trace, Some(parent.id), parent.sampled))
        });
        let above = above.or_else(outer_trace);
        let (ids, now) = (&self.inner.ids, self.inner.clock.now());
        let (trace, parent, sampled) = above.unwrap_or_else(|| (ids.trace(), None, None));
        let (id, name) = (ids.span(), span.name());
        let mut open = Span { trace, id, parent, sampled, name, begun: now, ended: now, fields: Vec::new() };
        attributes.record(&mut SpanFields(&mut open));
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Span>() {
            values.record(&mut SpanFields(open));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let closed = context.span(&id).and_then(|span| span.extensions_mut().remove::<Span>());
        if let Some(closed) = closed {
            self.inner.ended.push(Span { ended: self.inner.clock.now(), ..closed });
        }
    }
}

/// The fields of a measurement.
#[derive(Default)]
struct MeasurementFields {
    metric: Option<Metric>,
    of: String,
    value: f64,
}

impl Visit for MeasurementFields {
    fn record_f64(&mut self, _field: &Field, value: f64) {
        self.value = value;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "metric" => self.metric = Metric::named(value),
            _ => value.clone_into(&mut self.of),
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// The fields of a span.
struct SpanFields<'a>(&'a mut Span);

impl Visit for SpanFields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.set(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.set(field.name(), Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.set(field.name(), Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.set(field.name(), Value::from(format!("{value:?}")));
    }
}

/// Returns the trace that began outside this process and that the current work belongs to: its id, the span above, and
/// whether it is recorded.
#[cfg(feature = "lambda")]
fn outer_trace() -> Option<(u128, Option<u64>, Option<bool>)> {
    super::TraceParent::current().map(|above| (above.trace, above.span, above.sampled))
}

/// Only Lambda begins a trace for us.
#[cfg(not(feature = "lambda"))]
fn outer_trace() -> Option<(u128, Option<u64>, Option<bool>)> {
    None
}
