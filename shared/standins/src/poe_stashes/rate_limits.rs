//! The rate limits of pages: counted, announced, enforced.

use std::collections::VecDeque;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use stint_core::clock::{after, before, between};

use super::options::{Counting, Window};

const POLICY: HeaderName = HeaderName::from_static("x-rate-limit-policy");
const RULES: HeaderName = HeaderName::from_static("x-rate-limit-rules");
const LIMITS: HeaderName = HeaderName::from_static("x-rate-limit-ip");
const STATES: HeaderName = HeaderName::from_static("x-rate-limit-ip-state");

/// The requests of one address.
#[derive(Debug)]
pub(super) struct RateLimiter {
    policy: String,
    counting: Counting,
    started: Timestamp,
    windows: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    window: Window,
    /// The requests of the current period, oldest first.
    hits: VecDeque<Timestamp>,
    restricted_until: Timestamp,
}

impl RateLimiter {
    pub(super) fn new(policy: String, windows: &[Window], counting: Counting, started: Timestamp) -> RateLimiter {
        let counted =
            |window: &Window| Counted { window: *window, hits: VecDeque::new(), restricted_until: Timestamp::MIN };
        RateLimiter { policy, counting, started, windows: windows.iter().map(counted).collect() }
    }

    /// Counts a request in any case. Returns whether it may be answered.
    pub(super) fn admit(&mut self, now: Timestamp) -> bool {
        let mut admitted = true;
        for counted in &mut self.windows {
            let opened = self.counting.opened(counted.window.period, self.started, now);
            while counted.hits.front().is_some_and(|hit| *hit <= opened) {
                counted.hits.pop_front();
            }
            counted.hits.push_back(now);
            if counted.restricted_until > now {
                admitted = false;
            } else if counted.hits.len() > counted.window.max_hits as usize {
                counted.restricted_until = after(now, counted.window.restriction);
                admitted = false;
            }
        }
        admitted
    }

    /// Adds the headers that announce the limits to the answer to the last request.
    pub(super) fn announce(&self, now: Timestamp, headers: &mut HeaderMap) {
        if self.windows.is_empty() {
            return;
        }
        let restricted = |counted: &Counted| whole_seconds(between(now, counted.restricted_until));
        let limits = self.windows.iter().map(|Counted { window, .. }| {
            format!("{}:{}:{}", window.max_hits, window.period.as_secs(), window.restriction.as_secs())
        });
        let states = self.windows.iter().map(|counted| {
            format!("{}:{}:{}", counted.hits.len(), counted.window.period.as_secs(), restricted(counted))
        });
        let mut insert = |name, text: String| headers.insert(name, HeaderValue::try_from(text).ok()?);
        insert(POLICY, self.policy.clone());
        insert(RULES, "Ip".to_owned());
        insert(LIMITS, limits.collect::<Vec<String>>().join(","));
        insert(STATES, states.collect::<Vec<String>>().join(","));
        if let Some(longest) = self.windows.iter().map(restricted).max().filter(|seconds| *seconds > 0) {
            insert(RETRY_AFTER, longest.to_string());
        }
    }
}

impl Counting {
    /// For a request at `now`, returns the instant after which earlier requests count.
    fn opened(self, period: Duration, started: Timestamp, now: Timestamp) -> Timestamp {
        match self {
            Counting::Sliding => before(now, period),
            Counting::Fixed => {
                let passed = between(started, now).as_nanos() % period.as_nanos().max(1);
                let passed = Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX));
                // A request exactly at the boundary belongs to the period that begins there.
                before(before(now, passed), Duration::from_nanos(1))
            }
        }
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_limiter(windows: &[Window], counting: Counting) -> RateLimiter {
        RateLimiter::new("policy".to_owned(), windows, counting, Timestamp::UNIX_EPOCH)
    }

    fn at(millis: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_millis(millis))
    }

    fn announced(rate_limiter: &RateLimiter, now: Timestamp, name: &str) -> String {
        let mut headers = HeaderMap::new();
        rate_limiter.announce(now, &mut headers);
        headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_sliding_window_counts_the_period_before_each_request() {
        let mut rate_limiter = rate_limiter(&[Window::of(2, 1, 60)], Counting::Sliding);
        assert_eq!([0, 900, 1000, 1899].map(|millis| rate_limiter.admit(at(millis))), [true, true, true, false]);
        assert_eq!(announced(&rate_limiter, at(1899), "x-rate-limit-ip"), "2:1:60");
        assert_eq!(announced(&rate_limiter, at(1899), "x-rate-limit-ip-state"), "3:1:60");
        assert_eq!(announced(&rate_limiter, at(1899), "retry-after"), "60");
        assert!(!rate_limiter.admit(at(61_898)));
        assert!(rate_limiter.admit(at(61_899)));
    }

    #[test]
    fn a_fixed_window_forgets_at_its_edge() {
        let mut rate_limiter = rate_limiter(&[Window::of(2, 1, 60)], Counting::Fixed);
        assert_eq!(
            [900, 999, 1000, 1001, 1999].map(|millis| rate_limiter.admit(at(millis))),
            [true, true, true, true, false]
        );
    }

    #[test]
    fn every_window_binds() {
        let mut rate_limiter = rate_limiter(&[Window::of(2, 1, 60), Window::of(3, 10, 300)], Counting::Sliding);
        assert_eq!([0, 1000, 2000, 3000].map(|millis| rate_limiter.admit(at(millis))), [true, true, true, false]);
        assert_eq!(announced(&rate_limiter, at(3000), "x-rate-limit-ip-state"), "1:1:0,4:10:300");
    }
}
