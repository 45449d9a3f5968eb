//! Fetches the ranks of a batch of players, for points that were held before the call.
//!
//! # What may happen between any two lines
//! * *The process exits after the hold, before the call:* the hold ends by itself; the messages come back when their
//!   visibility times out.
//! * *The process exits after the call, before its players are stored:* the messages come back, and are paid for again.
//! * *The process exits between sending what is left of a player under another id and storing the results:* both
//!   messages are served, and some of it is paid for twice.
//! * *The process exits after the players are stored, before the call is settled:* the hold ends by itself and stays
//!   counted until a later reading.
//! * *The process exits after the call is settled, before the messages are acknowledged:* they come back, and are
//!   acknowledged without a call, since all of it was fetched after they were sent.
//! * *The process exits after parking, before the acknowledgement:* the message comes back, and parking it again
//!   replaces the parked copy.
//!
//! # What may fail between any two lines
//! * *The rules' store, while the process has never read the rules:* the invocation fails before anything is held.
//! * *The key pool, before any message has an outcome:* the invocation fails, and its messages come back.
//! * *The key pool, after a call:* what was served stays served; the other messages are released.
//! * *Either of them because it cannot be reached:* the host keeps the messages and receives no others until it can.
//! * *The players' store:* the results wait in memory and the messages come back; no further call is made before the
//!   results are stored (see `results_buffer.rs`). The call is settled nevertheless.
//! * *The players' store rejects the results of one player for good:* that is logged as an error, and the message
//!   becomes a dead letter. Everything else in the response is stored.
//! * *The store of frozen raids:* they are fetched like any other (see `frozen.rs`).
//! * *The settlement of a call:* as if the process had exited before it.
//! * *The check for the end of the queue:* the schedules of the aggregator and of the database generator make up for
//!   it.
//! * *Anything after the batch:* the batch is served nevertheless. The reviver is woken to do the rest; if even that
//!   fails, the sweep does it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use stint_core::ledger::{Ask, Grant, KeyStatus, Reservation};
use stint_core::ports::{Delivery, PortResult, Queue};
use stint_core::worker::{Event, Invocation, Outcome, QueueTrigger, Trigger, Worker, WorkerError, WorkerSpec};

use crate::batch::{Batch, RanksRequest, ReceivedMessage, SkippedMessages};
use crate::budget::{BATCH, BATCH_TIMEOUT, Budget, BudgetStrategy, Counted, PATIENCE, RANK_FETCHER};
use crate::client::{CallError, CharacterOutcome, CharacterRequest};
use crate::message::QUEUE;
use crate::model::PlayerId;
use crate::next_worker::NextWorker;
use crate::refused::record_refused;
use crate::results::Results;
use crate::results_buffer::ResultsBuffer;
use crate::store::{Players, RefreshResults};
use crate::worst_case;

/// A probe of the players' store asks for this player, who does not exist.
const PROBED_PLAYER: PlayerId = 0;

/// Fetches the ranks of the players of a batch.
pub struct RankFetcher {
    budget: Budget,
    results_buffer: ResultsBuffer,
    strategy: BudgetStrategy,
    next_worker: NextWorker,
}

/// Counts of one invocation, in players.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct FetchReport {
    /// Ranks stored.
    pub(crate) ranked: usize,
    /// Recorded as hidden, unknown, never classed or merged.
    pub(crate) dropped: usize,
    /// Players requested by name with one of those outcomes: without an id the outcome is not stored for good. It is
    /// logged, and a person who waits is told.
    pub(crate) unrecorded: usize,
    /// Messages that needed no call, since everything was fetched after they were sent.
    pub(crate) fresh: usize,
    /// Raids and difficulties of players that the upstream refuses.
    pub(crate) refused: usize,
    /// Parked until there are points.
    pub(crate) parked: usize,
    /// API calls made.
    pub(crate) calls: usize,
}

impl RankFetcher {
    /// A fetcher that spends `budget`, and starts the aggregator when its queue is empty.
    pub fn new(
        budget: Budget,
        players: Arc<dyn Players>,
        strategy: BudgetStrategy,
        next_worker: NextWorker,
    ) -> RankFetcher {
        RankFetcher { budget, results_buffer: ResultsBuffer::new(players), strategy, next_worker }
    }
}

impl Worker for RankFetcher {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: RANK_FETCHER,
        summary: "fetches the ranks of queued players, within the keys' budgets",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: QUEUE,
            batch: BATCH,
            // Six times the time-out, as AWS recommends:
            // docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            visibility_timeout: Duration::from_secs(6 * BATCH_TIMEOUT.as_secs()),
            max_receives: 5,
        })],
        concurrency: 50,
        timeout: BATCH_TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let path = FetchPath {
            queue: &*self.budget.queue,
            priority: false,
            next_worker: Some(&self.next_worker),
            refresh_results: None,
        };
        run(event, path, &self.budget, &self.results_buffer, self.strategy, invocation).await
    }

    async fn ready(&self) -> PortResult<()> {
        ready(&self.budget, &self.results_buffer, QUEUE).await
    }
}

