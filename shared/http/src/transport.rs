//! The one place where a request leaves the process.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::body::Body;

/// Sends one request and reads the answer as it comes.
///
/// A transport never retries, never follows a redirect, and never waits longer than the limits say: those decisions
/// belong to the client above it. Any status is an answer.
#[async_trait]
pub trait Transport: Send + Sync {
    /// One request; the answer is returned when its head is there, and its body streams. When the body breaks, is too
    /// large or takes too long, the body says so. Whether the upstream has seen the request when this fails is unknown,
    /// unless the error is [`TransportError::Unreachable`].
    async fn open(&self, request: http::Request<Bytes>, limits: Limits)
    -> Result<http::Response<Body>, TransportError>;

    /// The same with the whole body, for whoever has no use for a head alone.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (head, body) = self.open(request, limits).await?.into_parts();
        Ok(http::Response::from_parts(head, body.collect().await?))
    }
}

/// How long an answer may take, and how large it may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte sent to the last byte read, whoever is slow: the upstream or the reader of the body.
    pub timeout: Duration,
    /// The largest body in bytes, after decompression.
    pub max_body: usize,
}

/// Why no whole answer came. None of these carries a header or a body, so none can carry a secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TransportError {
    /// No connection: the upstream has not seen the request.
    #[error("cannot connect to {host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The time-out passed first.
    #[error("no answer from {host} within {} s", timeout.as_secs_f64())]
    TimedOut {
        /// Host and port.
        host: String,
        /// The time-out that passed.
        timeout: Duration,
    },
    /// The body is larger than the cap; the rest was not read.
    #[error("the answer from {host} is larger than {max_body} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The cap.
        max_body: usize,
    },
    /// The connection ended within the answer.
    #[error("the answer from {host} was cut off: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// What the network said.
        reason: String,
    },
}
