//! How a rank fetcher detects that its queue is empty, and starts the aggregator, which queues more players or has the
//! databases generated.
//!
//! Counting a queue in the cloud is a paid request, so not every batch counts. The number of calls in flight is known
//! after each batch at no cost: while there are others, the last of them does the counting. Each fetcher settles its
//! call before it checks, so when several end at once, the last one to check sees no others. Where the calls in flight
//! are not known, as with the worst-case strategy, there may be no last one, so each batch counts; the aggregator sees
//! what is in flight, and checks again.
//!
//! # What may happen between any two lines
//! * *The process exits before the aggregator is woken, or the wake-up fails:* the next batch that ends finds the same.
//!   If there is none, the aggregator's schedule makes up for it.
//! * *The process exits before it records that the queue was empty:* the next batch wakes the aggregator again, which
//!   changes nothing.
//! * *A batch was received whose call has not started:* the aggregator sees its messages in flight, and checks again.

use std::time::Duration;

use stint_core::clock::{after, before};
use stint_core::ports::{Counts, PortResult};

use crate::next_worker::{EMPTIED, NextWorker};
use crate::rank_fetcher::FetchInvocation;
use crate::store::Milestone;

/// Time until the host has acknowledged the batch that checks the queue.
const ACKNOWLEDGING: Duration = Duration::from_millis(250);

/// An empty queue is reported at most this often, unless the aggregator has filled it since: an operator may send dead
/// letters back one by one.
const REPORT_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl FetchInvocation<'_> {
    /// Starts the aggregator if nothing is left to fetch. `in_flight` is the number of calls under way; `None` if it is
    /// not known. A failure does not fail the batch.
    pub(crate) async fn wake_aggregator_if_empty(&self, in_flight: Option<u64>) {
        let Some(next_worker) = self.path.next_worker.filter(|_| in_flight.is_none_or(|calls| calls == 0)) else {
            return;
        };
        if let Err(error) = self.wake_next(next_worker).await {
            tracing::warn!(%error, "cannot check whether the queue is empty, the aggregator's schedule will: {error}");
        }
    }

    async fn wake_next(&self, next_worker: &NextWorker) -> PortResult<()> {
        let queue = self.path.queue;
        if self.budget.pool.count_parked(queue.name()).await? > 0 {
            return Ok(());
        }
        let Counts { visible, delayed, .. } = queue.counts().await?;
        if visible + delayed > 0 {
            return Ok(());
        }
        let now = self.invocation.now();
        let reached = next_worker.milestones.reached().await?.as_of(now);
        let is_reported = reached.emptied.is_some_and(|emptied| emptied > before(now, REPORT_INTERVAL));
        if is_reported && !reached.has_queued_since_empty() {
            return Ok(());
        }
        next_worker.start(EMPTIED, after(now, ACKNOWLEDGING.max(queue.counts_lag()))).await?;
        next_worker.milestones.pass(Milestone::Emptied, now).await
    }
}
