//! How a rank fetcher finds that its queue is empty, and starts the aggregator, which queues more players or has the databases
//! generated.
//!
//! To count a queue in the cloud is a paid request, so not every batch counts. Calls in flight are known after each batch
//! for nothing: as long as there are others, the last of them does the counting. Each fetcher settles its call before it
//! looks, so of several that end at once the last to look sees none. Where the calls in flight are not known, as by the
//! worst-case strategy, there may be no last one, so each batch counts; the aggregator sees what is in flight, and looks again.
//!
//! # What may happen between any two lines
//! * *Exits before the aggregator is woken, or the wake-up fails:* the next batch that ends finds the same. If there is none,
//!   the aggregator's schedule makes up for it.
//! * *Exits before it is kept that the queue was empty:* the next batch wakes the aggregator again, which changes nothing.
//! * *A batch was received whose call has not begun:* the aggregator sees its messages in flight, and looks again.

use std::time::Duration;

use stint_core::clock::{after, before};
use stint_core::ports::{Counts, PortResult};

use crate::handover::{EMPTIED, Handover};
use crate::rank_fetcher::Fetch;
use crate::store::Milestone;

/// Until the host has acknowledged the batch that is looking.
const ACKNOWLEDGING: Duration = Duration::from_millis(250);

/// An empty queue is said no more often than this unless the aggregator has filled it since: dead letters may be sent back one
/// by one.
const SAID_FOR: Duration = Duration::from_secs(10 * 60);

impl Fetch<'_> {
    /// Starts the aggregator if nothing is left to fetch, where `in_flight` calls are under way; `None` if that is not known. A
    /// failure does not fail the batch.
    pub(crate) async fn look_for_the_end(&self, in_flight: Option<u64>) {
        let Some(handover) = self.lane.handover.filter(|_| in_flight.is_none_or(|calls| calls == 0)) else { return };
        if let Err(error) = self.hand_over(handover).await {
            tracing::warn!(%error, "whether the queue is empty is left to the aggregator's schedule: {error}");
        }
    }

    async fn hand_over(&self, handover: &Handover) -> PortResult<()> {
        let queue = self.lane.queue;
        if self.budget.pool.count_parked(queue.name()).await? > 0 {
            return Ok(());
        }
        let Counts { visible, delayed, .. } = queue.counts().await?;
        if visible + delayed > 0 {
            return Ok(());
        }
        let now = self.invocation.now();
        let reached = handover.milestones.reached().await?.as_of(now);
        let is_said = reached.emptied.is_some_and(|emptied| emptied > before(now, SAID_FOR));
        if is_said && !reached.is_open() {
            return Ok(());
        }
        handover.start(EMPTIED, after(now, ACKNOWLEDGING.max(queue.counts_lag()))).await?;
        handover.milestones.pass(Milestone::Emptied, now).await
    }
}
