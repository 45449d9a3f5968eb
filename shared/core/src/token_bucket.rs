//! An exact token bucket in integers: how often something may be done.
//!
//! # What it permits
//! In any span of time, a bucket admits at most its size plus what comes in during that span, by the clock that its users
//! read. All arithmetic is exact: a token is counted as as many parts as its period has milliseconds, so that each
//! millisecond brings a whole number of parts. Fractions are neither lost nor gained.
//!
//! # If the clock is set
//! A bucket remembers the latest time that it has seen, and nothing comes in until that time is passed again. Processes
//! whose clocks differ a little therefore do not gain tokens by taking turns. If the clock shows a time that is more than
//! [`LONGEST_STANDSTILL`] before, it was set back: the bucket keeps its tokens and goes on from the new time. A set-back
//! therefore never gives tokens and stops the flow for at most that long. A clock that is set ahead looks the same as time
//! that passed, and fills the bucket up to its size.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{from_millis, set_back_by, to_millis};
use crate::ports::{PortError, RateLimit};

/// How long nothing comes in after the clock was set back by as much. The clocks of two machines that keep time differ by
/// less.
pub const LONGEST_STANDSTILL: Duration = Duration::from_secs(5);

/// A bucket of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The tokens in it, in parts: a token has as many parts as its period has milliseconds.
    parts: u64,
    /// The period for which `parts` counts, in milliseconds.
    period_millis: u64,
    /// The latest time that the bucket has seen, in milliseconds since the epoch.
    at_millis: i64,
}

/// What came of a call that takes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the tokens were taken.
    pub allowed: bool,
    /// The whole tokens that are left.
    pub remaining: u32,
    /// After how long the same call can succeed, if no other call takes tokens. Zero if it was allowed.
    pub retry_after: Duration,
    /// After how long the bucket is full, if no tokens are taken.
    pub reset: Duration,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub fn full(limit: &RateLimit, now: Timestamp) -> TokenBucket {
        TokenBucket { parts: size(limit), period_millis: limit.period_millis(), at_millis: to_millis(now) }
    }

    /// Restores a bucket that was [stored](TokenBucket::stored).
    pub fn restored([parts, period_millis, at_millis]: [i64; 3]) -> TokenBucket {
        TokenBucket {
            parts: parts.max(0).unsigned_abs(),
            period_millis: period_millis.max(1).unsigned_abs(),
            at_millis,
        }
    }

    /// Returns the bucket as three numbers for a store.
    pub fn stored(&self) -> [i64; 3] {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        [signed(self.parts), signed(self.period_millis), self.at_millis]
    }

    /// Takes `tokens` at `now`, or takes nothing if there are not so many. Returns the bucket as it is afterwards. Asking for
    /// more than the bucket can ever hold fails, and so does an invalid limit.
    pub fn take(&self, tokens: u32, limit: &RateLimit, now: Timestamp) -> Result<(TokenBucket, Taken), PortError> {
        limit.check().map_err(PortError::Invalid)?;
        if tokens > limit.burst {
            let burst = limit.burst;
            return Err(PortError::Invalid(format!("{tokens} tokens are more than a bucket of {burst} ever holds")));
        }
        let mut bucket = self.refilled(limit, now);
        let price = u64::from(tokens) * bucket.period_millis;
        let missing = price.saturating_sub(bucket.parts);
        let allowed = missing == 0;
        if allowed {
            bucket.parts -= price;
        }
        let behind = u64::try_from(bucket.at_millis.saturating_sub(to_millis(now))).unwrap_or(0);
        let time_for = |parts: u64| match parts {
            0 => Duration::ZERO,
            parts => Duration::from_millis(parts.div_ceil(u64::from(limit.tokens)).saturating_add(behind)),
        };
        let taken = Taken {
            allowed,
            remaining: u32::try_from(bucket.parts / bucket.period_millis).unwrap_or(u32::MAX),
            retry_after: time_for(missing),
            reset: time_for(size(limit) - bucket.parts),
        };
        Ok((bucket, taken))
    }

    /// Returns when the bucket is full again, if no tokens are taken: it then need not be kept.
    pub fn full_at(&self, limit: &RateLimit) -> Timestamp {
        let missing = size(limit).saturating_sub(self.parts).div_ceil(u64::from(limit.tokens.max(1)));
        from_millis(self.at_millis.saturating_add(i64::try_from(missing).unwrap_or(i64::MAX)))
    }

    /// Returns the bucket with what has come in until `now`.
    fn refilled(&self, limit: &RateLimit, now: Timestamp) -> TokenBucket {
        let (period_millis, now_millis) = (limit.period_millis(), to_millis(now));
        let same_period = self.period_millis == period_millis;
        // Rounded down: a change of the limit gives no tokens.
        let parts = if same_period { self.parts } else { self.parts / self.period_millis * period_millis };
        let was_set_back = set_back_by(from_millis(self.at_millis), now, LONGEST_STANDSTILL).is_some();
        let passed = u64::try_from(now_millis.saturating_sub(self.at_millis)).unwrap_or(0);
        let parts = parts.saturating_add(passed.saturating_mul(u64::from(limit.tokens))).min(size(limit));
        let at_millis = if was_set_back { now_millis } else { self.at_millis.max(now_millis) };
        TokenBucket { parts, period_millis, at_millis }
    }
}

