//! The loop between Lambda's Runtime API and a host.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use jiff::Timestamp;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde_json::Value;
use stint_core::clock::{after, from_millis};
use stint_core::worker::StopSignal;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OnceCell, Semaphore};
use tracing::Instrument;
use tracing::field::Empty;

use super::LambdaHost;
use crate::telemetry::{self, TraceParent};

/// The year 2000 in milliseconds since the epoch: no invocation had a deadline before, and none may take as long.
const EARLIEST_DEADLINE: u64 = 946_684_800_000;

/// Serves invocations until SIGTERM. An invocation that is running then is finished and answered first.
///
/// `build` connects to whatever the worker needs. It runs within the first invocation and not before, so that the
/// function is ready at once. If it fails, that invocation fails, and the next one tries again.
///
/// No extension is registered for the sake of receiving SIGTERM: Lambda ends a function between two invocations, when
/// there is nothing to clean up.
pub async fn serve<B, F>(build: B, stop: StopSignal) -> Result<(), String>
where
    B: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<LambdaHost, String>> + Send,
{
    let shared = Arc::new((OnceCell::new(), build));
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let LambdaEvent { payload, context } = event;
        // Added to every log line of the invocation, whatever the log level.
        let span = tracing::error_span!("invocation", request_id = context.request_id, trace_id = Empty);
        let parent = span.in_scope(|| read_trace(context.xray_trace_id.as_deref()));
        if let Some(parent) = parent {
            span.record("trace_id", parent.root());
        }
        let shared = shared.clone();
        let respond = async move {
            let response = answer(&shared.0, &shared.1, payload, context.deadline).await;
            // Must be before the response: afterwards Lambda freezes the process.
            telemetry::flush().await;
            response
        };
        async move {
            match parent {
                Some(parent) => parent.scope(respond).await,
                None => respond.await,
            }
        }
        .instrument(span)
    });
    let idle = Arc::new(Semaphore::new(1));
    // Must be before the first event is requested: from then on Lambda may end the function.
    let sigterm = signal(SignalKind::terminate()).map_err(|error| format!("cannot wait for SIGTERM: {error}"))?;
    let terminated = terminated(sigterm, &stop, &idle);
    let runtime = Runtime::new(handler).layer(layer_fn(|inner| InFlightLayer { inner, idle: idle.clone() }));
    match select(pin!(runtime.run()), pin!(terminated)).await {
        Either::Left((ended, _)) => ended.map_err(|error| format!("Lambda's Runtime API: {error}")),
        Either::Right(((), _)) => Ok(()),
    }
}

/// Returns the trace that Lambda has begun for the invocation. A malformed header is ignored: it costs a link between two
/// traces, and no work.
fn read_trace(header: Option<&str>) -> Option<TraceParent> {
    let header = header?;
    let parent = TraceParent::parse(header);
    if parent.is_none() {
        tracing::debug!(header, "Lambda's trace header is malformed and ignored");
    }
    parent
}

async fn answer<B, F>(
    host: &OnceCell<LambdaHost>,
    build: &B,
    event: Value,
    deadline_millis: u64,
) -> Result<Value, Diagnostic>
where
    B: Fn() -> F,
    F: Future<Output = Result<LambdaHost, String>>,
{
    let failed = |kind: &str, message: String| {
        tracing::error!(error = message, "the invocation failed: {message}");
        Diagnostic { error_type: kind.to_owned(), error_message: message }
    };
    let host = host.get_or_try_init(build).await.map_err(|error| failed("Stint.Start", error))?;
    let deadline = read_deadline(host.clock.now(), deadline_millis);
    host.handle(event, deadline).await.map_err(|error| failed("Stint.Worker", error.to_string()))
}

/// Returns the deadline of an invocation. Lambda sends milliseconds since the epoch; `cargo lambda watch` sends how many are
/// left.
fn read_deadline(now: Timestamp, millis: u64) -> Timestamp {
    if millis < EARLIEST_DEADLINE {
        return after(now, Duration::from_millis(millis));
    }
    from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Completes after a SIGTERM, once no invocation is running.
async fn terminated(mut sigterm: Signal, stop: &StopSignal, idle: &Semaphore) {
    sigterm.recv().await;
    tracing::info!("SIGTERM: finishing the running invocation");
    stop.set();
    // The semaphore is never closed.
    let _ = idle.acquire().await;
}

/// Holds the semaphore from the arrival of an event until its response is sent.
struct InFlightLayer<S> {
    inner: S,
    idle: Arc<Semaphore>,
}

impl<S> Service<LambdaInvocation> for InFlightLayer<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = BoxFuture<'static, Result<(), Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (idle, response) = (self.idle.clone(), self.inner.call(invocation));
        Box::pin(async move {
            let _busy = idle.acquire().await;
            response.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_an_instant_or_the_time_that_is_left() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-20T10:10:00Z".parse().unwrap();
        assert_eq!(read_deadline(now, u64::try_from(later.as_millisecond()).unwrap()), later);
        assert_eq!(read_deadline(now, 600_000), later, "as cargo lambda sends it");
        assert!(read_deadline(now, 1_700_000_000_000) < now, "a deadline that has passed remains one");
        assert_eq!(read_deadline(now, u64::MAX), Timestamp::MAX);
    }
}
