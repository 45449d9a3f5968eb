//! The event source mapping between a queue and a function, with partial batch responses.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::select;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use stint_core::clock::{Clock, to_millis};
use stint_core::ports::{Delivery, Queue, Receipt, Throttle};
use stint_core::worker::{StopSignal, WorkerSpec};

use crate::function::{InvokeError, ProcessFunction};

/// The wait after an empty receive. AWS waits 20 seconds for a message, which is too long for a test.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The wait before a throttled batch is offered again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The source of a mapping's messages.
#[async_trait]
pub trait Source: Send + Sync {
    /// Receives up to `max` messages, each as a record of the function's event.
    async fn receive(&self, max: usize) -> Vec<Value>;

    /// Deletes the messages that were processed.
    async fn delete(&self, records: Vec<Value>);

    /// The most concurrent batches; 0 while the mapping is paused.
    async fn concurrency(&self) -> u32;
}

/// Statistics of a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollStats {
    /// Batches that the function answered.
    pub batches: u64,
    /// The size of the largest batch.
    pub largest: usize,
    /// Messages that the function reported as failed.
    pub item_failures: u64,
    /// Batches whose invocation failed.
    pub failed_batches: u64,
    /// Throttled invocations.
    pub throttled: u64,
    /// The most concurrent batches.
    pub most_at_once: usize,
    /// Consecutive polls without a message and without a batch in progress.
    pub idle_polls: u64,
}

/// A mapping.
pub struct EventSourceMapping<S> {
    source: S,
    function: Arc<ProcessFunction>,
    batch: usize,
    clock: Arc<dyn Clock>,
    polled: Mutex<PollStats>,
}

impl<S: Source> EventSourceMapping<S> {
    /// Returns a mapping from `source` to `function`, `batch` messages to an invocation.
    pub fn new(
        source: S,
        function: Arc<ProcessFunction>,
        batch: usize,
        clock: Arc<dyn Clock>,
    ) -> EventSourceMapping<S> {
        EventSourceMapping { source, function, batch, clock, polled: Mutex::default() }
    }

    /// Its statistics so far.
    pub fn polled(&self) -> PollStats {
        *self.state()
    }

    /// Polls until `stop` is set, and then until all invocations have ended.
    pub async fn run(&self, stop: &StopSignal) {
        let mut running = FuturesUnordered::new();
        while !stop.is_set() || !running.is_empty() {
            let allowed = self.source.concurrency().await as usize;
            let mut received = false;
            while !stop.is_set() && running.len() < allowed {
                let batch = self.source.receive(self.batch).await;
                if batch.is_empty() {
                    break;
                }
                received = true;
                running.push(self.deliver(batch, stop));
                let mut state = self.state();
                state.most_at_once = state.most_at_once.max(running.len());
            }
            let idle = !received && running.is_empty();
            {
                let mut state = self.state();
                state.idle_polls = if idle { state.idle_polls + 1 } else { 0 };
            }
            let pause = self.clock.sleep(POLL_INTERVAL);
            if running.is_empty() {
                pause.await;
            } else {
                select(running.next(), pause).await;
            }
        }
    }

    /// Offers a batch until the function accepts it. Deletes the messages that are not reported as failed.
    async fn deliver(&self, batch: Vec<Value>, stop: &StopSignal) {
        let event = json!({ "Records": batch });
        let answer = loop {
            match self.function.invoke(event.clone()).await {
                Err(InvokeError::Throttled) if !stop.is_set() => {
                    self.state().throttled += 1;
                    self.clock.sleep(RETRY_INTERVAL).await;
                }
                answer => break answer,
            }
        };
        let Ok(answer) = answer else {
            self.state().failed_batches += 1;
            return;
        };
        let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
        let failed: BTreeSet<&str> = failures.filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
        let is_done = |record: &Value| !record["messageId"].as_str().is_some_and(|id| failed.contains(id));
        {
            let mut state = self.state();
            state.batches += 1;
            state.largest = state.largest.max(batch.len());
            state.item_failures += failed.len() as u64;
        }
        self.source.delete(batch.into_iter().filter(is_done).collect()).await;
    }

    fn state(&self) -> MutexGuard<'_, PollStats> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue behind the queue port, steered by a throttle. The records carry the port's own receipts.
pub struct QueueSource {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Sets how many batches may run at once.
    pub throttle: Arc<dyn Throttle>,
    /// The worker that the queue feeds.
    pub worker: WorkerSpec,
}

#[async_trait]
impl Source for QueueSource {
    async fn receive(&self, max: usize) -> Vec<Value> {
        // If a receive fails, the mapping polls again.
        let batch = self.queue.receive(max).await.unwrap_or_default();
        batch.iter().map(record).collect()
    }

    async fn delete(&self, records: Vec<Value>) {
        let receipt = |record: &Value| Some(Receipt(record["receiptHandle"].as_str()?.to_owned()));
        let receipts: Vec<Receipt> = records.iter().filter_map(receipt).collect();
        // Messages that were not deleted come back, and workers are idempotent.
        let _ = self.queue.acknowledge(&receipts).await;
    }

    async fn concurrency(&self) -> u32 {
        let throttle = self.throttle.read(&self.worker.id()).await;
        throttle.map_or(0, |throttle| throttle.effective(self.worker.concurrency))
    }
}

/// Converts a message to a record of a function's event. <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
pub fn record(delivery: &Delivery) -> Value {
    json!({
        "messageId": delivery.message_id,
        "receiptHandle": delivery.receipt.0,
        "body": delivery.body,
        "attributes": {
            "ApproximateReceiveCount": delivery.receive_count.to_string(),
            "SentTimestamp": to_millis(delivery.sent_at).to_string(),
        },
        "eventSource": "aws:sqs",
    })
}
