//! What comes back from an upstream.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::body::Body;
use crate::error::HttpError;
use crate::transport::TransportError;

/// A whole answer that is neither a refusal for haste, nor a challenge, nor a fault of the server.
#[derive(Clone)]
pub struct Answer {
    /// The status: 1xx to 4xx, but never 429.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed. Unless the status is a success, what came of it, up to 64 KiB.
    pub body: Bytes,
    /// What the upstream says about the rate of requests of this address.
    pub address_limit: AddressLimit,
    /// Host and port that answered.
    pub host: String,
    /// The body's beginning, fit for an error. Made only when the status is not a success.
    pub(crate) excerpt: String,
}

impl Answer {
    /// The answer if its status is 2xx, else an error that quotes a little of the body.
    pub fn success(self) -> Result<Answer, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(HttpError::Status { host: self.host, status: self.status, retry_after: None, excerpt: self.excerpt })
    }
}

/// An answer whose head is there, and whose body is still on its way.
pub struct Streaming {
    /// The status: 1xx to 4xx, but never 429.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Unless the status is a success it has been read already: what came of it, up to 64 KiB.
    pub body: Body,
    /// Host and port that answered.
    pub host: String,
    excerpt: String,
}

impl Streaming {
    pub(crate) fn new(host: String, head: http::response::Parts, body: Body, excerpt: String) -> Streaming {
        Streaming { status: head.status, headers: head.headers, body, host, excerpt }
    }

    /// The answer when its body is there, too.
    pub(crate) async fn whole(self) -> Result<Answer, TransportError> {
        let Streaming { status, headers, body, host, excerpt } = self;
        let (body, address_limit) = (body.collect().await?, AddressLimit::from_headers(&headers));
        Ok(Answer { status, headers, body, address_limit, host, excerpt })
    }

    /// The answer if its status is 2xx, else an error that quotes a little of the body.
    pub fn success(self) -> Result<Streaming, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(HttpError::Status { host: self.host, status: self.status, retry_after: None, excerpt: self.excerpt })
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Streaming");
        shown.field("host", &self.host).field("status", &self.status).finish_non_exhaustive()
    }
}

/// What an answer says before its body.
pub(crate) trait Answered {
    fn status(&self) -> StatusCode;
    fn host(&self) -> &str;
}

impl Answered for Answer {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl Answered for Streaming {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn host(&self) -> &str {
        &self.host
    }
}

/// Headers and body stay out: either may hold a token.
impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("host", &self.host)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("address_limit", &self.address_limit)
            .finish_non_exhaustive()
    }
}

/// The second limit of an upstream: requests per time and address, whatever the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressLimit {
    /// `x-ratelimit-limit`: requests per period.
    pub limit: Option<u64>,
    /// `x-ratelimit-remaining`: what is left of them.
    pub remaining: Option<u64>,
}

impl AddressLimit {
    /// Reads the headers; one that is missing or no number is `None`.
    pub fn from_headers(headers: &HeaderMap) -> AddressLimit {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        AddressLimit { limit: number("x-ratelimit-limit"), remaining: number("x-ratelimit-remaining") }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn limit_headers_are_read_and_nonsense_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-limit", HeaderValue::from_static("300"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("many"));
        assert_eq!(AddressLimit::from_headers(&headers), AddressLimit { limit: Some(300), remaining: None });
    }
}
