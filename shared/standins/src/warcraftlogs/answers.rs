//! The formats of Warcraft Logs' answers.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::options::BanForm;

/// An answer whose body is small enough to be built in memory.
pub(crate) type Answer = Response<Bytes>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
const RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const MITIGATED: HeaderName = HeaderName::from_static("cf-mitigated");

/// Where a ban may redirect to.
pub(crate) const CHALLENGE_PATH: &str = "/human-challenge";

const CHALLENGE: &str = "<!DOCTYPE html><html lang=\"en-US\"><head><title>Just a moment...</title></head>\
<body><div class=\"main-content\"><noscript>Enable JavaScript and cookies to continue</noscript></div></body></html>";

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, JSON, body)
}

pub(crate) fn html(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, HTML, body)
}

pub(crate) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, PLAIN, body)
}

/// The points of the key are used up until the reset in `seconds` seconds.
pub(crate) fn points_used_up(seconds: u64) -> Answer {
    let body = r#"{"status":429,"error":"You have exceeded your points limit for this hour."}"#;
    retry_after(json(StatusCode::TOO_MANY_REQUESTS, body), seconds)
}

/// Too many requests, independent of their cost.
pub(crate) fn too_fast(seconds: u64) -> Answer {
    let body = r#"{"status":429,"error":"Too Many Attempts."}"#;
    retry_after(json(StatusCode::TOO_MANY_REQUESTS, body), seconds)
}

/// Adds the headers that count the remaining requests.
pub(crate) fn with_rate(mut answer: Answer, limit: u32, remaining: u32) -> Answer {
    answer.headers_mut().insert(RATE_LIMIT, limit.into());
    answer.headers_mut().insert(RATE_REMAINING, remaining.into());
    answer
}

/// A 5xx with the page of a proxy.
pub(crate) fn failed(code: u16) -> Answer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Web server is returning an unknown error");
    let body = format!(
        "<!DOCTYPE html><html><head><title>www.warcraftlogs.com | {code}: {reason}</title></head>\
         <body><h1>Error {code}</h1><p>{reason}</p></body></html>"
    );
    html(status, body)
}

/// The answer of every page to a banned client.
pub(crate) fn banned(form: BanForm) -> Answer {
    match form {
        BanForm::Challenge => challenge(),
        BanForm::Redirect => {
            let mut answer = html(StatusCode::FOUND, "");
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static(CHALLENGE_PATH));
            answer
        }
    }
}

/// The page of a bot check.
pub(crate) fn challenge() -> Answer {
    let mut answer = html(StatusCode::FORBIDDEN, CHALLENGE);
    answer.headers_mut().insert(MITIGATED, HeaderValue::from_static("challenge"));
    answer
}

fn retry_after(mut answer: Answer, seconds: u64) -> Answer {
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
