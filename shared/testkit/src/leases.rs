//! The conformance suite of the lease port.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use stint_core::ports::{Leases, PortResult};

use crate::suite::pass;
use crate::world::LeaseWorld;

/// The conformance tests of the lease port: `leases_suite!(run, world)`, where `run` runs a future to its end and `world`
/// is a future of a [`crate::LeaseWorld`].
#[macro_export]
macro_rules! leases_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            leases, $run, $world,
            a_lease_has_one_holder
            a_lease_ends_by_itself
            a_renewed_lease_goes_on
            a_released_lease_is_free_at_once
            a_lease_that_another_has_acquired_is_lost
            tokens_grow_with_each_holder
            one_of_many_concurrent_callers_acquires
            a_clock_that_is_set_back_blocks_no_lease
        }
    };
}

const TIME: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// Its holder may acquire it again, and keeps its token. Other names are other leases.
pub async fn a_lease_has_one_holder(world: &dyn LeaseWorld) -> PortResult<()> {
    let (one, two) = (world.leases().await?, world.leases().await?);
    let lease = one.acquire("ear", "one", TIME).await?.expect("a free lease");
    assert_eq!((lease.name.as_str(), lease.holder.as_str()), ("ear", "one"));
    assert_eq!(two.acquire("ear", "two", TIME).await?, None);
    assert_eq!(one.acquire("ear", "one", TIME).await?, Some(lease));
    assert!(two.acquire("eye", "two", TIME).await?.is_some());
    Ok(())
}

/// After its time, and not before.
pub async fn a_lease_ends_by_itself(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    assert!(leases.acquire("ear", "one", TIME).await?.is_some());
    pass!(world, TIME - SECOND);
    assert_eq!(leases.acquire("ear", "two", TIME).await?, None);
    pass!(world, SECOND);
    assert!(leases.acquire("ear", "two", TIME).await?.is_some());
    Ok(())
}

/// Also if it had ended, as long as no other holder has it.
pub async fn a_renewed_lease_goes_on(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    let lease = leases.acquire("ear", "one", TIME).await?.expect("a free lease");
    for _ in 0..3 {
        pass!(world, TIME - SECOND);
        assert!(leases.renew(&lease, TIME).await?);
    }
    pass!(world, TIME - SECOND);
    assert_eq!(leases.acquire("ear", "two", TIME).await?, None);
    pass!(world, TIME);
    assert!(leases.renew(&lease, TIME).await?);
    assert_eq!(leases.acquire("ear", "two", TIME).await?, None);
    Ok(())
}

/// A second release does nothing, and a released lease is not renewed.
pub async fn a_released_lease_is_free_at_once(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    let lease = leases.acquire("ear", "one", TIME).await?.expect("a free lease");
    leases.release(&lease).await?;
    assert!(!leases.renew(&lease, TIME).await?);
    let next = leases.acquire("ear", "two", TIME).await?.expect("a released lease");
    leases.release(&lease).await?;
    assert!(leases.renew(&next, TIME).await?, "the first holder cannot release it");
    Ok(())
}

/// It is neither renewed nor released by its former holder.
pub async fn a_lease_that_another_has_acquired_is_lost(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    let lost = leases.acquire("ear", "one", TIME).await?.expect("a free lease");
    pass!(world, TIME);
    let held = leases.acquire("ear", "two", TIME).await?.expect("a lease that has ended");
    assert!(!leases.renew(&lost, TIME).await?);
    leases.release(&lost).await?;
    assert!(leases.renew(&held, TIME).await?);
    Ok(())
}

/// Also after a release, and if the same holder acquires a lease that had ended.
pub async fn tokens_grow_with_each_holder(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    let mut newest = 0;
    for holder in ["one", "two", "two", "one"] {
        let lease = leases.acquire("ear", holder, TIME).await?.expect("a free lease");
        assert!(lease.token > newest, "{} after {newest}", lease.token);
        newest = lease.token;
        leases.release(&lease).await?;
    }
    Ok(())
}

/// The others are refused.
pub async fn one_of_many_concurrent_callers_acquires(world: &dyn LeaseWorld) -> PortResult<()> {
    let mut handles: Vec<Arc<dyn Leases>> = Vec::new();
    for _ in 0..8 {
        handles.push(world.leases().await?);
    }
    let holders: Vec<String> = (0..8).map(|number| format!("host {number}")).collect();
    let acquired =
        join_all(handles.iter().zip(&holders).map(|(handle, holder)| handle.acquire("ear", holder, TIME))).await;
    let acquired: Vec<_> = acquired.into_iter().collect::<PortResult<Vec<_>>>()?.into_iter().flatten().collect();
    assert_eq!(acquired.len(), 1, "{acquired:?}");
    Ok(())
}

/// What its holder had left is all that others wait for, and usually less.
pub async fn a_clock_that_is_set_back_blocks_no_lease(world: &dyn LeaseWorld) -> PortResult<()> {
    let leases = world.leases().await?;
    assert!(leases.acquire("ear", "one", TIME).await?.is_some());
    if !world.time().jump(SignedDuration::from_hours(-5)) {
        return Ok(());
    }
    // The store notices at the next call, and may free the lease at once.
    leases.acquire("ear", "two", TIME).await?;
    pass!(world, TIME);
    assert!(leases.acquire("ear", "two", TIME).await?.is_some());
    Ok(())
}
