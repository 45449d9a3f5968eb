//! The request that an invocation handles.

use std::fmt;

use bytes::Bytes;

use super::{Fields, Method};

/// Headers whose values are secrets and are left out of a request's debug output.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// A request, as a worker gets it. The host has already checked everything that its route says.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method. A HEAD request arrives as GET, and the host leaves out the response's body.
    pub method: Method,
    /// The path of the route: `/players/{id}`.
    pub route: &'static str,
    /// The path of the request, as it was sent.
    pub path: String,
    /// The values of the segments in braces, decoded, in the order of the path.
    pub params: Vec<(&'static str, String)>,
    /// The values of the query, decoded.
    pub query: Fields,
    /// The headers, with names in lower case.
    pub headers: Fields,
    /// The body, at most as long as the route permits.
    pub body: Bytes,
    /// The address of the caller. Behind a proxy, the address in the header that the operator has declared as trusted.
    pub address: String,
    /// The key that the caller has presented, for a route whose access is [`Access::Key`](super::Access::Key).
    pub credential: Option<Credential>,
    /// The id of the request: the one in the caller's `X-Request-Id` if it is well-formed, and otherwise a new one. It is in
    /// the response and in the log.
    pub id: String,
}

impl Request {
    /// Returns the value of a segment in braces. A name that the route does not have is empty.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.headers.iter().map(|(name, value)| {
            let is_secret = SECRET_HEADERS.contains(&name);
            (name, if is_secret { "…" } else { value })
        });
        let headers: Vec<(&str, &str)> = shown.collect();
        let mut request = formatter.debug_struct("Request");
        request.field("id", &self.id).field("method", &self.method).field("route", &self.route);
        request.field("path", &self.path).field("query", &self.query).field("headers", &headers);
        request.field("body_bytes", &self.body.len()).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A key that a caller has presented. It may be wrong: the worker compares it with its store. It is left out of debug
/// output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(pub String);

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let request = Request {
            method: Method::Post,
            route: "/players/{id}",
            path: "/players/7".into(),
            params: vec![("id", "7".into())],
            query: Fields::default(),
            headers: [("authorization", "Bearer s3cret"), ("x-api-key", "s3cret"), ("accept", "*/*")]
                .into_iter()
                .collect(),
            body: Bytes::from_static(b"s3cret"),
            address: "127.0.0.1".into(),
            credential: Some(Credential("s3cret".into())),
            id: "1".into(),
        };
        let shown = format!("{request:?} {:?}", request.credential);
        assert!(!shown.contains("s3cret") && shown.contains("accept"), "{shown}");
        assert_eq!((request.param("id"), request.param("name")), ("7", ""));
    }
}
