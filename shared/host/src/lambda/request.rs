//! Requests of API Gateway and of function URLs, in payload format 2.0, and their responses.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stint_core::clock::Clock;
use stint_core::http::{Fields, Response};
use stint_core::worker::WorkerError;

use crate::http::{BodyError, Completed, CompletedBody, Head, HttpApp};

/// The most bytes of a response, as JSON.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_RESPONSE: usize = 6 * 1024 * 1024;

/// A request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HttpEvent {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: HttpContext,
    #[serde(default)]
    domain_name: String,
    request_id: Option<String>,
    stage: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpContext {
    method: String,
    #[serde(default)]
    source_ip: String,
}

impl HttpEvent {
    /// Returns whether an event is a request.
    pub(super) fn is(event: &Value) -> bool {
        event.get("requestContext").is_some_and(|context| context.get("http").is_some())
    }

    fn head(&self) -> Head {
        let mut headers: Fields =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        if !self.cookies.is_empty() {
            headers.set("cookie", self.cookies.join("; "));
        }
        let context = &self.request_context;
        Head {
            method: context.http.method.clone(),
            path: self.path().to_owned(),
            // Function URLs pass the path on as it was sent; the gateway decodes it.
            path_is_decoded: !context.domain_name.contains(".lambda-url."),
            query: self.raw_query_string.clone(),
            headers,
            address: context.http.source_ip.clone(),
            id: context.request_id.clone(),
        }
    }

    /// Returns the path without the stage that the gateway has put before it.
    fn path(&self) -> &str {
        let stage = self.request_context.stage.as_deref().filter(|stage| *stage != "$default");
        let below = stage.and_then(|stage| self.raw_path.strip_prefix('/')?.strip_prefix(stage));
        match below {
            Some("") => "/",
            Some(below) if below.starts_with('/') => below,
            _ => &self.raw_path,
        }
    }

    fn body(&self, most: usize) -> Result<Bytes, BodyError> {
        let text = self.body.as_deref().unwrap_or_default();
        let body = if self.is_base64_encoded {
            STANDARD.decode(text).map_err(|_| BodyError::Broken)?
        } else {
            text.as_bytes().to_vec()
        };
        if body.len() > most { Err(BodyError::TooLarge) } else { Ok(body.into()) }
    }
}

/// Responds to a request by `deadline`. Streams are collected.
pub(super) async fn respond(app: &HttpApp, event: HttpEvent, deadline: Timestamp, clock: &dyn Clock) -> Value {
    let completed = app.respond(event.head(), deadline, async |most| event.body(most)).await;
    let Completed { status, headers, body } = completed;
    let refusal = match collect(body, deadline, clock).await {
        Ok(body) => {
            let response = written(status.as_u16(), &headers, &body);
            if response.to_string().len() <= MAX_RESPONSE {
                return response;
            }
            too_large()
        }
        Err(refusal) => refusal,
    };
    tracing::error!(path = event.path(), status = refusal.status, "the response to {} is not sent", event.path());
    let Completed { status, headers, body } = app.refuse(&event.head(), refusal).await;
    let body = collect(body, deadline, clock).await.unwrap_or_default();
    written(status.as_u16(), &headers, &body)
}

fn too_large() -> Response {
    Response::error(500, "response_too_large", "the response is larger than the 6 MB that a function may return")
}

/// Collects a body, or returns the response to what prevents it. Events are collected for as long as there is time.
async fn collect(body: CompletedBody, deadline: Timestamp, clock: &dyn Clock) -> Result<Bytes, Response> {
    match body {
        CompletedBody::Whole(body) => Ok(body),
        CompletedBody::Chunks(pieces) => match collect_pieces(pieces, deadline, clock).await? {
            (body, true) => Ok(body),
            (_, false) => Err(Response::error(504, "timeout", "this took too long")),
        },
        CompletedBody::Events(pieces) => collect_pieces(pieces, deadline, clock).await.map(|(body, _)| body),
    }
}

/// Returns what came until `deadline`, and whether that is all.
async fn collect_pieces(
    mut pieces: BoxStream<'static, Result<Bytes, WorkerError>>,
    deadline: Timestamp,
    clock: &dyn Clock,
) -> Result<(Bytes, bool), Response> {
    let mut body = BytesMut::new();
    let mut over = clock.sleep_until(deadline);
    loop {
        match select(pieces.next(), over).await {
            Either::Left((Some(Ok(piece)), rest)) => {
                body.extend_from_slice(&piece);
                over = rest;
            }
            Either::Left((Some(Err(error)), _)) => {
                tracing::error!(%error, "a response broke off: {error}");
                return Err(Response::error(500, "internal_error", "the response broke off"));
            }
            Either::Left((None, _)) => return Ok((body.freeze(), true)),
            Either::Right(_) => return Ok((body.freeze(), false)),
        }
        if body.len() > MAX_RESPONSE {
            return Err(too_large());
        }
    }
}

fn written(status: u16, headers: &HeaderMap, body: &Bytes) -> Value {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let values = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
    // The gateway sets the length, and there is no connection to close.
    let own = [header::SET_COOKIE, header::CONTENT_LENGTH, header::CONNECTION];
    let names = headers.keys().filter(|name| !own.contains(name));
    let joined: Map<String, Value> =
        names.map(|name| (name.as_str().to_owned(), values(name.clone()).join(", ").into())).collect();
    let plain = std::str::from_utf8(body).ok().filter(|_| !headers.contains_key(header::CONTENT_ENCODING));
    let mut response = json!({
        "statusCode": status,
        "headers": joined,
        "isBase64Encoded": plain.is_none(),
        "body": plain.map_or_else(|| STANDARD.encode(body), str::to_owned),
    });
    let cookies = values(header::SET_COOKIE);
    if !cookies.is_empty() {
        response["cookies"] = cookies.into();
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(changes: &[(&str, Value)]) -> HttpEvent {
        let mut event = json!({
            "version": "2.0", "rawPath": "/v1/a b", "rawQueryString": "a=1&a=2", "headers": {"X-Name": "1"},
            "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": true,
            "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.1"}, "stage": "v1", "requestId": "JKJa="},
        });
        for (pointer, value) in changes {
            *event.pointer_mut(pointer).unwrap() = value.clone();
        }
        assert!(HttpEvent::is(&event) && !HttpEvent::is(&json!({"requestContext": {}})));
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_request_is_read_as_the_gateway_writes_it() {
        let read = event(&[]);
        let head = read.head();
        assert_eq!((head.path.as_str(), head.path_is_decoded, head.method.as_str()), ("/a b", true, "POST"));
        assert_eq!((head.headers.get("cookie"), head.headers.get("x-name")), (Some("a=1; b=2"), Some("1")));
        assert_eq!((head.address.as_str(), head.id.as_deref()), ("192.0.2.1", Some("JKJa=")));
        assert_eq!((read.body(2), read.body(1)), (Ok(Bytes::from_static(b"hi")), Err(BodyError::TooLarge)));
        assert_eq!(event(&[("/body", json!("a"))]).body(9), Err(BodyError::Broken));
    }

    #[test]
    fn only_the_stage_itself_is_cut_from_the_path() {
        for (path, stage, expected) in
            [("/v1", "v1", "/"), ("/v1x/a", "v1", "/v1x/a"), ("/v1/a", "$default", "/v1/a"), ("/a", "v1", "/a")]
        {
            let read = event(&[("/rawPath", json!(path)), ("/requestContext/stage", json!(stage))]);
            assert_eq!(read.path(), expected, "{path}");
        }
    }
}
