//! The Runtime API of one execution environment. <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

/// Receives the function's response, or the error that it reports.
type Answer = oneshot::Sender<Result<Value, String>>;

/// An event on its way to the function.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) event: Value,
    pub(crate) deadline_millis: i64,
    pub(crate) answer: Answer,
}

/// State shared by the Runtime API and the caller of the function.
pub(crate) struct Shared {
    calls: AsyncMutex<mpsc::Receiver<Call>>,
    /// The invocation in progress, by its request id.
    pending: Mutex<Option<(String, Answer)>>,
    /// The number of times that the function has asked for an event.
    asked: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(calls: mpsc::Receiver<Call>) -> Arc<Shared> {
        Arc::new(Shared { calls: AsyncMutex::new(calls), pending: Mutex::default(), asked: watch::Sender::new(0) })
    }

    pub(crate) fn asked(&self) -> watch::Receiver<u64> {
        self.asked.subscribe()
    }

    fn answer(&self, id: &str, result: Result<Value, String>) -> StatusCode {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.take() {
            Some((expected, answer)) if expected == id => {
                // The caller may have given up.
                let _ = answer.send(result);
                StatusCode::ACCEPTED
            }
            other => {
                *pending = other;
                StatusCode::FORBIDDEN
            }
        }
    }
}

/// Returns the routes of the API.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
        .with_state(shared)
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.asked.send_modify(|asked| *asked += 1);
    let Some(call) = shared.calls.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Call { id, event, deadline_millis, answer } = call;
    *shared.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some((id.clone(), answer));
    let trace = format!("Root={};Parent=53995c3f42cd8ad8;Sampled=1", root(&id));
    let headers = [
        ("lambda-runtime-trace-id", trace),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_millis.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:stint".to_owned()),
    ];
    (headers, event.to_string()).into_response()
}

/// Returns the trace that X-Ray would begin for this invocation: the same one for the same id.
fn root(id: &str) -> String {
    let hash = id.bytes().fold(1_u64, |hash, byte| hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
    format!("1-5759e988-{hash:024x}")
}

async fn respond(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let answer = serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"));
    shared.answer(&id, answer)
}

async fn fail(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.answer(&id, Err(String::from_utf8_lossy(&body).into_owned()))
}
