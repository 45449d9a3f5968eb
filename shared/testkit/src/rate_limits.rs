//! The conformance suite of the rate limit port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use stint_core::ports::{PortError, PortResult, RateLimit, RateLimits};

use crate::suite::pass;
use crate::world::Time;

/// The conformance tests of the rate limit port: `rate_limits_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::rate_limits::RateLimitWorld`].
#[macro_export]
macro_rules! rate_limits_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            rate_limits, $run, $world,
            a_new_bucket_is_full
            tokens_come_back_at_their_rate
            no_more_than_the_limit_are_admitted_at_once
            buckets_do_not_share_tokens
            what_can_never_be_taken_is_invalid
            a_bucket_is_kept_by_the_store
        }
    };
}

/// A store of rate limits that no other test uses.
#[async_trait]
pub trait RateLimitWorld: Send + Sync {
    /// Returns the limits. A second call returns another handle to the same ones, as another process has.
    async fn rate_limits(&self) -> PortResult<Arc<dyn RateLimits>>;

    /// The time of the buckets.
    fn time(&self) -> &dyn Time;
}

/// A token every two seconds, at most five.
const LIMIT: RateLimit = RateLimit { tokens: 1, per: Duration::from_secs(2), burst: 5 };

/// So slow that no token comes back during a test on real time.
const SLOW: RateLimit = RateLimit { tokens: 1, per: Duration::from_secs(3_600), burst: 20 };

/// A bucket that was never used holds as many tokens as fit.
pub async fn a_new_bucket_is_full(world: &dyn RateLimitWorld) -> PortResult<()> {
    let limits = world.rate_limits().await?;
    let taken = limits.take("new", 5, &SLOW).await?;
    assert_eq!((taken.allowed, taken.remaining, taken.retry_after), (true, 15, Duration::ZERO));
    let taken = limits.take("new", 16, &SLOW).await?;
    assert_eq!((taken.allowed, taken.remaining), (false, 15), "a refusal takes nothing");
    assert!(taken.retry_after > Duration::from_secs(3_000) && taken.reset > taken.retry_after, "{taken:?}");
    Ok(())
}

/// A refused caller that waits as long as it is told to is admitted.
pub async fn tokens_come_back_at_their_rate(world: &dyn RateLimitWorld) -> PortResult<()> {
    let limits = world.rate_limits().await?;
    assert!(limits.take("rate", 5, &LIMIT).await?.allowed);
    let refused = limits.take("rate", 1, &LIMIT).await?;
    assert!(!refused.allowed && refused.retry_after <= Duration::from_secs(2), "{refused:?}");
    pass!(world, refused.retry_after);
    assert!(limits.take("rate", 1, &LIMIT).await?.allowed);
    Ok(())
}

/// Of fifty concurrent callers, through two handles, exactly as many are admitted as there are tokens.
pub async fn no_more_than_the_limit_are_admitted_at_once(world: &dyn RateLimitWorld) -> PortResult<()> {
    let handles = [world.rate_limits().await?, world.rate_limits().await?];
    let takes = (0..50).map(|number| handles[number % 2].take("busy", 1, &SLOW));
    let taken: Vec<_> = join_all(takes).await.into_iter().collect::<PortResult<_>>()?;
    assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), 20);
    Ok(())
}

/// Each name has a bucket of its own, whatever characters it has.
pub async fn buckets_do_not_share_tokens(world: &dyn RateLimitWorld) -> PortResult<()> {
    let limits = world.rate_limits().await?;
    for name in ["one", "One", "one ", "GET /a/{id} address 2001:db8::/64", "Ånn"] {
        assert!(limits.take(name, 20, &SLOW).await?.allowed, "{name}");
        assert!(!limits.take(name, 1, &SLOW).await?.allowed, "{name}");
    }
    Ok(())
}

/// More tokens than a bucket ever holds, and a limit that admits nothing, are invalid.
pub async fn what_can_never_be_taken_is_invalid(world: &dyn RateLimitWorld) -> PortResult<()> {
    let limits = world.rate_limits().await?;
    let closed = RateLimit { burst: 0, ..SLOW };
    for (tokens, limit) in [(21, SLOW), (1, closed)] {
        let refused = limits.take("never", tokens, &limit).await;
        assert!(matches!(refused, Err(PortError::Invalid(_))), "{refused:?}");
    }
    Ok(())
}

/// What was taken stays taken for another process.
pub async fn a_bucket_is_kept_by_the_store(world: &dyn RateLimitWorld) -> PortResult<()> {
    assert!(world.rate_limits().await?.take("kept", 20, &SLOW).await?.allowed);
    assert!(!world.rate_limits().await?.take("kept", 1, &SLOW).await?.allowed);
    Ok(())
}
