//! Serves the routes of workers.
//!
//! [`HttpApp`] is what both hosts share: it finds the route, enforces its policies, calls the worker and completes the
//! response. [`HttpServer`] puts it behind a socket of this machine; the Lambda host puts it behind API Gateway or a function
//! URL. Both pass the same conformance suite, `stint_testkit::http`.
//!
//! # If the process exits between any two lines of a request
//! * *Before the request is read:* the caller sees a connection that was closed, and nothing was done.
//! * *After tokens were taken from a rate limit:* they are gone, and the caller may use one token less.
//! * *While the worker runs:* the caller sees a closed connection and does not know how much was done, as with every worker
//!   that is killed. A request that changes something must therefore be idempotent: the caller sends it again.
//! * *After the worker returned and before the response is sent:* the same. What the worker has stored stays stored.
//! * *Within the response:* the caller sees that it is incomplete, from its length or from the missing end of its chunks. A
//!   reader of server-sent events connects again with `Last-Event-ID`.
//!
//! A caller that closes the connection while its request is served ends the invocation in the same way. A stop that is
//! asked for is milder: requests that were received are served, event streams end between two events, and what is not done
//! by the end of the drain is broken off.

mod access;
mod app;
mod call;
mod complete;
mod compress;
mod cors;
mod events;
mod head;
mod rate;
mod server;
mod slots;

pub use app::{HttpApp, HttpPorts};
pub use complete::{Completed, CompletedBody};
pub use head::{BodyError, Head};
pub use server::{HttpServer, ServerLimits};
