//! A queue as shown to the user.

use serde::Serialize;
use stint_core::ports::{Counts, PortResult, Queue};

/// A queue and its message counts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueueView {
    pub(crate) queue: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Removed from the queue until there are points.
    pub(crate) parked: u64,
}

impl QueueView {
    /// Returns the current state of a queue, with this many messages `parked`.
    pub(crate) async fn read(queue: &dyn Queue, parked: u64) -> PortResult<QueueView> {
        Ok(QueueView { counts: queue.counts().await?, parked, queue: queue.name().to_owned() })
    }
}
