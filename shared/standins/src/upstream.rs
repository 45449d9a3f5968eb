//! The interface of every stand-in.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::Transfer;

/// An upstream as plain state.
pub trait Upstream: Send {
    /// Handles a request that arrives at `now`, and returns its answer.
    ///
    /// Everything that the request changes (points charged, calls counted, bans) has happened when this returns,
    /// whether or not the client waits long enough to read the answer. `now` never goes back between two calls.
    fn handle(&mut self, now: Timestamp, request: &http::Request<Bytes>) -> Reply;
}

/// An answer, and how long the upstream takes to give it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The whole answer.
    pub response: http::Response<Bytes>,
    /// The time from the arrival of the request to the head of the answer, or to its last byte if the body comes at
    /// once.
    pub latency: Duration,
    /// How the body is transferred.
    pub transfer: Transfer,
}

impl Reply {
    /// Returns a reply whose body comes at once, after `latency`.
    pub fn whole(response: http::Response<Bytes>, latency: Duration) -> Reply {
        Reply { response, latency, transfer: Transfer::default() }
    }
}
