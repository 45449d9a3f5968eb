//! Amazon SQS, standard queues: at-least-once delivery, out of order, as documented.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html>

mod message;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::select;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{Clock, after, from_millis, to_millis};
use stint_core::ports::{
    Counts, DeadLetter, Delivery, MAX_BATCH, MAX_VISIBILITY, NewMessage, PortResult, Queue, QueueSettings, Receipt,
    validate,
};

use crate::faults::Faults;
use crate::random::Random;
use state::State;

/// The longest retention of a message, which fleets use: the default of 4 days is shorter than a backlog.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const LONGEST_RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Counts are accurate this long after the last change.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
pub const COUNTS_LAG: Duration = Duration::from_secs(60);

/// Settings of a queue.
#[derive(Clone, Copy, Debug)]
pub struct SqsSettings {
    /// Visibility and dead letters.
    pub queue: QueueSettings,
    /// How long a message is kept.
    pub retention: Duration,
    /// When the queue was created.
    pub started: Timestamp,
}

/// Usage of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SqsUsage {
    /// Billed requests of all kinds; one covers up to ten messages.
    pub requests: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Messages deleted.
    pub acknowledged: u64,
    /// Messages that came back because they were not deleted in time.
    pub lapsed: u64,
    /// Messages dropped because they were kept too long.
    pub expired: u64,
    /// Polls that returned no message.
    pub empty_receives: u64,
}

/// A standard queue in memory.
pub struct Sqs {
    name: String,
    settings: SqsSettings,
    clock: Arc<dyn Clock>,
    random: Random,
    faults: Faults,
    state: Mutex<State>,
}

