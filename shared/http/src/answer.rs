//! The answer of an upstream, complete or still streaming.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::body::Body;
use crate::error::HttpError;
use crate::transport::TransportError;

/// A complete answer that is neither a rate-limit refusal (429), nor a challenge, nor a server error (5xx).
#[derive(Clone)]
pub struct HttpResponse {
    /// The status: 1xx to 4xx, but never 429.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed. Unless the status is a success: as much of it as arrived, up to 64 KiB.
    pub body: Bytes,
    /// What the upstream says about the request rate of this address.
    pub address_limit: AddressLimit,
    /// The host and port that answered.
    pub host: String,
    /// The beginning of the body, safe to quote in an error. Only set if the status is not a success.
    pub(crate) excerpt: String,
}

impl HttpResponse {
    /// Returns the answer if its status is 2xx, and otherwise an error that quotes the beginning of the body.
    pub fn success(self) -> Result<HttpResponse, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(HttpError::Status { host: self.host, status: self.status, retry_after: None, excerpt: self.excerpt })
    }
}

/// An answer whose head has arrived and whose body is still streaming.
pub struct StreamingResponse {
    /// The status: 1xx to 4xx, but never 429.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Unless the status is a success it was already read: as much of it as arrived, up to 64 KiB.
    pub body: Body,
    /// The host and port that answered.
    pub host: String,
    excerpt: String,
}

impl StreamingResponse {
    pub(crate) fn new(host: String, head: http::response::Parts, body: Body, excerpt: String) -> StreamingResponse {
        StreamingResponse { status: head.status, headers: head.headers, body, host, excerpt }
    }

    /// Reads the body and returns the complete answer.
    pub(crate) async fn whole(self) -> Result<HttpResponse, TransportError> {
        let StreamingResponse { status, headers, body, host, excerpt } = self;
        let (body, address_limit) = (body.collect().await?, AddressLimit::from_headers(&headers));
        Ok(HttpResponse { status, headers, body, address_limit, host, excerpt })
    }

    /// Returns the answer if its status is 2xx, and otherwise an error that quotes the beginning of the body.
    pub fn success(self) -> Result<StreamingResponse, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(HttpError::Status { host: self.host, status: self.status, retry_after: None, excerpt: self.excerpt })
    }
}

impl fmt::Debug for StreamingResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("StreamingResponse");
        shown.field("host", &self.host).field("status", &self.status).finish_non_exhaustive()
    }
}

/// The head of an answer.
pub(crate) trait ResponseHead {
    fn status(&self) -> StatusCode;
    fn host(&self) -> &str;
}

impl ResponseHead for HttpResponse {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl ResponseHead for StreamingResponse {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn host(&self) -> &str {
        &self.host
    }
}

/// Leaves out headers and body: either may contain a token.
impl fmt::Debug for HttpResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpResponse")
            .field("host", &self.host)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("address_limit", &self.address_limit)
            .finish_non_exhaustive()
    }
}

/// The second limit of an upstream: requests per period and address, independent of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressLimit {
    /// `x-ratelimit-limit`: requests per period.
    pub limit: Option<u64>,
    /// `x-ratelimit-remaining`: requests left in the period.
    pub remaining: Option<u64>,
}

impl AddressLimit {
    /// Reads the headers. A header that is missing or not a number is `None`.
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
