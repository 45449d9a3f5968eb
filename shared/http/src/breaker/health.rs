//! What a failure says about an upstream's health.

use http::StatusCode;
use stint_core::circuit::Health;

use crate::error::{HttpError, RateLimited};
use crate::token::TokenError;
use crate::transport::TransportError;

impl HttpError {
    /// Returns what this failure says about the upstream. A refusal of the key says nothing about it: the caller that
    /// knows all keys knows whether any of them is accepted. Nor does a refusal of what was requested, such as a page
    /// that does not exist; a caller whose requests all go to one address knows better.
    pub fn health(&self) -> Health {
        match self {
            HttpError::Transport(TransportError::TooLarge { .. })
            | HttpError::Unauthorized { .. }
            | HttpError::StoppedForClientErrors { .. }
            | HttpError::BreakerOpen { .. }
            | HttpError::Token(TokenError::Refused { .. }) => Health::Unknown,
            HttpError::RateLimited(limited) | HttpError::Token(TokenError::RateLimited(limited)) => {
                self.rate_limit_health(limited)
            }
            HttpError::Challenged { .. } => Health::Banned(self.to_string()),
            HttpError::Status { status, excerpt, .. } => match meaning(*status, excerpt) {
                Meaning::Ban => Health::Banned(self.to_string()),
                Meaning::Fault => Health::Failed(self.to_string()),
                Meaning::RequestRefused => Health::Unknown,
            },
            HttpError::Transport(_) | HttpError::Token(TokenError::Malformed { .. }) => {
                Health::Failed(self.to_string())
            }
            HttpError::Token(TokenError::Failed { error, .. }) => match error.health() {
                Health::Banned(_) => Health::Banned(self.to_string()),
                Health::Failed(_) => Health::Failed(self.to_string()),
                // All tokens come from one address.
                _ if error.is_client_error() => Health::Failed(self.to_string()),
                other => other,
            },
        }
    }

    /// A rate-limit refusal that says how long to wait is obeyed, and is not a fault. One that does not say may last
    /// for ever.
    fn rate_limit_health(&self, limited: &RateLimited) -> Health {
        match limited.retry_after {
            Some(_) => Health::Unknown,
            None => Health::Failed(self.to_string()),
        }
    }
}

/// What an answer without success means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The edge in front of the upstream refuses this address.
    Ban,
    /// The upstream does not work: several such answers in a row are an outage.
    Fault,
    /// It cannot serve this one request, and may well serve others.
    RequestRefused,
}

fn meaning(status: StatusCode, excerpt: &str) -> Meaning {
    match status {
        StatusCode::FORBIDDEN if is_of_the_edge(excerpt) => Meaning::Ban,
        // The refusal is about the caller or the transfer, so the next request is likely to be refused too.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::REQUEST_TIMEOUT => Meaning::Fault,
        status if status.is_client_error() => Meaning::RequestRefused,
        _ => Meaning::Fault,
    }
}

/// Returns whether a refusal comes from the edge. An API refuses in its own format or without a body. The edge sends a
/// page for people, or one of Cloudflare's codes (`error code: 1020`).
/// <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/>
fn is_of_the_edge(excerpt: &str) -> bool {
    let text = excerpt.trim_start().to_ascii_lowercase();
    let is_page =
        text.starts_with('<') && ["<!doctype html", "<html", "<head", "<title"].iter().any(|tag| text.contains(tag));
    is_page || text.starts_with("error code: 1")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::challenge::{Challenge, ChallengeMark};

    fn host() -> String {
        "api.example".into()
    }

    fn status(status: u16, excerpt: &str) -> HttpError {
        let status = StatusCode::from_u16(status).expect("a status");
        HttpError::Status { host: host(), status, retry_after: None, excerpt: excerpt.into() }
    }

    fn token(error: HttpError) -> HttpError {
        TokenError::Failed { key_id: "shop".into(), error: Box::new(error) }.into()
    }

    fn limited(retry_after: Option<Duration>) -> HttpError {
        HttpError::RateLimited(RateLimited { host: host(), retry_after })
    }

    #[test]
    fn upstream_faults_count_for_requests_and_token_requests() {
        let timed_out = TransportError::TimedOut { host: host(), timeout: Duration::from_secs(30) };
        let statuses =
            [(502, "<html>"), (302, ""), (401, ""), (403, r#"{"message":"no"}"#), (403, "(empty body)"), (408, "")];
        let statuses = statuses.map(|(code, excerpt)| status(code, excerpt));
        for error in statuses.into_iter().chain([timed_out.into()]) {
            assert!(matches!(error.health(), Health::Failed(_)), "{error}");
            let Health::Failed(reason) = token(error.clone()).health() else { panic!("{error}") };
            assert!(reason.starts_with("no access token for key shop: "), "{reason}");
        }
        let malformed = TokenError::Malformed { host: host(), key_id: "shop".into(), reason: "is not JSON" };
        assert!(matches!(HttpError::from(malformed).health(), Health::Failed(_)));
    }

    #[test]
    fn a_challenge_and_a_page_of_the_edge_are_bans() {
        let challenge = Challenge { status: StatusCode::FORBIDDEN, mark: ChallengeMark::Header };
        let challenged = HttpError::Challenged { host: host(), challenge };
        let pages = ["error code: 1020", "<!DOCTYPE html><html>", " <html><head><title>Sorry, you have been blocked"];
        let pages = pages.map(|page| status(403, page));
        for error in pages.into_iter().chain([challenged.clone(), token(challenged)]) {
            assert!(matches!(error.health(), Health::Banned(_)), "{error}");
        }
    }

    #[test]
    fn a_refusal_without_a_sign_of_the_edge_is_no_ban() {
        let texts =
            ["(empty body)", "", "forbidden", "[]", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"];
        for text in texts {
            assert!(matches!(status(403, text).health(), Health::Failed(_)), "{text}");
        }
    }

    #[test]
    fn what_is_about_one_request_says_nothing_of_the_upstream() {
        for code in [400, 404, 405, 410, 414, 422, 451] {
            assert_eq!(status(code, "<html>").health(), Health::Unknown, "{code}");
            assert!(
                matches!(token(status(code, "<html>")).health(), Health::Failed(_)),
                "all tokens come from one address"
            );
        }
    }

    #[test]
    fn refusals_of_a_key_or_for_the_rate_say_nothing_about_the_upstream() {
        let refused = TokenError::Refused {
            host: host(),
            key_id: "shop".into(),
            status: StatusCode::UNAUTHORIZED,
            excerpt: String::new(),
        };
        let unauthorized = HttpError::Unauthorized { host: host(), key_id: "shop".into() };
        for error in [unauthorized, refused.into(), limited(Some(Duration::from_secs(5)))] {
            assert_eq!(error.health(), Health::Unknown, "{error}");
        }
        assert!(matches!(limited(None).health(), Health::Failed(_)));
    }
}
