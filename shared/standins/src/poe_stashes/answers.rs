//! The formats of Path of Exile's answers.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

pub(super) type Answer = Response<Bytes>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");

/// The error codes of the documentation. <https://www.pathofexile.com/developer/docs/index#errors>
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    NotFound = 1,
    InvalidQuery = 2,
    RateLimit = 3,
    Forbidden = 6,
    Unavailable = 7,
    Unauthorized = 8,
}

impl Refusal {
    fn said(self) -> (StatusCode, &'static str) {
        match self {
            Refusal::NotFound => (StatusCode::NOT_FOUND, "Resource not found"),
            Refusal::InvalidQuery => (StatusCode::BAD_REQUEST, "Invalid query"),
            Refusal::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded"),
            Refusal::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Temporarily Unavailable"),
            Refusal::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        }
    }
}

pub(super) fn refused(refusal: Refusal) -> Answer {
    let (status, message) = refusal.said();
    json(status, format!(r#"{{"error":{{"code":{},"message":"{message}"}}}}"#, refusal as u32))
}

pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, JSON, body)
}

/// The page that the CDN shows when the stash API does not answer it.
pub(super) fn bad_gateway() -> Answer {
    answer(StatusCode::BAD_GATEWAY, HTML, "<html><body><h1>502 Bad Gateway</h1></body></html>")
}

/// Compresses the body if the client accepts gzip.
pub(super) fn compressed(request: &Request<Bytes>, answer: Answer) -> Answer {
    if !accepts_gzip(request.headers()) {
        return answer;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(answer.body().len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    let compressed = encoder.write_all(answer.body()).and_then(|()| encoder.finish());
    let Ok(compressed) = compressed else { return answer };
    let mut answer = answer.map(|_| Bytes::from(compressed));
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
