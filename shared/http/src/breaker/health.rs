//! What a failure says of an upstream's health.

use http::StatusCode;
use stint_core::circuit::Health;

use crate::error::{HttpError, RateLimited};
use crate::token::TokenError;
use crate::transport::TransportError;

impl HttpError {
    /// What this failure says of the upstream. A refusal that is about the key says nothing of it: whoever knows all keys
    /// knows whether any is accepted.
    pub fn health(&self) -> Health {
        match self {
            HttpError::Transport(TransportError::TooLarge { .. })
            | HttpError::Unauthorized { .. }
            | HttpError::Halted { .. }
            | HttpError::Waits { .. }
            | HttpError::Token(TokenError::Refused { .. }) => Health::Unknown,
            HttpError::RateLimited(limited) | HttpError::Token(TokenError::RateLimited(limited)) => {
                self.of_limit(limited)
            }
            HttpError::Challenged { .. } => Health::Banned(self.to_string()),
            HttpError::Status { status, excerpt, .. } if is_ban(*status, excerpt) => Health::Banned(self.to_string()),
            HttpError::Transport(_) | HttpError::Status { .. } | HttpError::Token(TokenError::Malformed { .. }) => {
                Health::Failed(self.to_string())
            }
            HttpError::Token(TokenError::Failed { error, .. }) => match error.health() {
                Health::Failed(_) => Health::Failed(self.to_string()),
                Health::Banned(_) => Health::Banned(self.to_string()),
                other => other,
            },
        }
    }

    /// A refusal for haste that says for how long is obeyed, and is no fault. One that does not say may last for ever.
    fn of_limit(&self, limited: &RateLimited) -> Health {
        match limited.retry_after {
            Some(_) => Health::Unknown,
            None => Health::Failed(self.to_string()),
        }
    }
}

/// What an API refuses to one caller it says as JSON; a page in its place comes from the edge in front of it.
fn is_ban(status: StatusCode, excerpt: &str) -> bool {
    status == StatusCode::FORBIDDEN && !excerpt.trim_start().starts_with(['{', '['])
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
    fn faults_of_the_upstream_count_wherever_they_meet_us() {
        let timed_out = TransportError::TimedOut { host: host(), timeout: Duration::from_secs(30) };
        for error in [status(502, "<html>"), status(404, "{}"), status(403, "{\"message\":\"no\"}"), timed_out.into()] {
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
        for error in [challenged.clone(), status(403, "error code: 1020"), token(challenged)] {
            assert!(matches!(error.health(), Health::Banned(_)), "{error}");
        }
    }

    #[test]
    fn what_is_about_a_key_or_about_haste_says_nothing_of_the_upstream() {
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
