//! The conformance suite of the throttle port.

use stint_core::ports::{Concurrency, PortResult};

use crate::world::ThrottleWorld;

/// The conformance tests of the throttle port: `throttle_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::ThrottleWorld`].
#[macro_export]
macro_rules! throttle_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            throttle, $run, $world,
            a_worker_that_nobody_throttled_runs_at_its_default
            what_was_set_is_read
            the_last_writer_wins
            a_pause_holds_whatever_is_set
            resuming_without_a_pause_does_nothing
            workers_do_not_share_throttles
        }
    };
}

/// Initially nothing is set and nothing is paused.
pub async fn a_worker_that_nobody_throttled_runs_at_its_default(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    let concurrency = throttle.read("rank-fetcher").await?;
    assert_eq!(concurrency, Concurrency { set: None, paused: false });
    assert_eq!(concurrency.effective(7), 7);
    Ok(())
}

/// From 0 up and down again. Setting the current value again does nothing.
pub async fn what_was_set_is_read(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    for concurrency in [0, 50, 50, 1, 0] {
        throttle.set("rank-fetcher", concurrency).await?;
        let read = throttle.read("rank-fetcher").await?;
        assert_eq!(read, Concurrency { set: Some(concurrency), paused: false });
        assert_eq!(read.effective(7), concurrency);
    }
    Ok(())
}

/// Two handles to the same throttles read the same values.
pub async fn the_last_writer_wins(world: &dyn ThrottleWorld) -> PortResult<()> {
    let (one, two) = (world.throttle().await?, world.throttle().await?);
    one.set("rank-fetcher", 5).await?;
    two.set("rank-fetcher", 9).await?;
    assert_eq!(one.read("rank-fetcher").await?.set, Some(9));
    two.pause("rank-fetcher").await?;
    assert!(one.read("rank-fetcher").await?.paused);
    Ok(())
}

/// An operator's pause stays in effect whatever is set meanwhile. When it is lifted, the value set last applies.
pub async fn a_pause_holds_whatever_is_set(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.set("rank-fetcher", 5).await?;
    throttle.pause("rank-fetcher").await?;
    throttle.pause("rank-fetcher").await?;
    throttle.set("rank-fetcher", 9).await?;
    let paused = throttle.read("rank-fetcher").await?;
    assert!(paused.paused);
    assert_eq!(paused.effective(7), 0);
    throttle.resume("rank-fetcher").await?;
    assert_eq!(throttle.read("rank-fetcher").await?, Concurrency { set: Some(9), paused: false });
    Ok(())
}

/// It neither sets anything nor fails.
pub async fn resuming_without_a_pause_does_nothing(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.resume("rank-fetcher").await?;
    assert_eq!(throttle.read("rank-fetcher").await?, Concurrency { set: None, paused: false });
    throttle.set("rank-fetcher", 5).await?;
    throttle.resume("rank-fetcher").await?;
    assert_eq!(throttle.read("rank-fetcher").await?, Concurrency { set: Some(5), paused: false });
    Ok(())
}

/// Each worker has its own.
pub async fn workers_do_not_share_throttles(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.set("rank-fetcher", 0).await?;
    throttle.pause("discover").await?;
    assert_eq!(throttle.read("rank-fetcher").await?, Concurrency { set: Some(0), paused: false });
    assert_eq!(throttle.read("discover").await?, Concurrency { set: None, paused: true });
    Ok(())
}
