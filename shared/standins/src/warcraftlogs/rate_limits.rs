//! The rate limits of the API and of the site.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, between};

use super::options::{Ban, Rate};

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: u32,
    /// When tokens were last added.
    filled: Timestamp,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Timestamp) -> Bucket {
        Bucket { rate, tokens: rate.burst, filled: now }
    }

    /// Takes a token. If there is none, returns the time until the next one.
    pub(crate) fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        self.fill(now);
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => Err(between(now, after(self.filled, self.rate.refill))),
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.rate.burst
    }

    pub(crate) fn remaining(&self) -> u32 {
        self.tokens
    }

    fn fill(&mut self, now: Timestamp) {
        let passed = between(self.filled, now).as_nanos();
        let refill = self.rate.refill.as_nanos().max(1);
        let earned = u32::try_from(passed / refill).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(earned).min(self.rate.burst);
        self.filled = if self.tokens == self.rate.burst { now } else { after(self.filled, self.rate.refill * earned) };
    }
}

/// The rate limit of the site: a client that reads too fast is banned for a while.
#[derive(Debug)]
pub(crate) struct SiteLimiter {
    bucket: Option<Bucket>,
    ban: Ban,
    closed_until: Timestamp,
    pub(crate) bans: u64,
}

impl SiteLimiter {
    pub(crate) fn new(rate: Option<Rate>, ban: Ban, now: Timestamp) -> SiteLimiter {
        SiteLimiter { bucket: rate.map(|rate| Bucket::full(rate, now)), ban, closed_until: Timestamp::MIN, bans: 0 }
    }

    /// Returns whether a page may be read now.
    pub(crate) fn open(&mut self, now: Timestamp) -> bool {
        if now < self.closed_until {
            return false;
        }
        let too_fast = self.bucket.as_mut().is_some_and(|bucket| bucket.take(now).is_err());
        if too_fast {
            self.bans += 1;
            self.closed_until = after(now, self.ban.duration);
        }
        !too_fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warcraftlogs::BanForm;

    const SECOND: Duration = Duration::from_secs(1);
    const RATE: Rate = Rate { burst: 2, refill: SECOND };

    fn at(millis: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_millis(millis))
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut bucket = Bucket::full(RATE, at(0));
        assert_eq!([bucket.take(at(0)), bucket.take(at(100))], [Ok(()), Ok(())]);
        assert_eq!(bucket.take(at(400)), Err(Duration::from_millis(600)));
        assert_eq!(bucket.take(at(1_000)), Ok(()));
        assert_eq!(bucket.take(at(60_000)), Ok(()));
        assert_eq!(bucket.remaining(), 1);
    }

    #[test]
    fn a_ban_ends_by_itself() {
        let ban = Ban { duration: SECOND * 60, form: BanForm::Challenge };
        let mut site_limiter = SiteLimiter::new(Some(RATE), ban, at(0));
        assert_eq!([site_limiter.open(at(0)), site_limiter.open(at(1)), site_limiter.open(at(2))], [true, true, false]);
        assert!(!site_limiter.open(at(60_001)));
        assert!(site_limiter.open(at(60_002)));
        assert_eq!(site_limiter.bans, 1);
    }
}
