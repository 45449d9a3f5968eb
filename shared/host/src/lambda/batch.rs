//! A batch of an event source mapping, also while the worker's stores cannot be reached.
//!
//! The mapping receives on, whatever the function answers, so an outage costs receives: as few as possible. The batch
//! waits in the function for half of its time, in which most outages end; a waiting function also takes nothing else
//! from the queue. Then its messages are released for as long as the outage has lasted already. A message that has no
//! receive left is sent again, so that an outage of any length makes no dead letters.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::ports::{Delivery, PortError};
use stint_core::worker::{Event, Outcome, WorkerError};

use super::{Feed, LambdaHost};
use crate::counters::Counters;
use crate::dispose::{dispose_of_exceptions, done, release_batch, release_for_outage, split_retried};
use crate::invoke::invoke_until;
use crate::store_gate::latest_start;

/// For how long the messages of an outage are released: at least, and at most.
const SHORTEST_OUTAGE_DELAY: Duration = Duration::from_secs(60);
const LONGEST_OUTAGE_DELAY: Duration = Duration::from_secs(60 * 60);

/// What has become of the messages of a batch so far.
#[derive(Default)]
struct Progress {
    /// Whether any message has an outcome.
    is_begun: bool,
    /// The ids of messages that the mapping must not delete.
    returning: Vec<String>,
}

impl LambdaHost {
    /// Works on a batch until `deadline`, and returns the partial response.
    pub(super) async fn handle_deliveries(
        &self,
        feed: &Feed,
        mut batch: Vec<Delivery>,
        deadline: Timestamp,
    ) -> Result<Value, WorkerError> {
        let latest = latest_start(deadline, self.worker.spec().timeout / 2, self.clock.now());
        let (mut progress, mut reason) = (Progress::default(), None);
        while !batch.is_empty() {
            let Some(pass) = self.gate.pass(&*self.worker, latest, &self.stop).await else {
                return self.give_up(feed, batch, progress, reason).await;
            };
            let event = Event::Batch(batch.clone());
            let outcome = invoke_until(&*self.worker, event, &self.clock, deadline, &self.stop).await;
            self.counters.count_batch(&outcome);
            let unavailable = self.gate.report(pass, &outcome);
            match outcome {
                Err(_) if unavailable.is_some() => {}
                Err(error) => {
                    self.release(feed, &batch, &error).await;
                    return Err(error);
                }
                Ok(outcome) => {
                    let waiting = unavailable.is_some();
                    let (kept, ended) = if waiting { split_retried(batch, &outcome) } else { (Vec::new(), batch) };
                    self.end(feed, &ended, &outcome, &mut progress).await;
                    batch = kept;
                }
            }
            reason = unavailable.or(reason);
        }
        Ok(response(progress.returning))
    }

    async fn end(&self, feed: &Feed, ended: &[Delivery], outcome: &Outcome, progress: &mut Progress) {
        let id = self.worker.spec().id();
        Counters::add(&self.counters.succeeded, done(ended, outcome).len());
        progress.is_begun |= !ended.is_empty();
        progress.returning.extend(dispose_of_exceptions(&*feed.queue, ended, outcome, &self.counters).await);
        let (report, totals) = (&outcome.report, json!(self.counters.totals()));
        tracing::info!(worker = %id, %report, %totals, "{id} is done with a batch");
    }

    async fn release(&self, feed: &Feed, batch: &[Delivery], error: &WorkerError) {
        if let Err(refused) = release_batch(&*feed.queue, batch, &error.to_string(), &self.counters).await {
            // The mapping drops them, and they become visible again after their visibility timeout.
            let id = self.worker.spec().id();
            tracing::warn!(worker = %id, error = %refused, "cannot release a batch: {refused}");
        }
    }

    /// Releases what waits for a store. The invocation fails, which slows the mapping down and is counted, unless other
    /// messages of the batch are done.
    async fn give_up(
        &self,
        feed: &Feed,
        batch: Vec<Delivery>,
        mut progress: Progress,
        reason: Option<String>,
    ) -> Result<Value, WorkerError> {
        let id = self.worker.spec().id();
        let reason = reason.or_else(|| self.gate.reason()).unwrap_or_else(|| "the function stops".to_owned());
        let delay = self.gate.outage_age().clamp(SHORTEST_OUTAGE_DELAY, LONGEST_OUTAGE_DELAY);
        let max_receives = self.worker.spec().queue().map_or(u32::MAX, |queue| queue.max_receives);
        let released = release_for_outage(&*feed.queue, &batch, max_receives, delay, &reason, &self.counters).await;
        if let Err(refused) = released {
            tracing::warn!(worker = %id, error = %refused, "cannot release a batch: {refused}");
        }
        if !progress.is_begun {
            return Err(PortError::unavailable("the worker's stores cannot be reached", reason).into());
        }
        progress.returning.extend(batch.into_iter().map(|delivery| delivery.message_id));
        Ok(response(progress.returning))
    }
}

fn response(returning: Vec<String>) -> Value {
    let failures: Vec<Value> = returning.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}
