//! The worker whose routes the suite calls.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::json;
use stint_core::http::{Access, Cache, Cors, LimitBy, Method, Request, Response, Route, RouteLimit, ServerEvent};
use stint_core::ports::RateLimit;
use stint_core::registry::Registry;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

/// The most bytes in the body of a request to `/echo`.
pub(super) const BODY_LIMIT: usize = 4_096;

/// The size of `/large`: above what Lambda may return.
pub(super) const LARGE: usize = 7 * 1024 * 1024;

/// The size of `/limited`'s bucket. It fills so slowly that no token comes back during a test.
pub(super) const BURST: u32 = 3;

const LIMIT: RouteLimit =
    RouteLimit { by: LimitBy::Address, limit: RateLimit { tokens: 1, per: Duration::from_secs(3_600), burst: BURST } };

/// A worker with a route for each thing that the suite checks.
pub struct HttpWorker;

impl Worker for HttpWorker {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "http",
        summary: "serves what the suite asks for",
        triggers: &[Trigger::Http(&[
            Route::get("/echo/{id}", "returns what it was asked").cors(Cors::AnyOrigin),
            Route::post("/echo/{id}", "returns what it was sent").body_limit(BODY_LIMIT),
            Route::new(Method::Delete, "/echo/{id}", "returns nothing").cors(Cors::Origins(&["https://one.example"])),
            Route::get("/echo/literal", "is preferred"),
            Route::post("/bytes", "returns the body as it is").body_limit(BODY_LIMIT),
            Route::get("/private", "needs a key").access(Access::Key),
            Route::get("/slow", "never ends").timeout(Duration::from_millis(150)),
            Route::get("/broken", "fails"),
            Route::get("/panic", "panics"),
            Route::get("/silent", "returns no response"),
            Route::get("/forged", "returns a header that cannot be sent"),
            Route::get("/refused", "returns an error of its own"),
            Route::get("/text", "returns much text").cached(Cache::Public(Duration::from_secs(60))),
            Route::get("/large", "returns more than Lambda may"),
            Route::get("/chunks", "returns pieces"),
            Route::get("/events", "returns events"),
            Route::get("/limited", "may be called three times").limits(&[LIMIT]),
        ])],
        concurrency: 16,
        timeout: Duration::from_secs(20),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Request(request) = event else { return Err(WorkerError::Event("only requests".into())) };
        let response = match request.route {
            "/slow" => {
                invocation.clock().sleep(Duration::from_secs(3_600)).await;
                Response::empty(200)
            }
            "/broken" => return Err(WorkerError::Failed("the inside: s3cret".into())),
            "/panic" => panic!("the inside: s3cret"),
            "/silent" => return Ok(Outcome::default()),
            _ => respond(&request)?,
        };
        Ok(Outcome::response(response))
    }
}

fn respond(request: &Request) -> Result<Response, WorkerError> {
    Ok(match request.route {
        "/echo/literal" => Response::text(200, "literal"),
        "/bytes" => Response::new(200, "application/octet-stream", request.body.clone()),
        "/private" => Response::text(200, request.credential.as_ref().map_or("", |key| &key.0)),
        "/forged" => Response::empty(200).with_header("x-forged", "a\r\nb: c"),
        "/refused" => Response::error(409, "taken", "this name is taken"),
        "/text" => Response::text(200, "all work and no play. ".repeat(2_000)).with_header("etag", "\"v1\""),
        "/large" => Response::new(200, "application/octet-stream", vec![b'x'; LARGE]),
        "/chunks" => Response::chunks("text/plain", stream::iter((0..100).map(|line| Ok(piece(line))))),
        "/events" => Response::events(stream::iter((1..=3).map(|id| Ok(ServerEvent::new(id.to_string(), "data"))))),
        "/limited" => Response::text(200, "one"),
        _ if request.method == Method::Delete => Response::empty(204),
        _ => Response::json(200, &echo(request))?,
    })
}

/// Returns one of the pieces of `/chunks`.
pub(super) fn piece(line: u32) -> Bytes {
    format!("line {line}\n").into()
}

fn echo(request: &Request) -> serde_json::Value {
    json!({
        "method": request.method,
        "id": request.param("id"),
        "query": request.query.iter().collect::<Vec<_>>(),
        "headers": request.headers.iter().collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&request.body),
        "address": request.address,
        "request_id": request.id,
    })
}

/// Returns a registry with the worker of the suite.
pub fn http_registry() -> Registry {
    Registry::new().with(HttpWorker)
}
