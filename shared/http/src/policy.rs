//! Retry policies: one per kind of operation, each with its reason.

use std::time::Duration;

use crate::error::HttpError;
use crate::transport::{RequestLimits, TransportError};

/// How often, after which failures and with which waits a request is repeated, and what one attempt may take.
///
/// A 429 is not one of these failures: nothing was done for certain, so every policy repeats it after the wait.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The operation's name, for logs.
    pub operation: &'static str,
    /// The total number of attempts, including the first. Rate-limit refusals are not counted.
    pub attempts: u32,
    /// The failures after which another attempt is made.
    pub repeat: Repeat,
    /// The longest wait after the first failure. It doubles with each further failure. Each wait is drawn from the
    /// upper half of its range, so that callers that failed together do not come back together.
    pub first_delay: Duration,
    /// The upper bound of the doubling wait.
    pub longest_delay: Duration,
    /// How often a short rate-limit refusal is waited out before it is returned to the caller.
    pub rate_limit_waits: u32,
    /// The limits of one attempt.
    pub limits: RequestLimits,
}

/// The failures after which another attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Only failures in which the upstream cannot have seen the request.
    Unseen,
    /// Also failures in which it may have seen the request: no answer in time, an incomplete answer, or a server error.
    Harmless,
}

impl RetryPolicy {
    /// An access token. A repetition gives a second valid token and costs nothing, so every passing fault is repeated.
    /// The waits are short, because every worker that uses the key is waiting.
    pub const TOKEN: RetryPolicy = RetryPolicy {
        operation: "token",
        attempts: 4,
        repeat: Repeat::Harmless,
        first_delay: Duration::from_millis(500),
        longest_delay: Duration::from_secs(8),
        rate_limit_waits: 3,
        limits: RequestLimits { timeout: Duration::from_secs(10), max_body: 64 * 1024 },
    };

    /// A query that costs points. Once the upstream may have seen it, it may have been billed, and a repetition would
    /// spend points without a reservation. Only a connection that was never made is tried again; the caller that holds
    /// the message decides about the rest.
    pub const QUERY: RetryPolicy = RetryPolicy {
        operation: "query",
        attempts: 4,
        repeat: Repeat::Unseen,
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(15),
        rate_limit_waits: 5,
        // A query with many aliases takes the upstream seconds, and its answer is at most a megabyte.
        limits: RequestLimits { timeout: Duration::from_secs(30), max_body: 16 * 1024 * 1024 },
    };

    /// A public page or any other free read. A repetition does no harm, but the site belongs to others: few attempts,
    /// long waits.
    pub const PAGE: RetryPolicy = RetryPolicy {
        operation: "page",
        attempts: 4,
        repeat: Repeat::Harmless,
        first_delay: Duration::from_secs(2),
        longest_delay: Duration::from_secs(30),
        rate_limit_waits: 3,
        limits: RequestLimits { timeout: Duration::from_secs(30), max_body: 4 * 1024 * 1024 },
    };

    /// Returns whether another attempt may follow `error`, if one is left.
    pub fn repeats(&self, error: &HttpError) -> bool {
        match error {
            HttpError::Transport(TransportError::Unreachable { .. }) => true,
            HttpError::Transport(TransportError::TimedOut { .. } | TransportError::Broken { .. }) => {
                self.repeat == Repeat::Harmless
            }
            HttpError::Status { status, .. } => self.repeat == Repeat::Harmless && status.is_server_error(),
            _ => false,
        }
    }

    /// Returns the wait after failure number `failures` (from 1), with `random` as the random draw.
    pub(crate) fn delay(&self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first_delay.saturating_mul(1 << doublings).min(self.longest_delay);
        // The upper 53 bits make a fraction in 0..1 that a double represents exactly.
        let fraction = (random >> 11) as f64 / (1_u64 << 53) as f64;
        full / 2 + (full / 2).mul_f64(fraction)
    }
}

/// Returns draw number `draw` of splitmix64: the same `seed` and `draw` give the same number on every run.
pub(crate) fn draw(seed: u64, draw: u64) -> u64 {
    let mut state = seed.wrapping_add(draw.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_keep_to_the_upper_half() {
        for failures in 1..=40 {
            let full = Duration::from_secs(2).saturating_mul(1 << (failures - 1).min(10)).min(Duration::from_secs(30));
            for number in 0..50 {
                let delay = RetryPolicy::PAGE.delay(failures, draw(7, number));
                assert!(delay >= full / 2 && delay <= full, "failure {failures}: {delay:?} of {full:?}");
            }
        }
    }

    #[test]
    fn draws_repeat_with_their_seed_and_differ_without_it() {
        assert_eq!(draw(1, 5), draw(1, 5));
        assert_ne!(draw(1, 5), draw(2, 5));
        assert_ne!(draw(1, 5), draw(1, 6));
    }

    #[test]
    fn what_may_have_been_billed_is_never_repeated_as_a_query() {
        let host = String::from("api.example");
        let unreachable = TransportError::Unreachable { host: host.clone(), reason: String::from("refused") };
        let broken = TransportError::Broken { host: host.clone(), reason: String::from("reset") };
        let timed_out = TransportError::TimedOut { host, timeout: Duration::from_secs(1) };
        assert!(RetryPolicy::QUERY.repeats(&unreachable.into()));
        for seen in [broken, timed_out] {
            let seen = HttpError::from(seen);
            assert!(seen.may_be_billed());
            assert!(!RetryPolicy::QUERY.repeats(&seen));
            assert!(RetryPolicy::PAGE.repeats(&seen));
        }
    }
}
