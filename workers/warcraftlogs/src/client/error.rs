//! Why a call to the API came to nothing, and what that means for the points it held.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyId};
use stint_http::HttpError;

use super::decode::Unreadable;

/// A refusal for longer than this is about a key's points, a shorter one about haste: the upstream's 429s look the
/// same, and its clients tell them apart so (`facts`: the original slept up to 60 s, and gave a key up beyond).
const LONGEST_SHORT_LIMIT: Duration = Duration::from_secs(60);

/// An upstream that refuses a key and does not say for how long.
const UNSAID_REST: Duration = Duration::from_secs(300);

/// A call without a usable answer. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The settings do not have the key any more.
    #[error("key {0} is not in WCL_KEYS")]
    NoSuchKey(KeyId),
    /// The key's points are used up, by the upstream's word.
    #[error("the upstream refuses the key until {until}")]
    Exhausted {
        /// When it can be used again.
        until: Timestamp,
    },
    /// Asked too fast; the gate is closed for a moment.
    #[error("the upstream asks for patience")]
    TooFast,
    /// Waited longer than the points are held.
    #[error("no answer within {} s", .0.as_secs())]
    TooLong(Duration),
    /// The answer makes no sense.
    #[error("{0}")]
    Unreadable(String),
    /// Anything else on the way there and back.
    #[error(transparent)]
    Http(HttpError),
}

impl CallError {
    pub(super) fn unreadable(error: Unreadable) -> CallError {
        CallError::Unreadable(error.to_string())
    }

    pub(super) fn from_http(error: HttpError, now: Timestamp) -> CallError {
        match error.rate_limited() {
            Some(limited) if limited.retry_after.is_none_or(|delay| delay <= LONGEST_SHORT_LIMIT) => CallError::TooFast,
            Some(limited) => CallError::Exhausted { until: after(now, limited.retry_after.unwrap_or(UNSAID_REST)) },
            None => CallError::Http(error),
        }
    }

    /// What the ledger must know.
    pub fn call_end(&self) -> CallEnd {
        match self {
            CallError::NoSuchKey(_) | CallError::TooFast => CallEnd::NotBilled,
            CallError::Exhausted { until } => CallEnd::Refused { until: *until },
            CallError::Http(error) if !error.may_be_billed() => CallEnd::NotBilled,
            _ => CallEnd::Lost,
        }
    }

    /// When the key can be used again, if the upstream sent it away.
    pub fn resting_until(&self) -> Option<Timestamp> {
        match self {
            CallError::Exhausted { until } => Some(*until),
            _ => None,
        }
    }

    /// Whether the same call can be made again without counting as a failure.
    pub fn is_patience(&self) -> bool {
        // One attempt has a time-out of its own, so a call takes too long only where it waits: at the gate that a 429
        // has closed, or for a token.
        matches!(self, CallError::TooFast | CallError::Exhausted { .. } | CallError::TooLong(_))
    }
}
