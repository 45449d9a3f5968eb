//! Errors: why an upstream gave no usable answer.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::challenge::Challenge;
use crate::token::TokenError;
use crate::transport::TransportError;

/// Why a request failed after every repetition that its policy allows. The texts name hosts and key ids. None contains
/// a header, a secret or a token, and of a body only a short sanitised excerpt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HttpError {
    /// No complete answer was received.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A rate-limit refusal (429) for longer than a client should wait by itself.
    #[error(transparent)]
    RateLimited(RateLimited),
    /// The upstream requires a human. Stop, keep the progress, and report it.
    #[error("{host} answered with {challenge}; it is not evaded")]
    Challenged {
        /// Host and port.
        host: String,
        /// How it was recognised.
        challenge: Challenge,
    },
    /// A status that the caller cannot use: every 5xx, and any other status if the caller says so.
    #[error("unexpected status {status} from {host}: {excerpt}")]
    Status {
        /// Host and port.
        host: String,
        /// The status.
        status: StatusCode,
        /// The `Retry-After` of a 5xx.
        retry_after: Option<Duration>,
        /// The beginning of the body: printable, without anything that looks like a secret.
        excerpt: String,
    },
    /// The upstream refused a token that the token endpoint had just issued.
    #[error(
        "{host} refused key {key_id} twice with status 401, the second time with a fresh token: check that the key is \
         still active and is meant for this API"
    )]
    Unauthorized {
        /// Host and port.
        host: String,
        /// The key, by its public id.
        key_id: String,
    },
    /// Too many 4xx answers in a row. The client sends no more requests that count together with the refused ones, and
    /// none at all if every request was refused.
    #[error(
        "a request to {host} is not sent: {client_errors} answers in a row were client errors, the last one {status} of \
         {endpoint}, and each counts towards a ban; fix the cause, then restart"
    )]
    StoppedForClientErrors {
        /// Host and port.
        host: String,
        /// The number of such answers in a row.
        client_errors: u32,
        /// The status of the last one.
        status: StatusCode,
        /// The host and path of the last one.
        endpoint: String,
    },
    /// The breaker is open because the upstream is down. The request was not sent.
    #[error("{upstream} has been down since {since}; the next probe is at {until}: {reason}")]
    BreakerOpen {
        /// The upstream's name in the breaker.
        upstream: String,
        /// When the outage began.
        since: Timestamp,
        /// When the next probe may be made.
        until: Timestamp,
        /// How the last call failed.
        reason: String,
    },
    /// There is no access token, so the request was not sent.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl HttpError {
    /// Returns whether the upstream may have done, and billed, the work of the last attempt. A hold on points may be
    /// released at once only if this is `false`.
    pub fn may_be_billed(&self) -> bool {
        match self {
            HttpError::Transport(error) => !matches!(error, TransportError::Unreachable { .. }),
            // The request was refused before any work. For no other status is it known what was done.
            HttpError::Status { status, .. } => *status != StatusCode::UNAUTHORIZED,
            // As far as known, a challenge comes from the edge, before any work, but there is no guarantee.
            HttpError::Challenged { .. } => true,
            HttpError::RateLimited(_)
            | HttpError::Unauthorized { .. }
            | HttpError::StoppedForClientErrors { .. }
            | HttpError::BreakerOpen { .. }
            | HttpError::Token(_) => false,
        }
    }

    /// Returns whether the request was refused for what it is, by a 4xx status.
    pub fn is_client_error(&self) -> bool {
        matches!(self, HttpError::Status { status, .. } if status.is_client_error())
    }

    /// Returns the rate-limit refusal behind this error, whether the request or the token request was refused.
    pub fn rate_limited(&self) -> Option<&RateLimited> {
        match self {
            HttpError::RateLimited(limited) | HttpError::Token(TokenError::RateLimited(limited)) => Some(limited),
            _ => None,
        }
    }
}

/// A 429 that the caller must decide about. It was not billed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct RateLimited {
    /// Host and port.
    pub host: String,
    /// How long the upstream asks to wait. `None` if it did not say.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for RateLimited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(delay) => write!(formatter, "{} refuses requests (429) for {} s", self.host, delay.as_secs_f64()),
            None => write!(formatter, "{} refuses requests (429) without a Retry-After", self.host),
        }
    }
}
