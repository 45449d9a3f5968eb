//! HTTP as data: the routes of a worker, the request that an invocation handles, and its response.
//!
//! A worker lists its [`Route`]s in its [`Trigger::Http`](crate::worker::Trigger::Http), gets a [`Request`] in
//! [`Event::Request`](crate::worker::Event::Request), and returns a [`Response`] in
//! [`Outcome::response`](crate::worker::Outcome::response). Everything that can be said about a route without running the
//! worker is part of the route: hosts enforce it, the description of the interface is made from it, and the gateway in
//! the cloud is set up from it.

mod encoding;
mod fields;
mod openapi;
mod request;
mod response;
mod route;
mod router;
mod template;
#[cfg(test)]
mod tests;

pub use encoding::{PathSegments, decode_query};
pub use fields::Fields;
pub use openapi::{OPENAPI_PATH, openapi};
pub use request::{Credential, Request};
pub use response::{Body, ChunkStream, EventStream, Response, ServerEvent, TakeOnce};
pub use route::{Access, Cache, Cors, DEFAULT_TIMEOUT, LimitBy, MAX_REQUEST_BODY, Method, Route, RouteLimit};
pub use router::{Matched, NoRoute, RouteError, Router};
