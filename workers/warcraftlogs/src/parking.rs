//! What the rank fetcher does around an empty pool: it puts aside what cannot be paid for, goes on with it later, and
//! leaves the throttle as the pool wants it.
//!
//! # What may happen between any two lines
//! * *Dies while it serves borrowed messages:* the loan ends, and another fetcher or the reviver has them. What was
//!   served already is not fetched again: it came after they were queued.
//! * *Dies between sending what failed and forgetting it:* it is in the queue and still parked. Whichever is served first
//!   leaves nothing for the other.

use std::time::Duration;

use futures::future::{Either, select};
use stint_core::clock::after;
use stint_core::ports::{NewMessage, Parked, PortResult};
use stint_core::telemetry::Metric;
use stint_core::worker::{Disposition, MessageException, retry_delay};

use crate::batch::{Batch, Letter};
use crate::budget::{BATCH, Tallied};
use crate::rank_fetcher::{Fetch, PATIENCE};

/// Between two looks at a throttle that does not hold yet.
const LOOK_UP: Duration = Duration::from_secs(1);

impl Fetch<'_> {
    /// What follows a batch that is served: parked messages, and the balance of the pool. It must not fail the batch, nor
    /// take longer than the invocation may; what is not done here, the reviver does soon.
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

    /// Goes on with parked messages if there were points for the batch, and leaves the pool balanced.
    async fn spend_on(&mut self, paid: bool) -> PortResult<()> {
        if paid {
            self.resume().await?;
        }
        let balance = self.budget.rebalance().await?;
        self.look_for_the_end(balance.in_flight).await;
        match balance.concurrency {
            0 if !self.lane.priority => self.linger().await,
            // What is parked must not wait for a wake-up that nobody has set.
            concurrency => self.budget.seed(&*self.budget.queue, concurrency).await.map(drop),
        }
    }

    /// Goes on with parked messages: straight from the store they cost no second receive. Whatever fails goes back to
    /// the queue, which counts its failures.
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
            // What was parked anew in this very instant looks like what was lent.
            let served: Vec<Parked> = lent.into_iter().filter(|parked| !parked_anew.contains(&parked.id)).collect();
            self.budget.pool.forget_parked(&served).await?;
            if !paid {
                return Ok(());
            }
        }
        // Out of time: somebody else goes on.
        self.budget.unpark(queue, BATCH).await.map(drop)
    }

    /// Keeps its place while a throttle at 0 does not hold yet, so that nothing is received in vain, and ends early
    /// when points are back.
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

    /// Puts aside what is not done yet; the messages themselves are then done.
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

/// A parked message that failed, for its queue. It says when it was queued first, so that nothing is fetched again that
/// came since.
fn again(failed: &MessageException, lent: &[Parked]) -> Option<NewMessage> {
    let parked = lent.iter().find(|parked| parked.id == failed.message_id)?;
    let delay = match failed.disposition {
        Disposition::Retry { .. } => retry_delay(1),
        Disposition::Reject { .. } => Duration::ZERO,
    };
    Some(NewMessage { body: parked.body.clone(), delay })
}
