//! The conformance suite of the throttle port.

use stint_core::ports::{Concurrency, PortResult};
use stint_core::worker::WorkerId;

use crate::world::ThrottleWorld;

/// The conformance tests of the throttle port: `throttle_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::ThrottleWorld`].
#[macro_export]
macro_rules! throttle_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            throttle, $run, $world,
            an_unthrottled_worker_runs_at_its_default
            a_set_value_is_read
            the_last_writer_wins
            a_pause_holds_whatever_is_set
            resuming_without_a_pause_does_nothing
            workers_do_not_share_throttles
            fleets_do_not_share_throttles
        }
    };
}

const FETCHER: WorkerId = WorkerId::new("warcraftlogs", "rank-fetcher");
const DISCOVER: WorkerId = WorkerId::new("warcraftlogs", "discover");

/// A worker of the same name in another fleet.
const ELSEWHERE: WorkerId = WorkerId::new("poe-stashes", "rank-fetcher");

/// Initially nothing is set and nothing is paused.
pub async fn an_unthrottled_worker_runs_at_its_default(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    let concurrency = throttle.read(&FETCHER).await?;
    assert_eq!(concurrency, Concurrency { limit: None, paused: false });
    assert_eq!(concurrency.effective(7), 7);
    Ok(())
}

/// From 0 up and down again. Setting the current value again does nothing.
pub async fn a_set_value_is_read(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    for concurrency in [0, 50, 50, 1, 0] {
        throttle.set(&FETCHER, concurrency).await?;
        let read = throttle.read(&FETCHER).await?;
        assert_eq!(read, Concurrency { limit: Some(concurrency), paused: false });
        assert_eq!(read.effective(7), concurrency);
    }
    Ok(())
}

/// Two handles to the same throttles read the same values.
pub async fn the_last_writer_wins(world: &dyn ThrottleWorld) -> PortResult<()> {
    let (one, two) = (world.throttle().await?, world.throttle().await?);
    one.set(&FETCHER, 5).await?;
    two.set(&FETCHER, 9).await?;
    assert_eq!(one.read(&FETCHER).await?.limit, Some(9));
    two.pause(&FETCHER).await?;
    assert!(one.read(&FETCHER).await?.paused);
    Ok(())
}

/// An operator's pause stays in effect whatever is set meanwhile. When it is lifted, the value set last applies.
pub async fn a_pause_holds_whatever_is_set(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.set(&FETCHER, 5).await?;
    throttle.pause(&FETCHER).await?;
    throttle.pause(&FETCHER).await?;
    throttle.set(&FETCHER, 9).await?;
    let paused = throttle.read(&FETCHER).await?;
    assert!(paused.paused);
    assert_eq!(paused.effective(7), 0);
    throttle.resume(&FETCHER).await?;
    assert_eq!(throttle.read(&FETCHER).await?, Concurrency { limit: Some(9), paused: false });
    Ok(())
}

/// It neither sets anything nor fails.
pub async fn resuming_without_a_pause_does_nothing(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.resume(&FETCHER).await?;
    assert_eq!(throttle.read(&FETCHER).await?, Concurrency { limit: None, paused: false });
    throttle.set(&FETCHER, 5).await?;
    throttle.resume(&FETCHER).await?;
    assert_eq!(throttle.read(&FETCHER).await?, Concurrency { limit: Some(5), paused: false });
    Ok(())
}

/// Each worker has its own.
pub async fn workers_do_not_share_throttles(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.set(&FETCHER, 0).await?;
    throttle.pause(&DISCOVER).await?;
    assert_eq!(throttle.read(&FETCHER).await?, Concurrency { limit: Some(0), paused: false });
    assert_eq!(throttle.read(&DISCOVER).await?, Concurrency { limit: None, paused: true });
    Ok(())
}

/// A paused worker of one fleet stops none of the same name in another.
pub async fn fleets_do_not_share_throttles(world: &dyn ThrottleWorld) -> PortResult<()> {
    let throttle = world.throttle().await?;
    throttle.pause(&ELSEWHERE).await?;
    assert_eq!(throttle.read(&FETCHER).await?, Concurrency { limit: None, paused: false });
    throttle.set(&FETCHER, 3).await?;
    throttle.resume(&FETCHER).await?;
    assert_eq!(throttle.read(&ELSEWHERE).await?, Concurrency { limit: None, paused: true });
    Ok(())
}
