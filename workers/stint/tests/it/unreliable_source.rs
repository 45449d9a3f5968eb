//! Simulates deliveries that a standard queue may make: twice, out of order, and late.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_runtime_api::Source;

/// The delay of a message that is late but still within its visibility time-out.
const LATE: Duration = Duration::from_millis(700);

/// The time between the two deliveries of a message that is delivered twice. The first may be processed by then.
const AGAIN: Duration = Duration::from_millis(900);

/// Wraps another source, and delays and duplicates its messages.
pub(crate) struct UnreliableSource<S> {
    source: S,
    visibility: Duration,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

/// What was done so far, counted in messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) twice: u32,
    pub(crate) late: u32,
    /// Messages delivered after the queue had made them visible to another receiver.
    pub(crate) after_visibility: u32,
    pub(crate) out_of_order: u32,
}

#[derive(Default)]
struct Held {
    /// Each waiting message with its earliest delivery time and its number in the source's order.
    waiting: Vec<(Timestamp, u32, Value)>,
    received: u32,
    last_delivered: u32,
    done: Done,
}

impl<S> UnreliableSource<S> {
    /// `visibility` is the time after which the queue makes a message visible to another receiver.
    pub(crate) fn new(source: S, visibility: Duration, clock: Arc<dyn Clock>) -> UnreliableSource<S> {
        UnreliableSource { source, visibility, clock, held: Mutex::default() }
    }

    pub(crate) fn done(&self) -> Done {
        self.with(|held| held.done)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl<S: Source> Source for &UnreliableSource<S> {
    async fn receive(&self, max: usize) -> Vec<Value> {
        let fresh = self.source.receive(max).await;
        let now = self.clock.now();
        self.with(|held| {
            for record in fresh {
                held.hold(record, now, self.visibility);
            }
            held.deliver(max, now)
        })
    }

    async fn delete(&self, records: Vec<Value>) {
        self.source.delete(records).await;
    }

    async fn concurrency(&self) -> u32 {
        self.source.concurrency().await
    }
}

impl Held {
    /// Delays every fifth message, delays every ninth beyond its visibility time-out, and duplicates every fourth.
    fn hold(&mut self, record: Value, now: Timestamp, visibility: Duration) {
        self.received += 1;
        let number = self.received;
        let delay = if number.is_multiple_of(9) {
            self.done.after_visibility += 1;
            visibility + LATE
        } else if number.is_multiple_of(5) {
            self.done.late += 1;
            LATE
        } else {
            Duration::ZERO
        };
        let due = after(now, delay);
        if number.is_multiple_of(4) {
            self.done.twice += 1;
            self.waiting.push((after(due, AGAIN), number, record.clone()));
        }
        self.waiting.push((due, number, record));
    }

    /// Returns messages in reverse order.
    fn deliver(&mut self, max: usize, now: Timestamp) -> Vec<Value> {
        let mut batch = Vec::new();
        for position in (0..self.waiting.len()).rev() {
            if batch.len() == max {
                break;
            }
            // A batch contains a message only once, like an event of Lambda.
            let (due, number, record) = &self.waiting[position];
            if *due > now || batch.iter().any(|other: &Value| other["messageId"] == record["messageId"]) {
                continue;
            }
            self.done.out_of_order += u32::from(*number < self.last_delivered);
            self.last_delivered = *number;
            batch.push(self.waiting.remove(position).2);
        }
        batch
    }
}
