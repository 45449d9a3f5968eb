//! The rate limit port: token buckets that all hosts of an installation share.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::PortResult;
use crate::token_bucket::Taken;

/// Token buckets, by name. A bucket that was never used is full.
///
/// A call decides and takes in one step: of any number of concurrent callers, no more are admitted than the limit permits
/// (see [`TokenBucket`](crate::token_bucket::TokenBucket) for what it permits exactly). A call that fails may or may not
/// have taken its tokens; it never gives any back.
///
/// The store deletes buckets that are full again, so that names may be made from addresses and keys without end.
#[async_trait]
pub trait RateLimits: Send + Sync {
    /// Takes `tokens` from the bucket `name`, or takes nothing if there are not so many. To ask for more than the bucket can
    /// ever hold is invalid. A bucket whose limit has changed since the last call keeps its tokens, up to the new size.
    async fn take(&self, name: &str, tokens: u32, limit: &RateLimit) -> PortResult<Taken>;
}

/// How fast a bucket fills, and how many tokens it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// The tokens that come in each `per`.
    pub tokens: u32,
    /// The time in which they come, in whole milliseconds.
    pub per: Duration,
    /// The most tokens in the bucket: how many requests may come at once.
    pub burst: u32,
}

/// The longest `per`. Together with 32-bit counts, it keeps all arithmetic within 64 bits.
const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

impl RateLimit {
    /// Creates a limit of so many tokens a second.
    pub const fn per_second(tokens: u32, burst: u32) -> RateLimit {
        RateLimit { tokens, per: Duration::from_secs(1), burst }
    }

    /// Creates a limit of so many tokens a minute.
    pub const fn per_minute(tokens: u32, burst: u32) -> RateLimit {
        RateLimit { tokens, per: Duration::from_secs(60), burst }
    }

    /// Returns what is wrong with the limit, if anything is.
    pub fn check(&self) -> Result<(), String> {
        if self.tokens == 0 || self.burst == 0 {
            return Err("a rate limit of 0 tokens admits nothing".to_owned());
        }
        if self.per < Duration::from_millis(1) || self.per > LONGEST_PERIOD {
            return Err("the period of a rate limit is from a millisecond to a day".to_owned());
        }
        Ok(())
    }

    /// Returns `per` in milliseconds, at least 1.
    pub(crate) fn period_millis(&self) -> u64 {
        u64::try_from(self.per.min(LONGEST_PERIOD).as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RateLimit { tokens, per, burst } = self;
        match (per.as_secs(), per.subsec_millis()) {
            (1, 0) => write!(formatter, "{tokens} a second")?,
            (60, 0) => write!(formatter, "{tokens} a minute")?,
            (3_600, 0) => write!(formatter, "{tokens} an hour")?,
            (seconds, 0) => write!(formatter, "{tokens} in {seconds} seconds")?,
            _ => write!(formatter, "{tokens} in {} ms", per.as_millis())?,
        }
        write!(formatter, ", {burst} at once")
    }
}
