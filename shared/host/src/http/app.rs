//! The routes of workers with their policies, without a socket.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::http::{
    Access, Matched, Method, NoRoute, OPENAPI_PATH, PathSegments, Request, Response, Route, RouteError, Router,
    decode_query, openapi,
};
use stint_core::ports::{PortResult, RateLimits, Throttle};
use stint_core::worker::{AnyWorker, StopSignal};

use super::complete::{Completed, complete};
use super::head::{BodyError, Head, RequestIds};
use super::rate::Verdict;
use super::slots::Slots;
use super::{access, call, cors};

/// The ports of the routes.
#[derive(Clone)]
pub struct HttpPorts {
    /// An operator's pauses, and how many invocations may run at once.
    pub throttle: Arc<dyn Throttle>,
    /// The rate limits of routes, if one has any.
    pub rate_limits: Option<Arc<dyn RateLimits>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// The routes of workers with their policies.
pub struct HttpApp {
    workers: Vec<ServedWorker>,
    router: Router,
    ports: HttpPorts,
    description: Option<Bytes>,
    ids: RequestIds,
    stop: StopSignal,
}

struct ServedWorker {
    worker: Arc<dyn AnyWorker>,
    slots: Slots,
}

impl HttpApp {
    /// Creates the routes of `workers`. Fails if two of them match the same requests, or if one has a
    /// rate limit without a store of them.
    pub fn new(workers: &[Arc<dyn AnyWorker>], ports: HttpPorts, stop: StopSignal) -> Result<HttpApp, RouteError> {
        let router = Router::new(workers.iter().map(|worker| worker.spec()))?;
        check_limits(workers, &ports)?;
        let served = workers.iter().map(|worker| {
            let slots = Slots::new(worker.spec().concurrency);
            ServedWorker { worker: worker.clone(), slots }
        });
        let workers = served.collect();
        Ok(HttpApp { workers, router, ports, description: None, ids: RequestIds::new(), stop })
    }

    /// Returns the same with a description of its routes at [`OPENAPI_PATH`].
    #[must_use]
    pub fn described_as(self, title: &str, version: &str) -> HttpApp {
        let specs = self.workers.iter().map(|served| served.worker.spec());
        let description = Some(openapi(title, version, specs).to_string().into());
        HttpApp { description, ..self }
    }

    /// Returns whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.router.is_empty()
    }

    /// Reads the throttles again. Between two calls, pauses and limits are those of the last one.
    pub async fn refresh(&self) -> PortResult<()> {
        for ServedWorker { worker, slots } in &self.workers {
            let spec = worker.spec();
            if !spec.routes().is_empty() {
                slots.set_limit(self.ports.throttle.read(&spec.id()).await?.effective(spec.concurrency));
            }
        }
        Ok(())
    }

    /// Responds to a request. `read_body` reads a body of at most so many bytes; it is called only if the request is to be
    /// served. `latest` is when the response must be there, whatever the route says.
    pub async fn respond<F, R>(&self, head: Head, latest: Timestamp, read_body: R) -> Completed
    where
        R: FnOnce(usize) -> F,
        F: Future<Output = Result<Bytes, BodyError>>,
    {
        let id = self.ids.id_of(&head);
        let (route, response) = self.dispatch(&head, &id, latest, read_body).await;
        let completed = complete(response, &head, route, &id, &self.ports.clock).await;
        let (method, path, status) = (&head.method, &head.path, completed.status.as_u16());
        tracing::info!(method, path, status, request_id = id, "{method} {path}: {status}");
        completed
    }

    /// Responds to a request that is not served, with a response of the host.
    pub(crate) async fn refuse(&self, head: &Head, response: Response) -> Completed {
        complete(response, head, None, &self.ids.id_of(head), &self.ports.clock).await
    }

