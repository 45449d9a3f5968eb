//! The transport: the one place where a request leaves the process.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::body::Body;

/// Sends one request and streams the answer.
///
/// A transport never retries, never follows a redirect, and never waits longer than the limits allow: those decisions
/// belong to the client above it. An answer of any status is a success here.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request and returns once the head of the answer has arrived; the body streams. If the body breaks, is
    /// too large or takes too long, the body returns the error. If this method fails, it is unknown whether the
    /// upstream has seen the request, unless the error is [`TransportError::Unreachable`].
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError>;

    /// Like [`open`](Transport::open), but reads the whole body.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (head, body) = self.open(request, limits).await?.into_parts();
        Ok(http::Response::from_parts(head, body.collect().await?))
    }
}

/// How long an answer may take, and how large it may be.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The time from the first byte sent to the last byte read, whether the upstream or the reader of the body is slow.
    pub timeout: Duration,
    /// The largest body in bytes, after decompression.
    pub max_body: usize,
}

/// Why no complete answer was received. No variant contains a header or a body, so none can contain a secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TransportError {
    /// There was no connection: the upstream has not seen the request.
    #[error("cannot connect to {host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The reason that the network gave.
        reason: String,
    },
    /// The time-out passed before the answer was complete.
    #[error("no answer from {host} within {} s", timeout.as_secs_f64())]
    TimedOut {
        /// Host and port.
        host: String,
        /// The time-out that passed.
        timeout: Duration,
    },
    /// The body is larger than the cap. The rest was not read.
    #[error("the answer from {host} is larger than {max_body} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The cap.
        max_body: usize,
    },
    /// The connection ended before the answer was complete.
    #[error("the answer from {host} was cut off: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// The reason that the network gave.
        reason: String,
    },
}
