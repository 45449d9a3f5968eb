//! An upstream that returns given answers, on virtual time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use stint_core::clock::ManualClock;
use stint_http::{Body, RequestLimits, Transport, TransportError};

/// Returns a clock at the instant at which every input starts.
pub(crate) fn clock() -> ManualClock {
    // 2026-11-20T10:00:00Z.
    ManualClock::new(Timestamp::from_second(1_795_168_800).unwrap_or_default())
}

/// Returns its answers in order. After the last one no connection can be made.
pub(crate) struct Script(Mutex<VecDeque<http::Response<Bytes>>>);

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = http::Response<Bytes>>) -> Script {
        Script(Mutex::new(answers.into_iter().collect()))
    }
}

#[async_trait]
impl Transport for Script {
    async fn open(
        &self,
        _: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let host = String::from("upstream.example");
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match answer {
            Some(answer) if answer.body().len() > limits.max_body => {
                Err(TransportError::TooLarge { host, max_body: limits.max_body })
            }
            Some(answer) => Ok(answer.map(Body::whole)),
            None => Err(TransportError::Unreachable { host, reason: "the script has ended".into() }),
        }
    }
}

/// Returns an answer with an access token.
pub(crate) fn token() -> http::Response<Bytes> {
    answer(200, br#"{"token_type":"Bearer","expires_in":3600,"access_token":"secret-of-the-token"}"#)
}

/// Returns an answer without headers.
pub(crate) fn answer(status: u16, body: &[u8]) -> http::Response<Bytes> {
    let mut answer = http::Response::new(Bytes::copy_from_slice(body));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// Maps a byte of an input to a status, mostly a successful one.
pub(crate) fn status(byte: u8) -> u16 {
    const STATUSES: [u16; 16] = [200, 200, 200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503];
    STATUSES[usize::from(byte % 16)]
}

/// Adds a header, if its name and value are valid.
pub(crate) fn with_header(answer: &mut http::Response<Bytes>, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
        answer.headers_mut().insert(name, value);
    }
}

/// Splits an input at its first byte.
pub(crate) fn first(input: &[u8]) -> (u8, &[u8]) {
    input.split_first().map_or((0, input), |(first, rest)| (*first, rest))
}
