//! What the rank fetcher does around an empty pool: it puts aside what cannot be paid for, goes on with it later, and
//! leaves the throttle as the pool wants it.
//!
//! # What may happen between any two lines
//! * *Dies while it serves borrowed messages:* the loan ends, and another fetcher or the reviver has them. What was
//!   served already is fetched and stored again.
//! * *Dies between sending what failed and forgetting it:* it is in the queue and still parked, and served twice.

use std::time::Duration;

use futures::future::{Either, select};
use stint_core::clock::after;
use stint_core::ports::{Delivery, NewMessage, Parked, PortResult, Receipt};
use stint_core::telemetry::Metric;
use stint_core::worker::{Disposition, MessageException, retry_delay};

use crate::batch::Batch;
use crate::budget::{BATCH, Tallied};
use crate::rank_fetcher::{Fetch, PATIENCE};

/// Between two looks at a throttle that does not hold yet.
const LOOK_UP: Duration = Duration::from_secs(1);

impl Fetch<'_> {
    /// Goes on with parked messages: straight from the store they cost no second receive. Whatever fails goes back to
    /// the queue, which counts its failures.
    pub(crate) async fn resume(&mut self) -> PortResult<()> {
        let queue = self.lane.queue;
        while self.has_time_for_a_call() {
            let lent = self.budget.pool.lend_parked(queue.name(), BATCH, self.invocation.remaining()).await?;
            if lent.is_empty() {
                return Ok(());
            }
            self.budget.tally.count(Tallied::Resumed, lent.len());
            let mut batch = Batch::read(lent.iter().map(as_delivery).collect());
            let before = self.report.parked;
            let paid = self.serve(&mut batch).await?;
            let parked_anew = batch.parked().to_vec();
            let failed: Vec<NewMessage> = batch.exceptions().iter().filter_map(|failed| again(failed, &lent)).collect();
            queue.send(&failed).await?;
            // What was parked anew in this very instant looks like what was lent.
            let served: Vec<Parked> = lent.into_iter().filter(|parked| !parked_anew.contains(&parked.id)).collect();
            self.budget.pool.forget_parked(&served).await?;
            if !paid || self.report.parked > before {
                return Ok(());
            }
        }
        // Out of time: somebody else goes on.
        self.budget.unpark(queue, BATCH).await.map(drop)
    }

    /// Keeps its place while a throttle at 0 does not hold yet, so that nothing is received in vain, and ends early
    /// when points are back.
    pub(crate) async fn linger(&self) -> PortResult<()> {
        let until = after(self.invocation.now(), self.budget.throttle.lag());
        while self.invocation.now() < until && self.invocation.has_time_for(LOOK_UP) {
            self.invocation.clock().sleep(LOOK_UP).await;
            if self.budget.throttle.read(&self.budget.worker).await?.set != Some(0) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Rebalances in the time that is left. What was fetched is stored by now: the batch must not fail because the
    /// upstream takes long over a counter. Answers the concurrency that holds now, if there was time to find out.
    pub(crate) async fn rebalance(&self) -> PortResult<Option<u32>> {
        let time = self.invocation.remaining().saturating_sub(PATIENCE);
        let rebalance = Box::pin(self.budget.rebalance());
        match select(rebalance, self.invocation.clock().sleep(time)).await {
            Either::Left((balance, _)) => Ok(Some(balance?.concurrency)),
            Either::Right(_) => self.budget.rebalance_soon().await.map(|()| None),
        }
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

/// A parked message as it was received before it was parked.
fn as_delivery(parked: &Parked) -> Delivery {
    Delivery {
        message_id: parked.id.clone(),
        receipt: Receipt(String::new()),
        body: parked.body.clone(),
        receive_count: 1,
        sent_at: parked.parked_at,
    }
}

/// A parked message that failed, for its queue.
fn again(failed: &MessageException, lent: &[Parked]) -> Option<NewMessage> {
    let parked = lent.iter().find(|parked| parked.id == failed.message_id)?;
    let delay = match failed.disposition {
        Disposition::Retry { .. } => retry_delay(1),
        Disposition::Reject { .. } => Duration::ZERO,
    };
    Some(NewMessage { body: parked.body.clone(), delay })
}
