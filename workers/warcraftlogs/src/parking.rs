//! What the rank fetcher does when the pool is empty: it parks what cannot be paid for, serves it later, and sets the
//! throttle to what the pool can pay for.
//!
//! # What may happen between any two lines
//! * *The process exits while it serves leased parked messages:* the lease expires, and another fetcher or the reviver
//!   takes them. What was served already is not fetched again: it was stored after they were queued.
//! * *The process exits between sending failed messages and removing their parked copies:* each is in the queue and
//!   still parked. The copy that is served first leaves nothing for the other.

use std::time::Duration;

use futures::future::{Either, select};
use stint_core::clock::after;
use stint_core::ports::{NewMessage, Parked, PortResult};
use stint_core::telemetry::Metric;
use stint_core::worker::{Disposition, MessageException, retry_delay};

use crate::batch::{Batch, ReceivedMessage};
use crate::budget::{BATCH, Counted, PATIENCE};
use crate::rank_fetcher::FetchInvocation;

/// Interval at which a throttle that is not in effect yet is checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl FetchInvocation<'_> {
    /// What follows once a batch is served: parked messages, and the balance of the pool. It must not fail the batch,
    /// nor take longer than the invocation may; the reviver soon does what is left undone here.
    pub(crate) async fn after_batch(&mut self, paid: bool) {
        let (budget, invocation) = (self.budget, self.invocation);
        let time = invocation.remaining().saturating_sub(PATIENCE);
        match select(Box::pin(self.serve_parked(paid)), invocation.clock().sleep(time)).await {
            Either::Left((Ok(()), _)) => return,
            Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "the steps after a batch are left to the reviver: {error}");
            }
            Either::Right(_) => {}
        }
        if let Err(error) = budget.rebalance_soon().await {
            tracing::error!(%error, "cannot wake the reviver, the sweep will: {error}");
        }
    }

    /// Serves parked messages if there were points for the batch, and leaves the pool balanced.
    async fn serve_parked(&mut self, paid: bool) -> PortResult<()> {
        if paid {
            self.resume().await?;
        }
        let result = self.budget.rebalance().await?;
        self.wake_aggregator_if_empty(result.in_flight).await;
        match result.concurrency {
            0 if !self.path.priority => self.hold_slot().await,
            // Parked messages must not wait for a wake-up that has not been set.
            concurrency => self.budget.seed(&*self.budget.queue, concurrency).await.map(drop),
        }
    }

    /// Serves parked messages. Read straight from the store, they cost no second receive. Messages that fail go back to
    /// the queue, which counts their failures.
    async fn resume(&mut self) -> PortResult<()> {
        let queue = self.path.queue;
        while self.has_time_for_a_call() {
            let leased = self.budget.pool.claim_parked(queue.name(), BATCH, self.invocation.remaining()).await?;
            if leased.is_empty() {
                return Ok(());
            }
            self.budget.counts.count(Counted::Resumed, leased.len());
            let mut batch = Batch::decode(leased.iter().map(received));
            let paid = self.serve(&mut batch).await?;
            let parked_again = batch.parked().to_vec();
            let failed: Vec<NewMessage> =
                batch.exceptions().iter().filter_map(|failed| retried(failed, &leased)).collect();
            queue.send(&failed).await?;
            // A message parked again at this very instant looks like the leased copy.
            let served: Vec<Parked> = leased.into_iter().filter(|parked| !parked_again.contains(&parked.id)).collect();
            self.budget.pool.forget_parked(&served).await?;
            if !paid {
                return Ok(());
            }
        }
        // Out of time: another invocation serves them.
        self.budget.unpark(queue, BATCH).await.map(drop)
    }

    /// Keeps this invocation's slot while a throttle at 0 is not in effect yet, so that nothing is received in vain.
    /// Ends early when points are back.
    async fn hold_slot(&self) -> PortResult<()> {
        let until = after(self.invocation.now(), self.budget.throttle.lag());
        while self.invocation.now() < until && self.invocation.has_time_for(POLL_INTERVAL) {
            self.invocation.clock().sleep(POLL_INTERVAL).await;
            if self.budget.throttle.read(&self.budget.worker).await?.limit != Some(0) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Parks what is not done yet; the messages themselves are then done.
    pub(crate) async fn park(&mut self, batch: &mut Batch) -> PortResult<()> {
        let parked: Vec<Parked> = batch.unserved(self.path.queue.name(), self.invocation.now());
        self.budget.pool.park(&parked).await?;
        self.report.parked += parked.len();
        self.budget.counts.count(Counted::Parked, parked.len());
        Metric::Parked.record(self.path.queue.name(), parked.len() as f64);
        batch.set_aside(parked.into_iter().map(|parked| parked.id).collect());
        Ok(())
    }
}

fn received(parked: &Parked) -> ReceivedMessage {
    ReceivedMessage { id: parked.id.clone(), body: parked.body.clone(), sent_at: Some(parked.parked_at) }
}

/// Returns a parked message that failed, for its queue. It says when it was first queued, so that nothing is fetched
/// again that was stored since.
fn retried(failed: &MessageException, leased: &[Parked]) -> Option<NewMessage> {
    let parked = leased.iter().find(|parked| parked.id == failed.message_id)?;
    let delay = match failed.disposition {
        Disposition::Retry { .. } => retry_delay(1),
        Disposition::Reject { .. } => Duration::ZERO,
    };
    Some(NewMessage { body: parked.body.clone(), delay })
}
