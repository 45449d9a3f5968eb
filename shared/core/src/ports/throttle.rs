//! The throttle port: how many invocations of a worker may run at once.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::PortResult;
use crate::worker::WorkerId;

/// Reads and sets how many invocations of a worker may run at once.
///
/// A new value takes effect within moments, not instantly, and running invocations are never stopped. In the cloud,
/// writes are rationed (15 control-plane requests per second for the whole account), so callers write only when the
/// value changes. If two callers write, the last one wins, so a caller reads its inputs again after it has written.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Returns the concurrency of `worker`. A worker that was never throttled runs at its own default.
    async fn read(&self, worker: &WorkerId) -> PortResult<Concurrency>;

    /// Sets the concurrency. At 0 the host also stops receiving for the worker, so that no message is received that
    /// cannot be processed. An operator's pause is not affected. Setting the current value does nothing.
    async fn set(&self, worker: &WorkerId, concurrency: u32) -> PortResult<()>;

    /// Pauses the worker on behalf of an operator: it does not start until `resume`, whatever `set` is called with
    /// meanwhile.
    async fn pause(&self, worker: &WorkerId) -> PortResult<()>;

    /// Ends an operator's pause. The concurrency is then the one last set. Does nothing if there is no pause.
    async fn resume(&self, worker: &WorkerId) -> PortResult<()>;

    /// Returns for how long after a `set` messages may still be received under the old value. A worker that sets 0
    /// keeps its own invocation running for that long, so that the free slot receives no message that cannot be
    /// processed. The local host applies a new value at once.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

/// A worker's throttle state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    /// The value last set. `None` if it was never set: the worker's own default applies.
    #[serde(rename = "set")]
    pub limit: Option<u32>,
    /// Whether an operator has paused the worker.
    pub paused: bool,
}

impl Concurrency {
    /// Returns how many invocations may run of a worker whose own default is `default`.
    pub fn effective(self, default: u32) -> u32 {
        if self.paused { 0 } else { self.limit.unwrap_or(default) }
    }
}
