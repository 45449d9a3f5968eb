//! The lease port: one holder of a name at a time.

use std::time::Duration;

use async_trait::async_trait;

use super::PortResult;

/// Leases, each with one holder at a time, such as the leader among several hosts.
///
/// A lease ends by itself after the time for which it was acquired or renewed, by the clock of the caller that looks.
/// The clocks of machines that share a lease must therefore differ by much less than that time, and a holder must stop
/// its work some time before its lease ends. A holder that stands still cannot do that: no lease protects against it,
/// but the fencing token does, where the store that the holder writes to refuses smaller tokens.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Acquires the lease `name` for `holder` if it is free, has ended, or is held by `holder` already. Returns `None` if
    /// another holder has it. Does not wait. A lease that would last longer than `time` from now was written by a clock
    /// that was ahead, and counts as ended, so all holders of a name use the same time.
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> PortResult<Option<Lease>>;

    /// Extends the lease to `time` from now. Returns `false` if another holder has acquired it since, or if it was
    /// released: the caller no longer holds it. A lease that has ended and that no other holder has acquired is extended.
    async fn renew(&self, lease: &Lease, time: Duration) -> PortResult<bool>;

    /// Ends the lease, so that another holder can acquire it at once. Does nothing if the caller no longer holds it.
    async fn release(&self, lease: &Lease) -> PortResult<()>;
}

/// A lease that was acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Its holder.
    pub holder: String,
    /// The fencing token: larger than the token of every earlier lease of this name, also after a release.
    pub token: u64,
}
