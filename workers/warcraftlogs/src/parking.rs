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

use crate::batch::{Batch, Letter};
use crate::budget::{BATCH, Tallied};
use crate::rank_fetcher::{Fetch, PATIENCE};

/// Interval at which a throttle that is not in effect yet is checked.
const LOOK_UP: Duration = Duration::from_secs(1);

impl Fetch<'_> {
    /// What follows once a batch is served: parked messages, and the balance of the pool. It must not fail the batch,
    /// nor take longer than the invocation may; the reviver soon does what is left undone here.
    pub(crate) async fn go_on(&mut self, paid: bool) {
        let (budget, invocation) = (self.budget, self.invocation);
        let time = invocation.remaining().saturating_sub(PATIENCE);
        match select(Box::pin(self.spend_on(paid)), invocation.clock().sleep(time)).await {
            Either::Left((Ok(()), _)) => return,
            Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "what follows a batch is left to the reviver: {error}");
            }
            Either::Right(_) => {}
        }
        if let Err(error) = budget.rebalance_soon().await {
            tracing::error!(%error, "cannot wake the reviver, the sweep will: {error}");
        }
    }

    /// Serves parked messages if there were points for the batch, and leaves the pool balanced.
    async fn spend_on(&mut self, paid: bool) -> PortResult<()> {
        if paid {
            self.resume().await?;
        }
        let balance = self.budget.rebalance().await?;
        self.look_for_the_end(balance.in_flight).await;
        match balance.concurrency {
            0 if !self.lane.priority => self.linger().await,
            // Parked messages must not wait for a wake-up that has not been set.
            concurrency => self.budget.seed(&*self.budget.queue, concurrency).await.map(drop),
        }
    }

    /// Serves parked messages. Read straight from the store, they cost no second receive. Messages that fail go back to
    /// the queue, which counts their failures.
    async fn resume(&mut self) -> PortResult<()> {
        let queue = self.lane.queue;
        while self.has_time_for_a_call() {
            let lent = self.budget.pool.lend_parked(queue.name(), BATCH, self.invocation.remaining()).await?;
            if lent.is_empty() {
                return Ok(());
            }
            self.budget.tally.count(Tallied::Resumed, lent.len());
            let mut batch = Batch::read(lent.iter().map(letter));
            let paid = self.serve(&mut batch).await?;
            let parked_anew = batch.parked().to_vec();
            let failed: Vec<NewMessage> = batch.exceptions().iter().filter_map(|failed| again(failed, &lent)).collect();
            queue.send(&failed).await?;
            // A message parked again at this very instant looks like the leased copy.
            let served: Vec<Parked> = lent.into_iter().filter(|parked| !parked_anew.contains(&parked.id)).collect();
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
    async fn linger(&self) -> PortResult<()> {
        let until = after(self.invocation.now(), self.budget.throttle.lag());
        while self.invocation.now() < until && self.invocation.has_time_for(LOOK_UP) {
            self.invocation.clock().sleep(LOOK_UP).await;
            if self.budget.throttle.read(&self.budget.worker).await?.set != Some(0) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Parks what is not done yet; the messages themselves are then done.
    pub(crate) async fn park(&mut self, batch: &mut Batch) -> PortResult<()> {
        let parked: Vec<Parked> = batch.unserved(self.lane.queue.name(), self.invocation.now());
        self.budget.pool.park(&parked).await?;
        self.report.parked += parked.len();
        self.budget.tally.count(Tallied::Parked, parked.len());
        Metric::Parked.record(self.lane.queue.name(), parked.len() as f64);
        batch.set_aside(parked.into_iter().map(|parked| parked.id).collect());
        Ok(())
    }
}

fn letter(parked: &Parked) -> Letter {
    Letter { id: parked.id.clone(), body: parked.body.clone(), sent_at: Some(parked.parked_at) }
}

/// Returns a parked message that failed, for its queue. It says when it was first queued, so that nothing is fetched
/// again that was stored since.
fn again(failed: &MessageException, lent: &[Parked]) -> Option<NewMessage> {
    let parked = lent.iter().find(|parked| parked.id == failed.message_id)?;
    let delay = match failed.disposition {
        Disposition::Retry { .. } => retry_delay(1),
        Disposition::Reject { .. } => Duration::ZERO,
    };
    Some(NewMessage { body: parked.body.clone(), delay })
}