impl Sqs {
    /// Returns an empty queue.
    pub fn new(name: &str, settings: SqsSettings, clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> Sqs {
        let random = Random::new(seed, "sqs");
        Sqs { name: name.to_owned(), settings, clock, random, faults: faults.clone(), state: Mutex::default() }
    }

    /// Its usage so far.
    pub fn usage(&self) -> SqsUsage {
        self.lock().usage
    }

    /// Returns exact counts of the messages in the queue.
    pub fn exact_counts(&self) -> Counts {
        let mut state = self.lock();
        state.advance(to_millis(self.clock.now()));
        Counts {
            visible: state.visible.len() as u64,
            in_flight: state.in_flight.len() as u64,
            delayed: state.delayed.len() as u64,
            dead_letters: state.dead.len() as u64,
        }
    }

    /// Calls `show` with the body of every message in the queue, dead letters included.
    pub fn each_body(&self, mut show: impl FnMut(&str)) {
        let state = self.lock();
        let leased = state.in_flight.values().map(|leased| &leased.message);
        for message in state.visible.iter().chain(state.delayed.values()).chain(leased) {
            show(&state.bodies.read(message));
        }
        state.dead.iter().for_each(|dead| show(&dead.body));
    }

    /// A long poll. Returns at most `max` messages as soon as there are some, and none after `wait`.
    pub async fn poll(&self, max: usize, wait: Duration) -> Vec<Delivery> {
        let deadline = after(self.clock.now(), wait);
        self.lock().usage.requests += 1;
        loop {
            let (arrival, change) = {
                let mut state = self.lock();
                let batch = self.take(&mut state, max);
                if !batch.is_empty() {
                    return batch;
                }
                if self.clock.now() >= deadline {
                    state.usage.empty_receives += 1;
                    return batch;
                }
                let (sender, receiver) = oneshot::channel();
                state.waiting.push_back(sender);
                (receiver, state.next_change().map_or(deadline, from_millis))
            };
            select(arrival, self.clock.sleep_until(change.min(deadline))).await;
        }
    }

    fn take(&self, state: &mut State, max: usize) -> Vec<Delivery> {
        let now = self.clock.now();
        state.advance(to_millis(now));
        let receive = |_| state.receive(now, &self.settings, &self.random, &self.faults);
        (0..max.min(MAX_BATCH)).map_while(receive).collect()
    }

    fn seconds(&self) -> u32 {
        ((to_millis(self.clock.now()) - to_millis(self.settings.started)) / 1_000) as u32
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for Sqs {
    fn name(&self) -> &str {
        &self.name
    }

    fn visibility_timeout(&self) -> Duration {
        self.settings.queue.visibility_timeout
    }

    async fn send(&self, messages: &[NewMessage]) -> PortResult<()> {
        validate(messages)?;
        if messages.is_empty() {
            return Ok(());
        }
        let (now, seconds) = (to_millis(self.clock.now()), self.seconds());
        let mut state = self.lock();
        state.usage.requests += 1;
        for new in messages {
            state.numbers += 1;
            state.usage.sent += 1;
            let number = state.numbers;
            let message = state.bodies.message(number, &new.body, seconds);
            state.place(message, now + new.delay.as_millis() as i64, now);
        }
        state.wake(messages.len());
        Ok(())
    }

    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>> {
        let mut state = self.lock();
        state.usage.requests += 1;
        Ok(self.take(&mut state, max))
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()> {
        let mut state = self.lock();
        state.advance(to_millis(self.clock.now()));
        state.usage.requests += receipts.len().div_ceil(MAX_BATCH) as u64;
        receipts.iter().for_each(|receipt| state.acknowledge(receipt));
        Ok(())
    }

    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()> {
        let now = to_millis(self.clock.now());
        let mut state = self.lock();
        state.advance(now);
        state.usage.requests += receipts.len().div_ceil(MAX_BATCH) as u64;
        for receipt in receipts {
            let Some(message) = state.end_flight(receipt) else { continue };
            if u32::from(message.receives) >= self.settings.queue.max_receives {
                state.usage.requests += 2;
                state.dead_letter(&message, reason.to_owned(), self.clock.now());
            } else {
                state.set_reason(&message, reason);
                state.place(message, now + delay.min(MAX_VISIBILITY).as_millis() as i64, now);
                state.wake(1);
            }
        }
        Ok(())
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.advance(to_millis(now));
        // One request sends it to the dead-letter queue, another deletes it here.
        state.usage.requests += 2;
        if let Some(message) = state.end_flight(receipt) {
            state.dead_letter(&message, reason.to_owned(), now);
        }
        Ok(())
    }

    async fn counts(&self) -> PortResult<Counts> {
        self.lock().usage.requests += 1;
        Ok(self.exact_counts())
    }

    /// The model's counts are exact, but callers wait as they do with the real queue.
    fn counts_lag(&self) -> Duration {
        COUNTS_LAG
    }

    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>> {
        Ok(self.lock().dead.iter().take(max).cloned().collect())
    }

    async fn peek(&self, max: usize) -> PortResult<Vec<Delivery>> {
        let state = self.lock();
        let show = |message: &message::StoredMessage| Delivery {
            message_id: format!("m{}", message.number),
            receipt: Receipt(String::new()),
            body: state.bodies.read(message),
            receive_count: u32::from(message.receives),
            sent_at: after(self.settings.started, Duration::from_secs(u64::from(message.sent_at))),
        };
        Ok(state.visible.iter().take(max).map(show).collect())
    }

    async fn redrive(&self) -> PortResult<u64> {
        let dead = std::mem::take(&mut self.lock().dead);
        let count = dead.len() as u64;
        for dead in dead {
            self.send(&[NewMessage::new(dead.body)]).await?;
        }
        Ok(count)
    }

    async fn purge(&self, everything: bool) -> PortResult<u64> {
        let mut state = self.lock();
        let mut purged = std::mem::take(&mut state.dead).len();
        if everything {
            purged += state.visible.len() + state.delayed.len() + state.in_flight.len();
            state.visible.clear();
            state.delayed.clear();
            state.in_flight.clear();
        }
        Ok(purged as u64)
    }
}

#[cfg(test)]
mod tests;
