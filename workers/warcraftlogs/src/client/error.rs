//! Why a call to the API failed, and what that means for the points it held.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::CircuitWait;
use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyId, KeyRefusal};
use stint_http::{HttpError, TokenError};

use super::decode::Unreadable;

/// A refusal for longer than this means that a key's points are used up; a shorter one is a rate limit. The upstream's
/// 429s look the same, and its clients tell them apart in this way (Marsgames/RaidLogs slept up to 60 s, and gave a key
/// up beyond).
const LONGEST_SHORT_LIMIT: Duration = Duration::from_secs(60);

/// How long a key is paused that the upstream refuses without saying for how long.
const DEFAULT_PAUSE: Duration = Duration::from_secs(300);

/// How long a key is paused whose credentials the upstream does not accept. Only a person can fix them, and four tries
/// an hour cost nothing; after a short failure of the token service the keys are back soon.
const REFUSED_CREDENTIALS_PAUSE: Duration = Duration::from_secs(15 * 60);

/// How long a key is paused that another process has and this one does not, as while new settings are rolled out.
/// Processes that have the key lose it for no longer than that.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(60);

/// A call without a usable response. No error text contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The key cannot be used for any call: its credentials are not accepted, or not known here.
    #[error("{reason}; the key is paused until {until}")]
    CredentialsRefused {
        /// When it is tried again.
        until: Timestamp,
        /// The reason.
        reason: String,
    },
    /// The upstream says that the key's points are used up.
    #[error("the upstream refuses the key until {until}")]
    PointsExhausted {
        /// When it can be used again.
        until: Timestamp,
    },
    /// The request rate was too high; the gate is closed for a moment.
    #[error("rate limited by the upstream")]
    RateLimited {
        /// Whether the upstream said for how long.
        has_retry_after: bool,
    },
    /// Not sent: the breaker says that the upstream is down.
    #[error("{upstream} has been down since {since}; next probe at {until}: {reason}")]
    Down {
        /// The breaker's name for the upstream.
        upstream: String,
        /// Since when it has been down.
        since: Timestamp,
        /// When the next call may be made.
        until: Timestamp,
        /// How the last call failed.
        reason: String,
    },
    /// Waited longer than the points are held.
    #[error("no response within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The response cannot be interpreted.
    #[error("{0}")]
    Unreadable(String),
    /// Any other failure of the request or the response.
    #[error(transparent)]
    Http(HttpError),
}

impl CallError {
    pub(super) fn unreadable(error: Unreadable) -> CallError {
        CallError::Unreadable(error.to_string())
    }

    pub(super) fn unknown_key(key: &KeyId, now: Timestamp) -> CallError {
        CallError::CredentialsRefused {
            until: after(now, UNKNOWN_KEY_PAUSE),
            reason: format!("key {key} is not in WCL_KEYS"),
        }
    }

    /// The upstream does not accept the token of a key, as the body of a response says.
    pub(super) fn credentials_refused(reason: String, now: Timestamp) -> CallError {
        CallError::CredentialsRefused { until: after(now, REFUSED_CREDENTIALS_PAUSE), reason }
    }

    pub(super) fn down(upstream: &str, wait: CircuitWait) -> CallError {
        let CircuitWait { outage, until } = wait;
        CallError::Down { upstream: upstream.to_owned(), since: outage.since, until, reason: outage.reason }
    }

    pub(super) fn from_http(error: HttpError, now: Timestamp) -> CallError {
        if let HttpError::BreakerOpen { upstream, since, until, reason } = error {
            return CallError::Down { upstream, since, until, reason };
        }
        match error.rate_limited() {
            Some(limited) if limited.retry_after.is_none_or(|delay| delay <= LONGEST_SHORT_LIMIT) => {
                CallError::RateLimited { has_retry_after: limited.retry_after.is_some() }
            }
            Some(limited) => {
                CallError::PointsExhausted { until: after(now, limited.retry_after.unwrap_or(DEFAULT_PAUSE)) }
            }
            None if matches!(error, HttpError::Unauthorized { .. } | HttpError::Token(TokenError::Refused { .. })) => {
                CallError::CredentialsRefused {
                    until: after(now, REFUSED_CREDENTIALS_PAUSE),
                    reason: error.to_string(),
                }
            }
            None => CallError::Http(error),
        }
    }

    /// The end of the call, for the ledger.
    pub fn call_end(&self) -> CallEnd {
        match self {
            CallError::RateLimited { .. } | CallError::Down { .. } => CallEnd::NotBilled,
            CallError::PointsExhausted { until } => CallEnd::Refused { until: *until, why: KeyRefusal::Points },
            CallError::CredentialsRefused { until, .. } => {
                CallEnd::Refused { until: *until, why: KeyRefusal::Credentials }
            }
            CallError::Http(error) if !error.may_be_billed() => CallEnd::NotBilled,
            _ => CallEnd::Lost,
        }
    }

    /// Whether the same call can be made again, with any key, without counting as a failure.
    pub fn is_retryable_without_failure(&self) -> bool {
        // One attempt has a time-out of its own, so a call only takes too long where it waits: at the gate that a 429
        // has closed, or for a token.
        matches!(
            self,
            CallError::RateLimited { .. }
                | CallError::Down { .. }
                | CallError::PointsExhausted { .. }
                | CallError::CredentialsRefused { .. }
                | CallError::TimedOut(_)
        )
    }
}
