//! A stand-in for what stands before a function that serves HTTP: API Gateway's HTTP API, or a function URL. It translates
//! requests on a real socket to events of payload format 2.0, and back.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! It has the documented limits of the gateway: 10 MB of body, 10,240 bytes of address and headers, and 30 seconds. The
//! gateway decodes the path before the function gets it; a function URL does not.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::{BoxFuture, Either, select};
use serde_json::{Map, Value, json};
use stint_core::clock::{Clock, to_millis};
use stint_core::http::PathSegments;
use tokio::net::TcpListener;

/// The most bytes in the body of a request.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// The most bytes in the address and the headers of a request.
const MAX_HEAD: usize = 10_240;

/// How long the function may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The function: returns its response to an event, or the error that it reports.
pub type GatewayFunction = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// What stands before the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// An HTTP API with this stage, which stands before each path unless it is `$default`.
    Gateway {
        /// The stage.
        stage: &'static str,
    },
    /// A function URL.
    FunctionUrl,
}

struct Gateway {
    front: Front,
    function: GatewayFunction,
    clock: Arc<dyn Clock>,
    requests: AtomicU64,
}

/// Serves `function` behind `front` until `shutdown` completes, and then the requests in progress. The caller binds the
/// listener, and must bind it to loopback only.
pub async fn serve_gateway(
    listener: TcpListener,
    front: Front,
    function: GatewayFunction,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let gateway = Arc::new(Gateway { front, function, clock, requests: AtomicU64::new(0) });
    let service =
        Router::new().fallback(respond).with_state(gateway).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

async fn respond(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if head_bytes(&parts) > MAX_HEAD {
        return message(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let Some(event) = gateway.event(&parts, &body, peer) else {
        return message(StatusCode::BAD_REQUEST, "Bad Request");
    };
    match select((gateway.function)(event), gateway.clock.sleep(TIMEOUT)).await {
        Either::Left((Ok(response), _)) => translated(&response),
        Either::Left((Err(_), _)) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        Either::Right(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

impl Gateway {
    /// Returns the event of a request, or `None` if its path is malformed.
    fn event(&self, parts: &Parts, body: &Bytes, peer: SocketAddr) -> Option<Value> {
        let path = parts.uri.path();
        let decoded = || {
            let segments = PathSegments::of_encoded(path)?;
            Some(segments.as_slice().iter().map(|segment| format!("/{segment}")).collect::<String>())
        };
        let (path, stage, domain) = match self.front {
            Front::Gateway { stage } => {
                let path = decoded()?;
                (if path.is_empty() { "/".to_owned() } else { path }, stage, "abc.execute-api.eu-west-1.amazonaws.com")
            }
            Front::FunctionUrl => (path.to_owned(), "$default", "abc.lambda-url.eu-west-1.on.aws"),
        };
        let is_text = is_text(&parts.headers) && std::str::from_utf8(body).is_ok();
        let text = if is_text { String::from_utf8_lossy(body).into_owned() } else { STANDARD.encode(body) };
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": parts.uri.query().unwrap_or_default(),
            "headers": joined(&parts.headers),
            "requestContext": {
                "domainName": domain,
                "http": {
                    "method": parts.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": peer.ip().to_string(),
                },
                "requestId": format!("gateway-{}=", self.requests.fetch_add(1, Ordering::Relaxed)),
                "routeKey": "$default",
                "stage": stage,
                "timeEpoch": to_millis(self.clock.now()),
            },
            "isBase64Encoded": !is_text && !body.is_empty(),
        });
        if !body.is_empty() {
            event["body"] = text.into();
        }
        let cookies = texts(&parts.headers, &header::COOKIE);
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        Some(event)
    }
}

/// Returns the values of each header, joined by commas. Cookies are apart.
fn joined(headers: &HeaderMap) -> Map<String, Value> {
    let names = headers.keys().filter(|name| *name != header::COOKIE);
    names.map(|name| (name.as_str().to_owned(), texts(headers, name).join(",").into())).collect()
}

fn texts(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// Returns whether a body of this type is passed on as text.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/") || ["json", "xml", "javascript"].iter().any(|text| kind.contains(text))
}

fn head_bytes(parts: &Parts) -> usize {
    let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    parts.uri.to_string().len() + headers.sum::<usize>()
}

/// Translates the response of the function. One that is malformed is an internal error, as at the gateway.
fn translated(response: &Value) -> Response<Body> {
    let wrong = || message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let Some(status) = response["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()) else {
        return wrong();
    };
    let text = response["body"].as_str().unwrap_or_default();
    let body = if response["isBase64Encoded"] == true { STANDARD.decode(text) } else { Ok(text.as_bytes().to_vec()) };
    let mut built = Response::builder().status(status);
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        built = built.header(name, value.as_str().unwrap_or_default());
    }
    for cookie in response["cookies"].as_array().into_iter().flatten() {
        built = built.header(header::SET_COOKIE, cookie.as_str().unwrap_or_default());
    }
    match body {
        Ok(body) => built.body(Body::from(body)).unwrap_or_else(|_| wrong()),
        Err(_) => wrong(),
    }
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, "application/json")], json!({ "message": text }).to_string()).into_response()
}