/// Returns an error if the key pool or the players' store cannot be reached.
pub(crate) async fn ready(budget: &Budget, results_buffer: &ResultsBuffer, queue: &str) -> PortResult<()> {
    budget.pool.count_parked(queue).await?;
    results_buffer.players.get(PROBED_PLAYER).await.map(drop)
}

/// One of the two paths to the upstream: the backlog's, and the one for refreshes.
#[derive(Clone, Copy)]
pub(crate) struct FetchPath<'a> {
    /// The queue that its messages come from, and that parked ones go back to.
    pub(crate) queue: &'a dyn Queue,
    /// Whether its messages may spend the reserve. The throttle steers those that may not.
    pub(crate) priority: bool,
    /// How the aggregator is woken when its queue is empty.
    pub(crate) next_worker: Option<&'a NextWorker>,
    /// The store for the outcomes of its messages, if a person may wait for them.
    pub(crate) refresh_results: Option<&'a dyn RefreshResults>,
}

/// One invocation of the worker that serves `path`.
pub(crate) async fn run(
    event: Event,
    path: FetchPath<'_>,
    budget: &Budget,
    results_buffer: &ResultsBuffer,
    strategy: BudgetStrategy,
    invocation: &Invocation,
) -> Result<Outcome, WorkerError> {
    let mut batch = Batch::decode(messages(event)?);
    let rank_queries = budget.rank_queries.refresh().await?;
    // A person who waits for a refresh does not wait for that, and frozen raids are fetched for them as well.
    if strategy == BudgetStrategy::Ledger && !path.priority {
        budget.ask_for_frozen_raids(&rank_queries, invocation).await;
    }
    let fetch = FetchInvocation { path, budget, results_buffer, invocation, report: FetchReport::default() };
    let report = match strategy {
        BudgetStrategy::Ledger => fetch.all(&mut batch).await?,
        BudgetStrategy::WorstCase => fetch.by_worst_case(&mut batch).await?,
    };
    let idle = report.calls == 0 && report.fresh == 0;
    let unavailable = batch.unavailable();
    Ok(Outcome { exceptions: batch.exceptions(), idle, unavailable, ..Outcome::report(report) })
}

/// The messages. A person may pass one body, or a list of bodies. Such a body is its own id, so that parking it again
/// replaces its own copy and no other.
fn messages(event: Event) -> Result<Vec<ReceivedMessage>, WorkerError> {
    let bodies = match event {
        Event::Batch(deliveries) => {
            let received = |delivery: Delivery| ReceivedMessage {
                id: delivery.message_id,
                body: delivery.body,
                sent_at: Some(delivery.sent_at),
            };
            return Ok(deliveries.into_iter().map(received).collect());
        }
        Event::Manual(serde_json::Value::Array(bodies)) => bodies,
        Event::Manual(body @ serde_json::Value::Object(_)) => vec![body],
        Event::Manual(_) | Event::Tick { .. } | Event::Request(_) => {
            let example = r#"{"id": 57147396, "raidsToScrap": {"26": [3, 5]}}"#;
            return Err(WorkerError::Event(format!("a message is needed, such as {example}")));
        }
    };
    let received = |body: &serde_json::Value| ReceivedMessage {
        id: format!("by hand: {body}"),
        body: body.to_string(),
        sent_at: None,
    };
    Ok(bodies.iter().map(received).collect())
}

/// State of one invocation.
pub(crate) struct FetchInvocation<'a> {
    pub(crate) path: FetchPath<'a>,
    pub(crate) budget: &'a Budget,
    pub(crate) results_buffer: &'a ResultsBuffer,
    pub(crate) invocation: &'a Invocation,
    pub(crate) report: FetchReport,
}

