//! Runs listeners: starts them, starts them again after a failure, and stops them with the host.
//!
//! # If the process exits between any two lines
//! * *While a listener is connected:* its connection ends with the process. What it had not stored is lost; whether the
//!   upstream replays it is the upstream's matter. The next start connects again.
//! * *While it holds a lease:* the lease ends by itself after [`LEASE_TIME`], and another host takes over.
//! * *After the connection ended, and before the lease was released:* the same.
//! * *At any time:* the row with its state is ignored after a few heartbeats.
//!
//! A panic in a listener ends that run of it, and the host goes on, unless the program was built to abort at a panic, as
//! the packages for Lambda are.

mod backoff;
mod leader;
mod state;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stint_core::ports::Leases;
use stint_core::worker::WorkerId;

pub use backoff::Backoff;
pub use state::{ListenerState, ListenerStatus};
pub(crate) use supervisor::Supervisor;

/// For how long a lease is acquired.
pub const LEASE_TIME: Duration = Duration::from_secs(30);

/// How often its holder renews it, and how often another host tries to acquire it.
const RENEWAL: Duration = Duration::from_secs(10);

/// The holder stops its listener if this time has passed since it sent the last request that extended its lease. The
/// rest of [`LEASE_TIME`] is for ending the connection, and for clocks that differ.
const SAFE_TIME: Duration = Duration::from_secs(20);

/// How long a listener may take to end after it was told to. It is shorter than the rest of the lease, and than the time
/// that `stint up` waits for work in progress.
const DRAIN_TIME: Duration = Duration::from_secs(8);

/// How often the state of a listener is stored even if it has not changed, so that readers see that the process is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A connection that lasted this long ends an outage: the next failure counts as the first.
const HEALTHY_TIME: Duration = Duration::from_secs(60);

/// Stores the state of a listener, or removes it if there is none. A failure is the callee's matter.
pub type StateSink = Arc<dyn Fn(WorkerId, Option<ListenerState>) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the host needs to run listeners.
#[derive(Clone)]
pub struct ListenerPorts {
    /// Decides which host runs a listener of which one is enough.
    pub leases: Arc<dyn Leases>,
    /// The name under which this host acquires leases; no other host has it.
    pub holder: String,
    /// Receives the states of listeners.
    pub states: StateSink,
}
