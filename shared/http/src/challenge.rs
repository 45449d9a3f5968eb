//! Recognises pages that require a human. They are never solved or evaded.

use std::fmt;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

/// Set by Cloudflare on every answer that is a challenge instead of the page.
const MITIGATED_HEADER: &str = "cf-mitigated";

/// Part of the target of a redirect to the site's own challenge.
const CHALLENGE_PATH: &str = "human-challenge";

/// Text of challenge pages, in lower case.
const PAGE_MARKERS: [&str; 4] = ["just a moment", CHALLENGE_PATH, "challenge-platform", "cf-chl-"];

/// How much of a body is searched. Challenge pages can be recognised by their beginning.
pub(crate) const SEARCHED_BYTES: usize = 64 * 1024;

/// An answer that is a challenge instead of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The answer's status.
    pub status: StatusCode,
    /// How it was recognised.
    pub mark: ChallengeMark,
}

/// How a challenge was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeMark {
    /// The header `cf-mitigated`.
    Header,
    /// The text of the page.
    Page,
    /// A redirect to a challenge.
    Redirect,
}

impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            ChallengeMark::Header => "by its cf-mitigated header",
            ChallengeMark::Page => "by the text of the page",
            ChallengeMark::Redirect => "by the target of the redirect",
        };
        write!(formatter, "a challenge for humans (status {}, known {mark})", self.status.as_u16())
    }
}

/// Returns the challenge in `response`, if it is one. A plain 403 is not: only the caller knows what it means.
pub fn challenge(response: &http::Response<Bytes>) -> Option<Challenge> {
    let status = response.status();
    let refused =
        matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let mark = if is_marked(response.headers()) {
        ChallengeMark::Header
    } else if status.is_redirection() && leads_to_challenge(response) {
        ChallengeMark::Redirect
    } else if refused && shows_challenge(response.body()) {
        ChallengeMark::Page
    } else {
        return None;
    };
    Some(Challenge { status, mark })
}

/// Returns whether the head alone shows a challenge, whatever the status.
pub(crate) fn is_marked(headers: &HeaderMap) -> bool {
    headers.contains_key(MITIGATED_HEADER)
}

fn leads_to_challenge(response: &http::Response<Bytes>) -> bool {
    let target = response.headers().get(LOCATION);
    target.is_some_and(|target| String::from_utf8_lossy(target.as_bytes()).contains(CHALLENGE_PATH))
}

fn shows_challenge(body: &Bytes) -> bool {
    let head = body.slice(..body.len().min(SEARCHED_BYTES));
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    PAGE_MARKERS.iter().any(|marker| text.contains(marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(status: u16, header: Option<(&str, &str)>, body: &'static str) -> Option<ChallengeMark> {
        let mut response = http::Response::builder().status(status);
        if let Some((name, value)) = header {
            response = response.header(name, value);
        }
        challenge(&response.body(Bytes::from_static(body.as_bytes())).expect("response")).map(|found| found.mark)
    }

    #[test]
    fn each_mark_is_recognised() {
        assert_eq!(mark(403, Some(("cf-mitigated", "challenge")), ""), Some(ChallengeMark::Header));
        assert_eq!(mark(503, None, "<title>Just a moment...</title>"), Some(ChallengeMark::Page));
        assert_eq!(mark(429, None, "<a href='/human-challenge?x'>"), Some(ChallengeMark::Page));
        assert_eq!(mark(302, Some(("location", "/human-challenge?back=1")), ""), Some(ChallengeMark::Redirect));
    }

    #[test]
    fn ordinary_answers_are_none() {
        assert_eq!(mark(200, None, "a guild named Just a moment"), None);
        assert_eq!(mark(403, None, "forbidden"), None);
        assert_eq!(mark(429, Some(("retry-after", "5")), "{\"status\":429}"), None);
        assert_eq!(mark(302, Some(("location", "/login")), ""), None);
    }
}
