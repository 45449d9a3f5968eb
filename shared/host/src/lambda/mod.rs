//! One worker as an AWS Lambda function.
//!
//! # What may happen between any two lines
//! * *The function dies before it has answered:* the batch becomes visible again when its visibility times out; a
//!   schedule has its next tick, a wake-up the sweep.
//! * *It dies after a message was given back or rejected:* the mapping knows nothing of it, deletes nothing, and the
//!   message is where it was put.
//! * *It dies after the answer:* nothing is kept between two invocations but connections.
//! * *The mapping deletes what we have rejected, too:* it is not there any more, which SQS takes as deleted.
//!
//! A batch is answered in part: what is in `batchItemFailures` comes back, everything else the mapping deletes. A
//! message that waits comes back when it is due, since giving it back has changed its visibility; one that can
//! never succeed is with the dead letters already, with its reason, and burns no further receive. An invocation that
//! fails is told to Lambda as one: its mapping then slows down, and the function's alarm rings.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

mod event;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::{Clock, after, before};
use stint_core::ports::{Delivery, Queue, Receipt, Throttle};
use stint_core::worker::{AnyWorker, Event, Stop, WorkerError};

pub use event::Record;
pub use serve::serve;

use crate::counters::Counters;
use crate::dispose::{dispose_of_exceptions, done, give_back};
use crate::invoke::invoke_until;
use event::Payload;

/// What a worker leaves of its time, for giving messages back and for the answer.
pub const MARGIN: Duration = Duration::from_secs(2);

/// Where a function's batches come from.
pub struct Feed {
    /// The queue: for giving messages back and for rejecting them. The mapping does the rest.
    pub queue: Arc<dyn Queue>,
    /// How the queue proves a loan that the mapping took out.
    pub receipt: fn(&Record) -> Receipt,
}

/// Runs one worker, an event at a time.
pub struct LambdaHost {
    worker: Arc<dyn AnyWorker>,
    feed: Option<Feed>,
    throttle: Arc<dyn Throttle>,
    clock: Arc<dyn Clock>,
    counters: Counters,
    stop: Stop,
}

impl LambdaHost {
    /// A host for `worker`, which `feed` feeds if a queue does. An operator's pause of `throttle` holds for its
    /// schedules; a queue's mapping is paused by itself. Once `stop` is set, work that is under way comes to an end.
    pub fn new(
        worker: Arc<dyn AnyWorker>,
        feed: Option<Feed>,
        throttle: Arc<dyn Throttle>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> LambdaHost {
        LambdaHost { worker, feed, throttle, clock, counters: Counters::default(), stop }
    }

    /// One invocation. Lambda kills the function at `deadline`, so the worker ends before; the answer is what the
    /// function answers.
    pub async fn handle(&self, event: Value, deadline: Timestamp) -> Result<Value, WorkerError> {
        let spec = self.worker.spec();
        let deadline = before(deadline, MARGIN).min(after(self.clock.now(), spec.timeout));
        let event = match Payload::read(event)? {
            Payload::Batch(records) => return self.handle_batch(records, deadline).await,
            Payload::Tick { worker: Some(meant), .. } if meant != spec.name => {
                return Err(WorkerError::Event(format!(
                    "the event is for {meant}, and this function is {}",
                    spec.name
                )));
            }
            Payload::Tick { due, wakeup, .. } => Event::Tick { due, wakeup },
            Payload::Manual(argument) => Event::Manual(argument),
        };
        if matches!(event, Event::Tick { .. }) && self.throttle.read(spec.name).await?.paused {
            tracing::info!(worker = spec.name, "{} is due, but paused", spec.name);
            return Ok(json!({ "paused": true }));
        }
        let report = invoke_until(&*self.worker, event, &self.clock, deadline, &self.stop).await?.report;
        tracing::info!(worker = spec.name, %report, "{} is done: {report}", spec.name);
        Ok(report)
    }

    async fn handle_batch(&self, records: Vec<Record>, deadline: Timestamp) -> Result<Value, WorkerError> {
        let spec = self.worker.spec();
        let no_queue = || WorkerError::Event(format!("a batch came, and no queue feeds {}", spec.name));
        let feed = self.feed.as_ref().ok_or_else(no_queue)?;
        let batch: Vec<Delivery> = records.into_iter().map(|record| deliver(record, feed)).collect();
        Counters::add(&self.counters.received, batch.len());
        let outcome = invoke_until(&*self.worker, Event::Batch(batch.clone()), &self.clock, deadline, &self.stop).await;
        self.counters.count_batch(&outcome);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if let Err(refused) = give_back(&*feed.queue, &batch, &error.to_string(), &self.counters).await {
                    // The mapping lets them go, and they come back when their visibility times out.
                    tracing::warn!(worker = spec.name, error = %refused, "cannot give a batch back: {refused}");
                }
                return Err(error);
            }
        };
        Counters::add(&self.counters.succeeded, done(&batch, &outcome).len());
        let returning = dispose_of_exceptions(&*feed.queue, &batch, &outcome, &self.counters).await;
        let (report, totals) = (&outcome.report, json!(self.counters.totals()));
        tracing::info!(worker = spec.name, %report, %totals, "{} is done with a batch", spec.name);
        let failures: Vec<Value> = returning.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }
}

fn deliver(record: Record, feed: &Feed) -> Delivery {
    let (receipt, receive_count, sent_at) = ((feed.receipt)(&record), record.receive_count(), record.sent_at());
    Delivery { message_id: record.message_id, receipt, body: record.body, receive_count, sent_at }
}
