//! Wakes the rank fetcher when a key's points are back.
//!
//! # What may happen between any two lines
//! Its wake-up is completed only when the reviver is done: if the process exits, it is woken again.
//! * *The process exits after refreshes were sent back, before the throttle is raised:* they are served meanwhile,
//!   which needs no throttle; the next wake-up raises it.
//! * *The process exits between throttle and seeding:* the next wake-up seeds; meanwhile a worker that receives
//!   messages from the queue also serves parked ones.
//! * *The process exits while it sends back all parked messages, because the strategy was changed:* the next wake-up
//!   sends the others.

use std::time::Duration;

use serde::Serialize;
use stint_core::schedule::Every;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use crate::budget::{Budget, BudgetStrategy, RebalanceResult};

/// Interval between two sweeps, which make up for a wake-up that was lost. Several sweeps fit into each window, and
/// what is left of the window after one is time enough to spend its points. With one sweep an hour, a lost wake-up
/// would cost a window.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// Restores the rank fetcher's concurrency and un-parks what waits for points, refreshes first.
///
/// It is idempotent and ignores its trigger: it asks the pool what it can pay for, so a duplicate or early wake-up has
/// no effect, and the sweep makes up for a lost one.
pub struct Reviver {
    budget: Budget,
    strategy: BudgetStrategy,
}

#[derive(Serialize)]
struct Report {
    worker: String,
    #[serde(flatten)]
    result: RebalanceResult,
}

impl Reviver {
    /// A reviver of `budget.worker`.
    pub fn new(budget: Budget, strategy: BudgetStrategy) -> Reviver {
        Reviver { budget, strategy }
    }
}

impl Worker for Reviver {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "reviver",
        summary: "restores the rank fetcher's concurrency and un-parks its messages when points are back",
        triggers: &[Trigger::Wakeup, Trigger::Every(Every::new(SWEEP))],
        concurrency: 1,
        timeout: Duration::from_secs(120),
    };

    async fn run(&self, event: Event, _invocation: &Invocation) -> Result<Outcome, WorkerError> {
        if let (Event::Manual(_), Some(breaker)) = (&event, self.budget.api.breaker()) {
            breaker.probe_now().await;
        }
        let result = revive(&self.budget, self.strategy).await?;
        Ok(Outcome::report(Report { worker: self.budget.worker.name.to_string(), result }))
    }
}

/// The source document's reviver sets the limit, whatever the keys say; the ledger strategy asks the keys.
async fn revive(budget: &Budget, strategy: BudgetStrategy) -> Result<RebalanceResult, WorkerError> {
    budget.probe().await?;
    if strategy == BudgetStrategy::WorstCase {
        return revive_by_worst_case(budget).await;
    }
    budget.close_if_idle().await?;
    let result = budget.rebalance().await?;
    let unparked = result.unparked + budget.seed(&*budget.queue, result.concurrency).await?;
    Ok(RebalanceResult { unparked, ..result })
}

/// Sets the limit, whatever the keys say. While the upstream is down, that is left to the next probe. An upstream that
/// responds to a probe counts as back, since this rule has no way to let one call through first.
async fn revive_by_worst_case(budget: &Budget) -> Result<RebalanceResult, WorkerError> {
    if let Some(breaker) = budget.api.breaker() {
        breaker.close_without_work().await;
    }
    if let Some(outage) = budget.outage().await {
        return Ok(budget.hold_at_zero(&outage).await?);
    }
    budget.set_concurrency(budget.concurrency_limit).await?;
    let mut result = RebalanceResult { concurrency: budget.concurrency_limit, ..RebalanceResult::default() };
    // Messages that the ledger strategy parked before the strategy was changed, or that were parked in an outage.
    for queue in [&budget.refreshes, &budget.queue] {
        result.unparked += budget.unpark(&**queue, usize::MAX).await?;
    }
    Ok(result)
}