impl FetchInvocation<'_> {
    /// Serves the batch, and then parked messages as far as time and points allow.
    async fn all(mut self, batch: &mut Batch) -> PortResult<FetchReport> {
        let paid = self.serve(batch).await?;
        self.after_batch(paid).await;
        Ok(self.report)
    }

    /// Serves the batch by the source document's rule. Messages that the outage of the upstream leaves unserved are
    /// parked: that rule only covers points.
    async fn by_worst_case(mut self, batch: &mut Batch) -> Result<FetchReport, WorkerError> {
        self.skip_fetched(batch).await?;
        if self.budget.outage().await.is_none() {
            worst_case::fetch(batch, &mut self).await?;
        }
        if let Some(outage) = self.budget.outage().await {
            self.park(batch).await?;
            self.budget.hold_at_zero(&outage).await?;
        }
        // This strategy holds nothing, so the calls in flight are not known.
        self.wake_aggregator_if_empty(None).await;
        Ok(self.report)
    }

    fn ask(&self, request: &RanksRequest) -> Ask {
        let messages = request.messages.iter().map(|message| vec![self.budget.unit; message.units.len()]);
        let call_timeout = self.budget.api.call_timeout();
        Ask { messages: messages.collect(), call_timeout, priority: self.path.priority }
    }

    /// Holds, calls, stores and settles until every message of the batch has an outcome. Returns whether there were
    /// points and time for all; the others are parked. When a port fails, messages without an outcome are released;
    /// it is an error only if no message has one.
    pub(crate) async fn serve(&mut self, batch: &mut Batch) -> PortResult<bool> {
        match self.serve_requests(batch).await {
            Err(error) if batch.is_begun() => {
                tracing::warn!(%error, "the other messages of the batch are released: {error}");
                batch.give_back_after(&error);
                Ok(false)
            }
            served => served,
        }
    }

    async fn serve_requests(&mut self, batch: &mut Batch) -> PortResult<bool> {
        self.skip_fetched(batch).await?;
        while let Some(request) = batch.next_request() {
            self.results_buffer.store_waiting(self.path.queue).await?;
            if !self.has_time_for_a_call() || self.budget.outage().await.is_some() {
                self.park(batch).await?;
                return Ok(false);
            }
            let ask = self.ask(&request);
            match self.budget.pool.reserve(&ask).await? {
                Reservation::Granted(grant) => self.call(batch, &request, &grant).await?,
                Reservation::Unpriceable { unit, largest } => batch.reject_unpriceable(&request, unit, largest),
                Reservation::Refused { .. } if self.budget.read_counters(self.budget.unit).await? > 0 => {}
                Reservation::Refused { .. } if self.points_are_due().await? => {
                    self.invocation.clock().sleep(PATIENCE).await;
                }
                Reservation::Refused { .. } => {
                    self.park(batch).await?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Removes from the messages what needs no call: what was fetched after they were sent, and what the upstream
    /// refuses.
    async fn skip_fetched(&mut self, batch: &mut Batch) -> PortResult<()> {
        self.results_buffer.store_waiting(self.path.queue).await?;
        let players = &*self.results_buffer.players;
        let ids = batch.ids();
        let known = players.known(&ids).await?;
        let SkippedMessages { fresh, refused } = batch.skip_fetched(&known, self.path.priority);
        self.report.fresh += fresh;
        self.report.refused += refused.iter().map(|(_, refused)| refused.len()).sum::<usize>();
        record_refused(players, &known, refused, self.invocation.now()).await
    }

    /// Makes one call for what was granted. Its results are kept first, since they were paid for; then the call is
    /// settled, whatever its outcome.
    async fn call(&mut self, batch: &mut Batch, request: &RanksRequest, grant: &Grant) -> PortResult<()> {
        let asked: Vec<CharacterRequest> = request.paid(&grant.taken);
        self.report.calls += 1;
        self.budget.counts.count(Counted::Calls, 1);
        let (end, response) = self.budget.ranks(&grant.hold.key, grant.amount, &asked).await;
        let stored = self.store(batch, &asked, response).await;
        if let Err(error) = self.budget.paid_api().settle(grant, end).await {
            tracing::warn!(key = %grant.hold.key, %error, "cannot settle a call, its hold ends by itself: {error}");
        }
        stored
    }

    /// Stores the results of a response before the batch marks them as done.
    async fn store(
        &mut self,
        batch: &mut Batch,
        asked: &[CharacterRequest],
        response: Result<Vec<CharacterOutcome>, CallError>,
    ) -> PortResult<()> {
        match response {
            Ok(outcomes) => self.store_outcomes(batch, asked, outcomes).await?,
            // A rate limit or a refused key is not the fault of the messages: they are requested again, or parked.
            Err(error) if error.is_retryable_without_failure() => {}
            Err(error) => batch.call_failed(asked, &error.to_string()),
        }
        Ok(())
    }

    /// Stores the outcomes of the requested players, and tells the persons who wait for them at once: the steps after
    /// the batch may take a while.
    pub(crate) async fn store_outcomes(
        &mut self,
        batch: &mut Batch,
        asked: &[CharacterRequest],
        outcomes: Vec<CharacterOutcome>,
    ) -> PortResult<()> {
        let results = Results::sort_out(batch, asked, outcomes, self.invocation.now());
        let results = self.results_buffer.store(results, self.path.queue).await?;
        results.count(&mut self.report);
        batch.served(asked, &results);
        // The fetched ranks are stored, and stay done: only a person waits longer.
        if let Some(refresh_results) = self.path.refresh_results.filter(|_| !results.refresh_results.is_empty())
            && let Err(error) = refresh_results.store_results(&results.refresh_results).await
        {
            tracing::warn!(%error, "cannot store the results of refreshes: {error}");
        }
        Ok(())
    }

    pub(crate) fn has_time_for_a_call(&self) -> bool {
        self.invocation.has_time_for(self.budget.api.call_timeout() + PATIENCE)
    }

    /// Whether points may become available within moments: from calls in flight that hold enough for a refund to pay
    /// for a unit, or from a key whose counter is being read. A short wait is worth it: a parked message costs another
    /// receive.
    async fn points_are_due(&self) -> PortResult<bool> {
        let keys = self.budget.pool.keys().await?;
        let due = |key: &KeyStatus| key.may_soon_grant(self.budget.unit, self.path.priority);
        Ok(keys.iter().any(due))
    }
}