/// Returns the size of a bucket, in parts.
fn size(limit: &RateLimit) -> u64 {
    u64::from(limit.burst) * limit.period_millis()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: RateLimit = RateLimit { tokens: 3, per: Duration::from_secs(7), burst: 5 };

    fn at(millis: i64) -> Timestamp {
        from_millis(1_700_000_000_000 + millis)
    }

    /// Takes a token at each of these times, and returns which were allowed.
    fn taken_at(limit: &RateLimit, times: &[i64]) -> Vec<bool> {
        let mut bucket = TokenBucket::full(limit, at(times[0]));
        let take = |time: &i64| {
            let (after, taken) = bucket.take(1, limit, at(*time)).unwrap();
            bucket = after;
            taken.allowed
        };
        times.iter().map(take).collect()
    }

    #[test]
    fn a_full_bucket_is_taken_at_once_and_then_a_token_comes_at_its_exact_time() {
        // A token every 2,333 1/3 ms.
        let mut times = vec![0; 6];
        times.extend([2_333, 2_334, 4_666, 4_667, 6_999, 7_000, 7_001]);
        let expected = [true, true, true, true, true, false, false, true, false, true, false, true, false];
        assert_eq!(taken_at(&LIMIT, &times), expected);
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let bucket = TokenBucket::full(&LIMIT, at(0));
        let (bucket, first) = bucket.take(4, &LIMIT, at(0)).unwrap();
        assert_eq!((first.allowed, first.remaining, first.retry_after), (true, 1, Duration::ZERO));
        assert_eq!(first.reset, Duration::from_millis(9_334));
        let (bucket, second) = bucket.take(2, &LIMIT, at(0)).unwrap();
        assert_eq!((second.allowed, second.remaining), (false, 1));
        let early = at(i64::try_from(second.retry_after.as_millis()).unwrap() - 1);
        assert!(!bucket.take(2, &LIMIT, early).unwrap().1.allowed);
        assert!(bucket.take(2, &LIMIT, early + SignedDuration::from_millis(1)).unwrap().1.allowed);
        assert_eq!(bucket.full_at(&LIMIT), at(9_334));
        assert!(bucket.take(6, &LIMIT, at(0)).is_err(), "never possible");
    }

    #[test]
    fn a_clock_that_is_set_back_stops_the_flow_for_seconds_only() {
        let (empty, _) = TokenBucket::full(&LIMIT, at(0)).take(5, &LIMIT, at(0)).unwrap();
        let hour = 3_600_000;
        let (back, taken) = empty.take(1, &LIMIT, at(-hour)).unwrap();
        assert!(!taken.allowed && taken.retry_after == Duration::from_millis(2_334));
        assert!(back.take(1, &LIMIT, at(2_334 - hour)).unwrap().1.allowed);
        // A small difference between two machines gives nothing, however often they take turns.
        let mut bucket = empty;
        for turn in 0..100 {
            let (after, taken) = bucket.take(1, &LIMIT, at(if turn % 2 == 0 { -3_000 } else { 0 })).unwrap();
            assert!(!taken.allowed);
            bucket = after;
        }
    }

    #[test]
    fn a_change_of_the_limit_gives_no_tokens() {
        let (bucket, _) = TokenBucket::full(&LIMIT, at(0)).take(2, &LIMIT, at(0)).unwrap();
        let (_, larger) = bucket.take(0, &RateLimit::per_second(1, 100), at(0)).unwrap();
        let (_, smaller) = bucket.take(0, &RateLimit::per_second(1, 2), at(0)).unwrap();
        assert_eq!((larger.remaining, smaller.remaining), (3, 2));
        assert!(bucket.take(1, &RateLimit::per_second(0, 2), at(0)).is_err());
        let restored = TokenBucket::restored(bucket.stored());
        assert_eq!(restored, bucket);
        // What a damaged store says breaks nothing.
        for stored in [[i64::MIN; 3], [i64::MAX; 3], [0, 0, 0]] {
            assert!(TokenBucket::restored(stored).take(1, &LIMIT, at(0)).is_ok());
        }
    }

    fn limits() -> impl Strategy<Value = RateLimit> {
        (1..50_u32, 1..100_000_u64, 1..50_u32).prop_map(|(tokens, per, burst)| RateLimit {
            tokens,
            per: Duration::from_millis(per),
            burst,
        })
    }

    proptest! {
        /// In every span between two admissions: at most the size, and what came in.
        #[test]
        fn no_span_of_time_admits_more(limit in limits(), steps in prop::collection::vec((0..5_000_i64, 1..5_u32), 1..200)) {
            let (mut bucket, mut time, mut admitted) = (TokenBucket::full(&limit, at(0)), 0, Vec::new());
            for (step, tokens) in steps {
                time += step;
                let tokens = tokens.min(limit.burst);
                let (after, taken) = bucket.take(tokens, &limit, at(time)).unwrap();
                prop_assert_eq!(taken.allowed, taken.retry_after.is_zero());
                if taken.allowed {
                    admitted.push((time, u64::from(tokens)));
                }
                bucket = after;
            }
            for (first, (start, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, tokens) in &admitted[first..] {
                    sum += tokens;
                    let came = u64::try_from(end - start).unwrap() * u64::from(limit.tokens);
                    prop_assert!(sum * limit.period_millis() <= size(&limit) + came);
                }
            }
        }

        /// However the clock is set back, the tokens admitted are those that came in while it went forward; and a caller
        /// that waits as long as it is told to is admitted.
        #[test]
        fn a_set_back_gives_nothing_and_a_wait_is_enough(
            limit in limits(),
            steps in prop::collection::vec(-100_000..5_000_i64, 1..200),
        ) {
            let (mut bucket, mut time, mut passed, mut sum) = (TokenBucket::full(&limit, at(0)), 0, 0, 0);
            for step in steps {
                time += step;
                passed += u64::try_from(step).unwrap_or(0);
                let (after, taken) = bucket.take(1, &limit, at(time)).unwrap();
                bucket = after;
                if taken.allowed {
                    sum += 1;
                } else {
                    prop_assert!(taken.retry_after <= LONGEST_STANDSTILL + limit.per + Duration::from_millis(1));
                    let wait = i64::try_from(taken.retry_after.as_millis()).unwrap();
                    prop_assert!(bucket.take(1, &limit, at(time + wait)).unwrap().1.allowed);
                }
            }
            prop_assert!(sum * limit.period_millis() <= size(&limit) + passed * u64::from(limit.tokens));
        }
    }
}
