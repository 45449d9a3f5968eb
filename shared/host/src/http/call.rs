//! Calls a worker with a request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::http::{Request, Response};
use stint_core::worker::{AnyWorker, Event, StopSignal, WorkerError};

use super::slots::Slots;
use crate::invoke::invoke_until;

/// Waits for a free slot, calls the worker, and returns its response, or the one to its failure. What went wrong inside is
/// only logged.
pub(super) async fn call(
    worker: &dyn AnyWorker,
    slots: &Slots,
    request: Request,
    deadline: Timestamp,
    clock: &Arc<dyn Clock>,
    stop: &StopSignal,
) -> Response {
    let slot = match slots.try_take() {
        Some(slot) => slot,
        None => match select(Box::pin(slots.take()), clock.sleep_until(deadline)).await {
            Either::Left((slot, _)) => slot,
            Either::Right(_) => return busy(),
        },
    };
    let (id, request_id) = (worker.spec().id(), request.id.clone());
    let event = Event::Request(Box::new(request));
    let outcome = AssertUnwindSafe(invoke_until(worker, event, clock, deadline, stop)).catch_unwind().await;
    drop(slot);
    match outcome {
        Ok(Ok(outcome)) => outcome.response.unwrap_or_else(|| {
            tracing::error!(worker = %id, request_id, "{id} returned no response to request {request_id}");
            internal_error()
        }),
        Ok(Err(error @ WorkerError::TimedOut(_))) => {
            tracing::error!(worker = %id, request_id, %error, "{id}, request {request_id}: {error}");
            Response::error(504, "timeout", "this took too long")
        }
        Ok(Err(error)) => {
            tracing::error!(worker = %id, request_id, %error, "{id} failed at request {request_id}: {error}");
            internal_error()
        }
        Err(_) => {
            // The panic's text is on stderr.
            tracing::error!(worker = %id, request_id, "{id} panicked at request {request_id}");
            internal_error()
        }
    }
}

/// Returns the moment until which a request that arrives now may take.
pub(super) fn deadline(
    worker: &dyn AnyWorker,
    route_timeout: std::time::Duration,
    clock: &Arc<dyn Clock>,
) -> Timestamp {
    after(clock.now(), route_timeout.min(worker.spec().timeout))
}

/// The response to a failure. It says nothing about the inside.
pub(super) fn internal_error() -> Response {
    Response::error(500, "internal_error", "something went wrong; the log has details under the request id")
}

/// The response while a worker is paused.
pub(super) fn paused() -> Response {
    Response::error(503, "paused", "this is paused; try again later").with_header("retry-after", "30")
}

fn busy() -> Response {
    Response::error(503, "busy", "too many requests are being served; try again").with_header("retry-after", "1")
}
