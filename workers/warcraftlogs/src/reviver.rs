//! Wakes the rank fetcher when a key's points are back.
//!
//! # What may happen between any two lines
//! Its wake-up is completed only when it is done: whoever dies is woken again.
//! * *Dies after refreshes were sent back, before the throttle is raised:* they are served meanwhile, which needs no
//!   throttle; the next wake-up raises it.
//! * *Dies between throttle and seeding:* the next wake-up seeds; meanwhile whoever is fed by the queue goes on with
//!   what is parked.
//! * *Dies while it sends back everything, since the strategy was changed:* the next wake-up sends the others.

use std::time::Duration;

use serde::Serialize;
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::budget::{Balance, Budget};
use crate::config::BudgetStrategy;

/// Between two sweeps, which make up for a wake-up that was lost: some of them fit into each window, and what is left of it
/// when one has come is time enough to spend its points. At once an hour a lost wake-up and a lost sweep cost a window.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// Restores the rank fetcher's concurrency and un-parks what waits for points, refreshes first.
///
/// It asks the pool what it can carry, instead of trusting whoever woke it: so twice is as good as once, early does
/// nothing, and the sweep makes up for a wake-up that was lost.
pub struct Reviver {
    budget: Budget,
    strategy: BudgetStrategy,
}

#[derive(Serialize)]
struct Report {
    worker: String,
    #[serde(flatten)]
    balance: Balance,
}

impl Reviver {
    /// A reviver of `budget.worker`.
    pub fn new(budget: Budget, strategy: BudgetStrategy) -> Reviver {
        Reviver { budget, strategy }
    }
}

impl Worker for Reviver {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "reviver",
        summary: "restores the rank fetcher's concurrency and un-parks its messages when points are back",
        triggers: &[Trigger::Wakeup, Trigger::Every { period: SWEEP }],
        concurrency: 1,
        timeout: Duration::from_secs(120),
    };

    async fn run(&self, event: Event, _invocation: &Invocation) -> Result<Outcome, WorkerError> {
        if let (Event::Manual(_), Some(breaker)) = (&event, self.budget.api.breaker()) {
            breaker.hasten().await;
        }
        let balance = revive(&self.budget, self.strategy).await?;
        Ok(Outcome::report(Report { worker: self.budget.worker.clone(), balance }))
    }
}

/// The source document's reviver sets the limit, whatever the keys say; ours asks them.
async fn revive(budget: &Budget, strategy: BudgetStrategy) -> Result<Balance, WorkerError> {
    budget.probe().await?;
    if strategy == BudgetStrategy::WorstCase {
        return revive_by_worst_case(budget).await;
    }
    budget.close_if_idle().await?;
    let balance = budget.rebalance().await?;
    let unparked = balance.unparked + budget.seed(&*budget.queue, balance.concurrency).await?;
    Ok(Balance { unparked, ..balance })
}

/// The limit, whatever the keys say. While the upstream is down that is left to the next probe; what answers a probe is
/// back, since this rule has no way to let one call go first.
async fn revive_by_worst_case(budget: &Budget) -> Result<Balance, WorkerError> {
    if let Some(breaker) = budget.api.breaker() {
        breaker.close_idle().await;
    }
    if let Some(outage) = budget.outage().await {
        return Ok(budget.stand_still(&outage).await?);
    }
    budget.set_concurrency(budget.concurrency_limit).await?;
    let mut balance = Balance { concurrency: budget.concurrency_limit, ..Balance::default() };
    // What the ledger's rule has parked before the strategy was changed, or an outage.
    for queue in [&budget.refreshes, &budget.queue] {
        balance.unparked += budget.unpark(&**queue, usize::MAX).await?;
    }
    Ok(balance)
}
