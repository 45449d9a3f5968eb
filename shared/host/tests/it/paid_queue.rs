//! A queue with paid calls, like SQS, which fails on demand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stint_core::clock::{Clock, after};
use stint_core::ports::{Counts, DeadLetter, Delivery, MAX_WAIT, NewMessage, PortError, PortResult, Queue, Receipt};

/// How soon a waiting receive sees a new message.
const SOON: Duration = Duration::from_millis(10);

/// Wraps another queue and counts the calls.
pub(crate) struct PaidQueue {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    /// The requested wait of each receive.
    asked: Mutex<Vec<Duration>>,
    /// The number of the receive that fails. Every release fails too.
    fails: Option<usize>,
}

impl PaidQueue {
    pub(crate) fn new(queue: Arc<dyn Queue>, clock: Arc<dyn Clock>, fails: Option<usize>) -> PaidQueue {
        PaidQueue { queue, clock, asked: Mutex::default(), fails }
    }

    pub(crate) fn asked(&self) -> Vec<Duration> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records a call, and returns its number.
    fn note(&self, patience: Duration) -> usize {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(patience);
        asked.len()
    }
}

#[async_trait]
impl Queue for PaidQueue {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn visibility_timeout(&self) -> Duration {
        self.queue.visibility_timeout()
    }

    async fn send(&self, messages: &[NewMessage]) -> PortResult<()> {
        self.queue.send(messages).await
    }

    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>> {
        self.receive_patiently(max, Duration::ZERO).await
    }

    async fn receive_patiently(&self, max: usize, patience: Duration) -> PortResult<Vec<Delivery>> {
        if Some(self.note(patience)) == self.fails {
            return Err(PortError::backend("receive", "it was told to fail"));
        }
        let deadline = after(self.clock.now(), patience.min(MAX_WAIT));
        loop {
            let received = self.queue.receive(max).await?;
            if !received.is_empty() || self.clock.now() >= deadline {
                return Ok(received);
            }
            self.clock.sleep(SOON).await;
        }
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()> {
        self.queue.acknowledge(receipts).await
    }

    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()> {
        if self.fails.is_some() {
            return Err(PortError::backend("release", "it was told to fail"));
        }
        self.queue.release(receipts, delay, reason).await
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()> {
        self.queue.reject(receipt, reason).await
    }

    async fn counts(&self) -> PortResult<Counts> {
        self.queue.counts().await
    }

    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>> {
        self.queue.dead_letters(max).await
    }

    async fn peek(&self, max: usize) -> PortResult<Vec<Delivery>> {
        self.queue.peek(max).await
    }

    async fn redrive(&self) -> PortResult<u64> {
        self.queue.redrive().await
    }

    async fn purge(&self, everything: bool) -> PortResult<u64> {
        self.queue.purge(everything).await
    }
}
