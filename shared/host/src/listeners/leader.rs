//! Holds the lease of a listener while it runs.

use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt, select};
use stint_core::clock::Clock;
use stint_core::ports::{Lease, Leases};
use stint_core::worker::WorkerId;

use super::{LEASE_TIME, ListenerPorts, RENEWAL, SAFE_TIME};

/// How long to wait after a renewal that failed, which says nothing about the lease.
const RETRY: Duration = Duration::from_secs(2);

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It can be relied on.
    Safe,
    /// It could not be renewed, and ends soon.
    Ending,
    /// Another host has it.
    Lost,
}

/// A lease that this host holds.
pub(super) struct HeldLease<'a> {
    leases: &'a dyn Leases,
    clock: &'a dyn Clock,
    pub(super) lease: Lease,
    /// Completes when the lease is no longer safe. The wait began before the request that extended the lease, and does
    /// not change if the clock is set.
    unsafe_at: BoxFuture<'static, ()>,
    renew_at: BoxFuture<'static, ()>,
}

impl<'a> HeldLease<'a> {
    /// Acquires the lease of a listener. Returns `None` if another host has it, or if that is unknown.
    pub(super) async fn acquire(
        listener: &WorkerId,
        ports: &'a ListenerPorts,
        clock: &'a dyn Clock,
    ) -> Option<HeldLease<'a>> {
        let unsafe_at = clock.sleep(SAFE_TIME);
        let name = format!("listener {listener}");
        match ports.leases.acquire(&name, &ports.holder, LEASE_TIME).await {
            Ok(lease) => lease.map(|lease| HeldLease {
                leases: &*ports.leases,
                clock,
                lease,
                unsafe_at,
                renew_at: clock.sleep(RENEWAL),
            }),
            Err(error) => {
                tracing::error!(%listener, %error, "cannot acquire the lease of {listener}: {error}");
                None
            }
        }
    }

    /// Renews the lease if it is time to, and returns what became of it.
    pub(super) async fn keep(&mut self) -> Hold {
        if (&mut self.unsafe_at).now_or_never().is_some() {
            return Hold::Ending;
        }
        if (&mut self.renew_at).now_or_never().is_none() {
            return Hold::Safe;
        }
        let unsafe_at = self.clock.sleep(SAFE_TIME);
        let renewed = match select(self.leases.renew(&self.lease, LEASE_TIME), &mut self.unsafe_at).await {
            Either::Left((renewed, _)) => renewed,
            Either::Right(_) => return Hold::Ending,
        };
        match renewed {
            Ok(true) => {
                (self.unsafe_at, self.renew_at) = (unsafe_at, self.clock.sleep(RENEWAL));
                Hold::Safe
            }
            Ok(false) => Hold::Lost,
            Err(error) => {
                tracing::warn!(%error, "cannot renew the lease '{}': {error}", self.lease.name);
                self.renew_at = self.clock.sleep(RETRY);
                Hold::Safe
            }
        }
    }

    /// Releases the lease, so that another host can take over at once.
    pub(super) async fn release(self) {
        if let Err(error) = self.leases.release(&self.lease).await {
            tracing::warn!(%error, "cannot release the lease '{}', which ends by itself: {error}", self.lease.name);
        }
    }
}
