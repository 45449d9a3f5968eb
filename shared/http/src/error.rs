//! Why an upstream gave no usable answer.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::challenge::Challenge;
use crate::token::TokenError;
use crate::transport::TransportError;

/// Why a request came to nothing, after every repetition that its policy allows. The texts name hosts and key ids;
/// none holds a header, a secret or a token, and of a body only a short sanitised excerpt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HttpError {
    /// No whole answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The upstream refused for haste, for longer than a client should wait by itself.
    #[error(transparent)]
    RateLimited(RateLimited),
    /// The upstream wants to see a human: stop, keep the progress, and say so.
    #[error("{host} answered with {challenge}; it is not evaded")]
    Challenged {
        /// Host and port.
        host: String,
        /// How it was recognised.
        challenge: Challenge,
    },
    /// A status that the caller has no use for: always so for 5xx, for others if the caller says so.
    #[error("unexpected status {status} from {host}: {excerpt}")]
    Status {
        /// Host and port.
        host: String,
        /// The status.
        status: StatusCode,
        /// What a 5xx said in its `Retry-After`.
        retry_after: Option<Duration>,
        /// The beginning of the body, printable, with everything removed that looks like a secret.
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
    /// Too many answers of 4xx in a row: the client sends no request any more that counts with those, and none at all
    /// when all were refused.
    #[error(
        "a request to {host} is not sent: {client_errors} answers in a row were client errors, the last one {status} of \
         {endpoint}, and each counts towards a ban; mend what is wrong, then start again"
    )]
    Halted {
        /// Host and port.
        host: String,
        /// How many.
        client_errors: u32,
        /// The last one's status.
        status: StatusCode,
        /// Host and path that answered so.
        endpoint: String,
    },
    /// The upstream is down, by the word of its breaker: the request is not sent.
    #[error("{upstream} is down since {since}, and is asked again at {until}: {reason}")]
    Waits {
        /// The breaker's name of it.
        upstream: String,
        /// Since when.
        since: Timestamp,
        /// When it is asked next.
        until: Timestamp,
        /// How the last call failed.
        reason: String,
    },
    /// No access token, so the request itself was never sent.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl HttpError {
    /// Whether the upstream may have done, and billed, the work of the last attempt. A hold on points may be
    /// released at once only when this is `false`.
    pub fn may_be_billed(&self) -> bool {
        match self {
            HttpError::Transport(error) => !matches!(error, TransportError::Unreachable { .. }),
            // Refused at the door. Of no other status is it known what was done behind it.
            HttpError::Status { status, .. } => *status != StatusCode::UNAUTHORIZED,
            // A challenge comes from the edge as far as is known, but nobody promises that.
            HttpError::Challenged { .. } => true,
            HttpError::RateLimited(_)
            | HttpError::Unauthorized { .. }
            | HttpError::Halted { .. }
            | HttpError::Waits { .. }
            | HttpError::Token(_) => false,
        }
    }

    /// Whether a request was refused for what it is, by a status of 4xx.
    pub fn is_client_error(&self) -> bool {
        matches!(self, HttpError::Status { status, .. } if status.is_client_error())
    }

    /// The refusal for haste behind this error, whether it met the request or the token for it.
    pub fn rate_limited(&self) -> Option<&RateLimited> {
        match self {
            HttpError::RateLimited(limited) | HttpError::Token(TokenError::RateLimited(limited)) => Some(limited),
            _ => None,
        }
    }
}

/// A 429 that is for the caller to decide about. It was not billed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct RateLimited {
    /// Host and port.
    pub host: String,
    /// How long the upstream asks to stay away; `None` when it did not say.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for RateLimited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(delay) => write!(formatter, "{} refuses requests (429) for {} s", self.host, delay.as_secs_f64()),
            None => write!(formatter, "{} refuses requests (429) and does not say for how long", self.host),
        }
    }
}
