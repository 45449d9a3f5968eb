//! The throttle port: how many invocations of a worker may run at once.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::PortResult;

/// Reads and sets how many invocations of a worker may run at the same time.
///
/// A host obeys within moments, not instantly: invocations that run are never stopped. Writes in the cloud are
/// rationed (15 control-plane requests a second for the whole account), so callers write when the value changes
/// and not otherwise. Two writers: the last one wins, so a writer reads its inputs again after it has written.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// The concurrency of `worker`. A worker that nobody has throttled runs at its own default.
    async fn read(&self, worker: &str) -> PortResult<Concurrency>;

    /// Sets the concurrency. At 0 the host also stops receiving for the worker, so that no message is received that
    /// cannot be worked on. Does not touch an operator's pause. Setting what is already set does nothing.
    async fn set(&self, worker: &str, concurrency: u32) -> PortResult<()>;

    /// An operator's pause: the worker does not start until `resume`, whatever `set` says meanwhile.
    async fn pause(&self, worker: &str) -> PortResult<()>;

    /// Ends an operator's pause; the concurrency is what `set` last said. Without a pause, does nothing.
    async fn resume(&self, worker: &str) -> PortResult<()>;

    /// For how long after a `set` messages may still be received by the old value. Whoever sets 0 keeps its
    /// invocation that long, so that its place takes no message in vain. A host of this machine obeys at once.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a throttle says of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    /// What was last set. `None` when nothing ever was: the worker's own default holds.
    pub set: Option<u32>,
    /// Whether an operator has paused the worker.
    pub paused: bool,
}

impl Concurrency {
    /// How many invocations may run, for a worker whose own default is `default`.
    pub fn effective(self, default: u32) -> u32 {
        if self.paused { 0 } else { self.set.unwrap_or(default) }
    }
}
