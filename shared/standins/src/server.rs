//! A stand-in behind a real socket.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use http::StatusCode;
use stint_core::clock::Clock;
use tokio::net::TcpListener;

use crate::Upstream;

/// The largest request that a stand-in reads.
const LARGEST_REQUEST: usize = 4 * 1024 * 1024;

struct Served<U> {
    upstream: Arc<Mutex<U>>,
    clock: Arc<dyn Clock>,
}

/// Serves `upstream` over HTTP/1.1 until `shutdown` completes, then finishes the requests in progress.
///
/// The caller binds the listener, and must bind it to loopback only: a stand-in has no secrets and no defences.
pub async fn serve<U: Upstream + 'static>(
    upstream: Arc<Mutex<U>>,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new().fallback(answer::<U>).with_state(Arc::new(Served { upstream, clock }));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn answer<U: Upstream + 'static>(State(served): State<Arc<Served<U>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = http::Request::from_parts(head, body);
    let reply = {
        let mut upstream = served.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        upstream.handle(served.clock.now(), &request)
    };
    tracing::debug!(method = %request.method(), path = request.uri().path(), status = %reply.response.status(), "answered");
    if !reply.latency.is_zero() {
        served.clock.sleep(reply.latency).await;
    }
    let (transfer, clock) = (reply.transfer, served.clock.clone());
    reply.response.map(|body| {
        if transfer.is_whole() {
            return Body::from(body);
        }
        // The error makes the server close the connection within the body, after sending the bytes before it.
        let cut = async |_| {
            tokio::task::yield_now().await;
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
        };
        Body::from_stream(transfer.pieces(body, clock).or_else(cut))
    })
}
