//! Responses for other websites. <https://fetch.spec.whatwg.org/#http-cors-protocol>

use stint_core::http::{Cors, Response, Route};

use super::head::Head;

/// The headers that scripts of other websites may send.
const REQUEST_HEADERS: &str = "authorization, content-type, x-api-key, x-request-id, last-event-id";

/// The headers of a response that scripts of other websites may read.
const RESPONSE_HEADERS: &str = "etag, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-request-id";

/// For how many seconds a browser may keep the response to a preflight.
const PREFLIGHT_SECONDS: &str = "600";

/// Returns the method that a preflight asks for, or `None` if the request is no preflight.
pub(super) fn preflight_method(head: &Head) -> Option<&str> {
    head.headers.get("origin")?;
    head.headers.get("access-control-request-method")
}

/// Returns the response to a preflight for `route`.
pub(super) fn preflight(head: &Head, route: &Route) -> Response {
    let response = allow_origin(Response::empty(204), head, route.cors);
    if !response.headers.has("access-control-allow-origin") {
        return response;
    }
    response
        .with_header("access-control-allow-methods", route.method.as_str())
        .with_header("access-control-allow-headers", REQUEST_HEADERS)
        .with_header("access-control-max-age", PREFLIGHT_SECONDS)
}

/// Returns the response with the headers that let a permitted website read it.
pub(super) fn expose(response: Response, head: &Head, cors: Cors) -> Response {
    let response = allow_origin(response, head, cors);
    if !response.headers.has("access-control-allow-origin") {
        return response;
    }
    response.with_header("access-control-expose-headers", RESPONSE_HEADERS)
}

fn allow_origin(response: Response, head: &Head, cors: Cors) -> Response {
    match (cors, head.headers.get("origin")) {
        (Cors::AnyOrigin, Some(_)) => response.with_header("access-control-allow-origin", "*"),
        // Without an origin too: a cache must not return this response to a website.
        (Cors::Origins(origins), origin) => {
            let permitted = origin.filter(|origin| origins.contains(origin));
            let response = response.with_header("vary", "origin");
            match permitted {
                Some(origin) => response.with_header("access-control-allow-origin", origin),
                None => response,
            }
        }
        (Cors::SameOrigin, _) | (Cors::AnyOrigin, None) => response,
    }
}
