//! The rate limits of routes.
//!
//! Responses of a limited route have the fields `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` of
//! draft-ietf-httpapi-ratelimit-headers-06, in tokens and seconds, of the limit with the fewest tokens left.
//! <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06>

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use stint_core::http::{Credential, LimitBy, Response, Route};
use stint_core::ports::{RateLimit, RateLimits};
use stint_core::token_bucket::Taken;
use stint_core::worker::WorkerId;

/// What the limits of a route say to a request.
#[derive(Default)]
pub(super) struct Verdict {
    tightest: Option<(RateLimit, Taken)>,
}

impl Verdict {
    /// Takes a token from each limit of the route, and stops at the first refusal. Fails with the response if the store of
    /// the limits fails: a limit protects something, so nothing passes without it.
    pub(super) async fn ask(
        store: Option<&dyn RateLimits>,
        worker: &WorkerId,
        route: &Route,
        address: &str,
        credential: Option<&Credential>,
    ) -> Result<Verdict, Response> {
        let mut verdict = Verdict::default();
        let Some(store) = store else { return Ok(verdict) };
        for limit in route.limits {
            let name = format!("{worker} {route} {}", bucket(limit.by, address, credential));
            match store.take(&name, 1, &limit.limit).await {
                Ok(taken) => verdict.add(limit.limit, taken),
                Err(error) => {
                    tracing::error!(worker = %worker, %error, "cannot read the rate limits of {worker}: {error}");
                    return Err(Response::error(503, "unavailable", "try again later").with_header("retry-after", "5"));
                }
            }
            if verdict.refusal().is_some() {
                break;
            }
        }
        Ok(verdict)
    }

    fn add(&mut self, limit: RateLimit, taken: Taken) {
        let key = |taken: &Taken| (taken.allowed, taken.remaining);
        if self.tightest.as_ref().is_none_or(|(_, tightest)| key(&taken) < key(tightest)) {
            self.tightest = Some((limit, taken));
        }
    }

    /// Returns the response to a request that is too many, or `None` if it is admitted.
    pub(super) fn refusal(&self) -> Option<Response> {
        let (limit, taken) = self.tightest.as_ref().filter(|(_, taken)| !taken.allowed)?;
        let wait = seconds(taken.retry_after).max(1);
        let response = Response::error(429, "too_many_requests", format!("at most {limit}; try again in {wait} s"));
        Some(response.with_header("retry-after", wait.to_string()))
    }

    /// Returns the response with the fields of the limit.
    pub(super) fn mark(&self, response: Response) -> Response {
        let Some((limit, taken)) = &self.tightest else { return response };
        response
            .with_header("ratelimit-limit", limit.burst.to_string())
            .with_header("ratelimit-remaining", taken.remaining.to_string())
            .with_header("ratelimit-reset", seconds(taken.reset).to_string())
    }
}

/// Returns the seconds, rounded up: a caller that waits so long has waited enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Returns who shares the bucket. A key is hashed, because the names of buckets are stored.
fn bucket(by: LimitBy, address: &str, credential: Option<&Credential>) -> String {
    match (by, credential) {
        (LimitBy::Key, Some(Credential(key))) => {
            let digest = Sha256::digest(key.as_bytes());
            let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("key {hex}")
        }
        (LimitBy::Key, None) | (LimitBy::Address, _) => format!("address {}", subscriber(address)),
    }
}

/// Returns the part of an address that one subscriber keeps: of an IPv6 address the first 64 bits, below which each
/// subscriber chooses addresses freely.
fn subscriber(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_belongs_to_a_subscriber_or_a_key_and_names_no_secret() {
        let key = Credential("s3cret".into());
        let by_key = bucket(LimitBy::Key, "192.0.2.1", Some(&key));
        assert!(by_key.starts_with("key ") && by_key.len() == 36 && !by_key.contains("s3cret"), "{by_key}");
        assert_eq!(bucket(LimitBy::Address, "192.0.2.1", Some(&key)), "address 192.0.2.1");
        assert_eq!(bucket(LimitBy::Key, "::ffff:192.0.2.1", None), "address 192.0.2.1");
        let [one, two] =
            ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"].map(|address| bucket(LimitBy::Address, address, None));
        assert_eq!((one.as_str(), &one), ("address 2001:db8:1:2::/64", &two));
    }
}
