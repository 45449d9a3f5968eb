//! Completes a response: what the route implies, conditional requests, compression, and the form of errors.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, header};
use serde_json::json;
use stint_core::clock::Clock;
use stint_core::http::{Body, Cache, Response, Route};
use stint_core::worker::WorkerError;

use super::head::Head;
use super::{compress, cors, events};

/// A response that is ready to be sent.
pub struct Completed {
    /// The status.
    pub status: StatusCode,
    /// The headers. Those of a whole body include its length.
    pub headers: HeaderMap,
    /// The body.
    pub body: CompletedBody,
}

/// The body of a response that is ready to be sent.
pub enum CompletedBody {
    /// The whole body; empty for a HEAD request, whatever the length in the headers.
    Whole(Bytes),
    /// Pieces. An error breaks the response off.
    Chunks(BoxStream<'static, Result<Bytes, WorkerError>>),
    /// Pieces of a body without an end, which the host ends when it stops.
    Events(BoxStream<'static, Result<Bytes, WorkerError>>),
}

/// Completes `response` to the request `id`. `route` is `None` if no route has the path.
pub(super) async fn complete(
    response: Response,
    head: &Head,
    route: Option<&Route>,
    id: &str,
    clock: &Arc<dyn Clock>,
) -> Completed {
    let response = match route {
        Some(route) => cors::expose(response, head, route.cors),
        None => response,
    };
    let mut headers = HeaderMap::with_capacity(8);
    let (status, mut body) = match (StatusCode::from_u16(response.status), write_headers(&response, &mut headers)) {
        (Ok(status), Ok(())) if !status.is_informational() => (status, response.body),
        (_, written) => {
            let reason = written.err().unwrap_or_else(|| format!("the status {}", response.status));
            tracing::error!(request_id = id, "a worker returned an invalid response: {reason}");
            headers.clear();
            (StatusCode::INTERNAL_SERVER_ERROR, super::call::internal_error().body)
        }
    };
    if let Body::Error { code, message } = body {
        let error = json!({ "error": { "code": code, "message": message, "request_id": id } });
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        body = Body::Bytes(error.to_string().into());
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    set_cache_control(&mut headers, status, route);
    let mut completed = if is_unchanged(head, status, &headers) {
        let unsent = [header::CONTENT_TYPE, header::CONTENT_LENGTH];
        unsent.iter().for_each(|name| drop(headers.remove(name)));
        Completed { status: StatusCode::NOT_MODIFIED, headers, body: CompletedBody::Whole(Bytes::new()) }
    } else {
        encode(status, headers, body, head, clock).await
    };
    if head.is_head() {
        completed.body = CompletedBody::Whole(Bytes::new());
    }
    completed
}

/// Fails with the name of a header that cannot be sent.
fn write_headers(response: &Response, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, value) in response.headers.iter() {
        let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (header_name, value) = pair.ok_or_else(|| format!("the header {name:?}"))?;
        headers.append(header_name, value);
    }
    Ok(())
}

fn set_cache_control(headers: &mut HeaderMap, status: StatusCode, route: Option<&Route>) {
    let is_kept = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if is_kept && headers.contains_key(header::CACHE_CONTROL) {
        return;
    }
    let value = match route.map(|route| route.cache).filter(|_| is_kept) {
        Some(Cache::Private(time)) => format!("private, max-age={}", time.as_secs()).parse().ok(),
        Some(Cache::Public(time)) => format!("public, max-age={}", time.as_secs()).parse().ok(),
        Some(Cache::NoStore) | None => None,
    };
    headers.insert(header::CACHE_CONTROL, value.unwrap_or(HeaderValue::from_static("no-store")));
}

/// Returns whether the caller already has this version of the response, by its `ETag`.
fn is_unchanged(head: &Head, status: StatusCode, headers: &HeaderMap) -> bool {
    let is_read = head.is_head() || head.method == "GET";
    let tag =
        headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|_| is_read && status == StatusCode::OK);
    let Some(tag) = tag else { return false };
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = head.headers.all("if-none-match").flat_map(|value| value.split(','));
    known.into_iter().any(|known| known.trim() == "*" || weak(known) == weak(tag))
}

async fn encode(
    status: StatusCode,
    mut headers: HeaderMap,
    body: Body,
    head: &Head,
    clock: &Arc<dyn Clock>,
) -> Completed {
    let gone = || CompletedBody::Whole(Bytes::new());
    let body = match body {
        Body::Bytes(body) => {
            let body = if is_compressed(&mut headers, head) { squeezed(body, &mut headers).await } else { body };
            // Neither may have a body, and 204 no length either.
            if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            }
            CompletedBody::Whole(body)
        }
        Body::Chunks(chunks) => match (chunks.take(), is_compressed(&mut headers, head)) {
            (Some(chunks), true) => {
                mark_gzip(&mut headers);
                CompletedBody::Chunks(compress::pieces(chunks))
            }
            (Some(chunks), false) => CompletedBody::Chunks(chunks),
            (None, _) => gone(),
        },
        Body::Events(stream) => {
            // Asks proxies such as nginx not to hold events back.
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            stream.take().map_or_else(gone, |stream| CompletedBody::Events(events::encoded(stream, clock.clone())))
        }
        // Written as JSON before.
        Body::Error { .. } => gone(),
    };
    Completed { status, headers, body }
}

/// Returns whether the body is sent compressed, if that makes it smaller. Says in the headers that this depends on the caller.
fn is_compressed(headers: &mut HeaderMap, head: &Head) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !compress::is_compressible(kind) || headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    head.accepts_gzip()
}

async fn squeezed(body: Bytes, headers: &mut HeaderMap) -> Bytes {
    match compress::whole(&body).await {
        Some(compressed) => {
            mark_gzip(headers);
            compressed
        }
        None => body,
    }
}

fn mark_gzip(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    // The bytes differ from the uncompressed ones, so the tag may only promise the same meaning.
    let strong = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        headers.insert(header::ETAG, weak);
    }
}
