//! Records an invocation in metrics and traces.

use jiff::Timestamp;
use stint_core::clock::between;
use stint_core::telemetry::{INVOCATION, Metric, TRACES};
use stint_core::worker::{Event, Outcome, WorkerError, WorkerSpec};
use tracing::field::Empty;
use tracing::{Span, info_span};

/// Records one invocation.
pub(crate) struct InvocationRecorder {
    worker: String,
    is_batch: bool,
    span: Span,
}

impl InvocationRecorder {
    /// Starts recording an invocation of `spec` by `event` that begins at `now`.
    pub(crate) fn begin(spec: &WorkerSpec, event: &Event, now: Timestamp) -> InvocationRecorder {
        let (trigger, messages) = match event {
            Event::Tick { .. } => ("tick", 0),
            Event::Batch(deliveries) => ("batch", deliveries.len()),
            Event::Request(_) => ("request", 0),
            Event::Manual(_) => ("manual", 0),
        };
        let worker = spec.id().to_string();
        Metric::Invocations.record(&worker, 1.0);
        if let Event::Tick { due, .. } = event {
            Metric::WakeDelay.record(&worker, between(*due, now).as_secs_f64());
        }
        if let Some(queue) = spec.queue().filter(|_| messages > 0) {
            Metric::Receives.record(queue.queue, messages as f64);
        }
        let span = info_span!(
            target: TRACES, INVOCATION, fleet = spec.fleet, worker, trigger, messages = messages as u64,
            outcome = Empty, error = Empty
        );
        InvocationRecorder { worker, is_batch: matches!(event, Event::Batch(_)), span }
    }

    /// Returns the span that the worker runs in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Records the end of the invocation.
    pub(crate) fn end(self, outcome: &Result<Outcome, WorkerError>) {
        let outcome_name = match outcome {
            Ok(outcome) if outcome.idle => "idle",
            Ok(_) => "done",
            Err(error) => {
                Metric::Failures.record(&self.worker, 1.0);
                self.span.record("error", error.to_string());
                "failed"
            }
        };
        if self.is_batch && outcome_name != "done" {
            Metric::Wasted.record(&self.worker, 1.0);
        }
        self.span.record("outcome", outcome_name);
    }
}
