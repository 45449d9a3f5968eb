//! A queue as it is shown.

use serde::Serialize;
use stint_core::ports::{Counts, PortResult, Queue};

/// A queue, and how much is in it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueueView {
    pub(crate) queue: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Taken out of the queue to wait for points.
    pub(crate) parked: u64,
}

impl QueueView {
    /// A queue as it stands, of whose messages so many are `parked`.
    pub(crate) async fn read(queue: &dyn Queue, parked: u64) -> PortResult<QueueView> {
        Ok(QueueView { counts: queue.counts().await?, parked, queue: queue.name().to_owned() })
    }
}
