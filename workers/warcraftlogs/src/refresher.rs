//! Fetches the players that a person wants ahead of the backlog. They have a queue of their own, and may spend the
//! reserve when no other points are left.
//!
//! # What may happen between any two lines
//! The same as for a rank fetcher, since the code is the same. Beyond that:
//! * *The process exits after parking, before a wake-up is set:* the message was not acknowledged, and comes back when
//!   its visibility times out; the sweep finds the parked copy.
//! * *Points come back between the refusal and the parking:* the worker that brought them saw nothing parked. So a
//!   refresher checks the pool again after it has parked, and sends back what can be paid for by then.
//! * *The process exits after the ranks are stored, before the outcome of the refresh is stored:* the message comes
//!   back, unless it was served from the parked ones. A person who waits sees the ranks in the store.
//! * *The process exits while something is left of a player, parked or under another id:* the refresher that serves the
//!   rest tells the person.

use std::sync::Arc;
use std::time::Duration;

use stint_core::ports::PortResult;
use stint_core::worker::{Event, Invocation, Outcome, QueueTrigger, Trigger, Worker, WorkerError, WorkerSpec};

use crate::budget::{BATCH, BATCH_TIMEOUT, Budget, BudgetStrategy, REFRESHERS};
use crate::message::REFRESH_QUEUE;
use crate::rank_fetcher::{FetchPath, ready, run};
use crate::results_buffer::ResultsBuffer;
use crate::store::{Players, RefreshResults};

/// Fetches the ranks of players ahead of the backlog.
pub struct Refresher {
    budget: Budget,
    results_buffer: ResultsBuffer,
    refresh_results: Arc<dyn RefreshResults>,
    strategy: BudgetStrategy,
}

impl Refresher {
    /// A refresher that spends `budget`. The worst-case strategy has no reserve: with it, a refresher requests points
    /// like a rank fetcher.
    pub fn new(
        budget: Budget,
        players: Arc<dyn Players>,
        refresh_results: Arc<dyn RefreshResults>,
        strategy: BudgetStrategy,
    ) -> Refresher {
        Refresher { budget, results_buffer: ResultsBuffer::new(players), refresh_results, strategy }
    }
}

impl Worker for Refresher {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "refresher",
        summary: "fetches the players of `stint wcl refresh` ahead of the backlog, from the reserve if necessary",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: REFRESH_QUEUE,
            batch: BATCH,
            visibility_timeout: Duration::from_secs(6 * BATCH_TIMEOUT.as_secs()),
            max_receives: 5,
        })],
        concurrency: REFRESHERS,
        timeout: BATCH_TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let path = FetchPath {
            queue: &*self.budget.refreshes,
            priority: true,
            next_worker: None,
            refresh_results: Some(&*self.refresh_results),
        };
        run(event, path, &self.budget, &self.results_buffer, self.strategy, invocation).await
    }

    async fn ready(&self) -> PortResult<()> {
        ready(&self.budget, &self.results_buffer, REFRESH_QUEUE).await
    }
}