    async fn dispatch<F, R>(
        &self,
        head: &Head,
        id: &str,
        latest: Timestamp,
        read_body: R,
    ) -> (Option<&'static Route>, Response)
    where
        R: FnOnce(usize) -> F,
        F: Future<Output = Result<Bytes, BodyError>>,
    {
        let Some(path) = head.segments() else {
            return (None, Response::error(400, "bad_path", "the path is malformed"));
        };
        if let Some(description) = self.description.as_ref().filter(|_| head.path == OPENAPI_PATH) {
            return (None, described(head, description));
        }
        if head.method == "OPTIONS" {
            return (None, self.options(head, &path));
        }
        let method = if head.is_head() { Some(Method::Get) } else { Method::parse(&head.method) };
        let found = method.map_or(Err(NoRoute::Method), |method| self.router.find(method, &path));
        match found {
            Ok(matched) => (Some(matched.route), self.serve(head, id, matched, latest, read_body).await),
            Err(_) => (None, self.no_route(&path)),
        }
    }

    fn no_route(&self, path: &PathSegments<'_>) -> Response {
        let allowed = self.router.allowed(path);
        if allowed.is_empty() {
            return Response::error(404, "not_found", "there is nothing at this path");
        }
        let allowed = allowed.join(", ");
        Response::error(405, "method_not_allowed", format!("this path has {allowed}")).with_header("allow", allowed)
    }

    fn options(&self, head: &Head, path: &PathSegments<'_>) -> Response {
        let allowed = self.router.allowed(path);
        if allowed.is_empty() {
            return self.no_route(path);
        }
        let asked = cors::preflight_method(head).map(|name| if name == "HEAD" { "GET" } else { name });
        let route = asked.and_then(Method::parse).and_then(|method| self.router.find(method, path).ok());
        let response = route.map_or_else(|| Response::empty(204), |matched| cors::preflight(head, matched.route));
        response.with_header("allow", allowed.join(", "))
    }

    /// Serves a request to a route, by the policies of the route.
    async fn serve<F, R>(&self, head: &Head, id: &str, matched: Matched, latest: Timestamp, read_body: R) -> Response
    where
        R: FnOnce(usize) -> F,
        F: Future<Output = Result<Bytes, BodyError>>,
    {
        let Matched { worker, route, params } = matched;
        let ServedWorker { worker, slots } = &self.workers[worker];
        let credential = match route.access {
            Access::Public => None,
            Access::Key => match access::credential(head) {
                Some(credential) => Some(credential),
                None => return access::unauthorized(),
            },
        };
        if slots.limit() == 0 {
            return call::paused();
        }
        let limits = self.ports.rate_limits.as_deref();
        let verdict = Verdict::ask(limits, &worker.spec().id(), route, &head.address, credential.as_ref()).await;
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(response) => return response,
        };
        if let Some(refusal) = verdict.refusal() {
            return verdict.mark(refusal);
        }
        let body = match read_body(route.body_limit).await {
            Ok(body) => body,
            Err(error) => return verdict.mark(unread(error, route.body_limit)),
        };
        let request = Request {
            method: route.method,
            route: route.path,
            path: head.path.clone(),
            params,
            query: decode_query(&head.query),
            headers: head.headers.clone(),
            body,
            address: head.address.clone(),
            credential,
            id: id.to_owned(),
        };
        let deadline = call::deadline(&**worker, route.timeout, &self.ports.clock).min(latest);
        verdict.mark(call::call(&**worker, slots, request, deadline, &self.ports.clock, &self.stop).await)
    }
}

fn check_limits(workers: &[Arc<dyn AnyWorker>], ports: &HttpPorts) -> Result<(), RouteError> {
    let specs = workers.iter().map(|worker| worker.spec());
    let limited = specs.flat_map(|spec| spec.routes().iter().map(move |route| (spec.id(), route)));
    match limited.into_iter().find(|(_, route)| !route.limits.is_empty()) {
        Some((worker, route)) if ports.rate_limits.is_none() => {
            let reason = "it has a rate limit, and the host has no store of them".to_owned();
            Err(RouteError::Invalid { worker, route: route.to_string(), reason })
        }
        _ => Ok(()),
    }
}

fn described(head: &Head, description: &Bytes) -> Response {
    match head.method.as_str() {
        "GET" | "HEAD" => Response::new(200, "application/json", description.clone()),
        "OPTIONS" => Response::empty(204).with_header("allow", "GET, HEAD, OPTIONS"),
        _ => Response::error(405, "method_not_allowed", "this path has GET, HEAD, OPTIONS")
            .with_header("allow", "GET, HEAD, OPTIONS"),
    }
}

/// Returns the response to a request whose body could not be read. The connection is closed, because the rest of the body
/// may still come.
fn unread(error: BodyError, limit: usize) -> Response {
    let response = match error {
        BodyError::TooLarge if limit == 0 => Response::error(413, "body_too_large", "this takes no body"),
        BodyError::TooLarge => Response::error(413, "body_too_large", format!("a body has at most {limit} bytes")),
        BodyError::TooSlow => Response::error(408, "body_too_slow", "the body did not arrive in time"),
        BodyError::Broken => Response::error(400, "bad_body", "the body is malformed or incomplete"),
    };
    response.with_header("connection", "close")
}
