//! A route: a method and a path that a worker serves, with everything that hosts enforce for it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::ports::RateLimit;

/// The largest body of a request: API Gateway accepts 10 MB, and Lambda accepts 6 MB for an event, in which a binary body
/// takes a third more. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_REQUEST_BODY: usize = 4 * 1024 * 1024;

/// How long a request may take unless its route says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A method and a path that a worker serves. All times, limits and policies are enforced by the host.
///
/// ```
/// use std::time::Duration;
/// use stint_core::http::{Access, Cache, Route};
///
/// const ROUTES: &[Route] = &[
///     Route::get("/players/{id}", "returns a player").cached(Cache::Public(Duration::from_secs(60))),
///     Route::post("/events", "stores events").body_limit(64 * 1024).access(Access::Key),
/// ];
/// # assert_eq!(ROUTES.len(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path. A segment in braces matches any text without a slash and is passed on under that name: `/players/{id}`.
    pub path: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// The most bytes in the body of a request, at most [`MAX_REQUEST_BODY`]. A larger request is refused with 413.
    pub body_limit: usize,
    /// The longest that the worker may take until it returns the response. A streamed body may take longer.
    pub timeout: Duration,
    /// What the caller must present.
    pub access: Access,
    /// For how long others may keep successful responses.
    pub cache: Cache,
    /// Which websites may read the responses.
    pub cors: Cors,
    /// How often the route may be called. All of these limits apply.
    pub limits: &'static [RouteLimit],
}

impl Route {
    /// Creates a route without a body: the body limit is 0.
    pub const fn new(method: Method, path: &'static str, summary: &'static str) -> Route {
        Route {
            method,
            path,
            summary,
            body_limit: 0,
            timeout: DEFAULT_TIMEOUT,
            access: Access::Public,
            cache: Cache::NoStore,
            cors: Cors::SameOrigin,
            limits: &[],
        }
    }

    /// Creates a route for GET. Hosts also serve HEAD for it.
    pub const fn get(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Get, path, summary)
    }

    /// Creates a route for POST. It accepts no body until [`Route::body_limit`] sets a limit.
    pub const fn post(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Post, path, summary)
    }

    /// Returns the route with this limit for the body of a request, in bytes.
    #[must_use]
    pub const fn body_limit(self, body_limit: usize) -> Route {
        Route { body_limit, ..self }
    }

    /// Returns the route with this time-out.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Route {
        Route { timeout, ..self }
    }

    /// Returns the route with this access policy.
    #[must_use]
    pub const fn access(self, access: Access) -> Route {
        Route { access, ..self }
    }

    /// Returns the route with this cache policy.
    #[must_use]
    pub const fn cached(self, cache: Cache) -> Route {
        Route { cache, ..self }
    }

    /// Returns the route with this policy for other websites.
    #[must_use]
    pub const fn cors(self, cors: Cors) -> Route {
        Route { cors, ..self }
    }

    /// Returns the route with these rate limits.
    #[must_use]
    pub const fn limits(self, limits: &'static [RouteLimit]) -> Route {
        Route { limits, ..self }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// The method of a route. HEAD and OPTIONS are served by the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads, and changes nothing.
    Get,
    /// Creates, or does something that is not a plain replacement.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 5] = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];

    /// Returns the method of this name, which is case-sensitive as in HTTP.
    pub fn parse(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Returns the name, as it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a caller must present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing.
    Public,
    /// A key: `Authorization: Bearer KEY`, or `X-Api-Key: KEY`. The host refuses a request without one with 401 and passes
    /// the key on in [`Request::credential`](super::Request::credential). The worker compares it with its store, because
    /// only the worker knows its keys, and refuses an unknown one with 401 or 403.
    Key,
}

/// For how long others may keep a successful response. A response that has a `Cache-Control` of its own keeps it, and
/// errors are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Not at all.
    NoStore,
    /// The caller alone may keep it for this long.
    Private(Duration),
    /// Caches that many callers share may keep it for this long too.
    Public(Duration),
}

/// Which websites may read a response in a browser, without credentials of the browser.
/// <https://fetch.spec.whatwg.org/#http-cors-protocol>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cors {
    /// None but the website of this address itself.
    SameOrigin,
    /// Every website.
    AnyOrigin,
    /// These, each written as a browser writes it: `https://example.org`.
    Origins(&'static [&'static str]),
}

/// A limit of how often a route may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RouteLimit {
    /// Who shares one bucket of tokens.
    pub by: LimitBy,
    /// The size of the bucket, and how fast it fills.
    pub limit: RateLimit,
}

/// Who shares one bucket of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitBy {
    /// All requests from one address.
    Address,
    /// All requests with one key. Requests without a key share a bucket for each address.
    Key,
}
