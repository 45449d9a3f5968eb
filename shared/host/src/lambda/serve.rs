//! The loop between Lambda's Runtime API and a host.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, select};
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use serde_json::Value;
use stint_core::clock::from_millis;
use stint_core::worker::StopSignal;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OnceCell, Semaphore};
use tracing::Instrument;

use super::LambdaHost;
use crate::telemetry;

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
        let span = tracing::error_span!("invocation", request_id = context.request_id);
        let shared = shared.clone();
        let respond = async move {
            let response = answer(&shared.0, &shared.1, payload, context.deadline).await;
            // Must be before the response: afterwards Lambda freezes the process.
            telemetry::flush().await;
            response
        };
        respond.instrument(span)
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
    let deadline = from_millis(i64::try_from(deadline_millis).unwrap_or(i64::MAX));
    host.handle(event, deadline).await.map_err(|error| failed("Stint.Worker", error.to_string()))
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
