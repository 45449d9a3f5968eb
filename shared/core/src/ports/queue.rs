//! The queue port, with the semantics of Amazon SQS standard queues.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PortError, PortResult};

// Limits of Amazon SQS. Every adapter keeps them, so that what runs on one machine also runs in the cloud.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

/// The most messages per send, receive or acknowledge call that reaches the vendor.
pub const MAX_BATCH: usize = 10;
/// The largest message body in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest delay of a message.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// The longest visibility timeout, counted from the receive.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest that a receive waits for a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// One queue. A message waits in it, is leased to one receiver at a time, and leaves it when it is acknowledged.
///
/// Delivery is at least once and in no guaranteed order. A received message is invisible for the visibility timeout. If
/// the receiver does not acknowledge it in time, another receiver gets it, with a receive count that is one higher. A
/// message that was received `max_receives` times goes to the dead letters instead of to another receiver.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Returns the queue's name.
    fn name(&self) -> &str;

    /// Returns how long a receiver's lease of a message lasts. If the receiver works longer than this, another receiver
    /// gets the message too.
    fn visibility_timeout(&self) -> Duration;

    /// Sends up to [`MAX_BATCH`] messages of up to [`MAX_BODY`] bytes each, and returns when all of them are durable.
    /// On one machine this is all or nothing. In the cloud some messages may have been sent when this fails, so the
    /// caller sends the same messages again and receivers must tolerate duplicates. An empty list does nothing.
    async fn send(&self, messages: &[NewMessage]) -> PortResult<()>;

    /// Leases up to `max` messages (clamped to [`MAX_BATCH`]) to the caller for the queue's visibility timeout. Does
    /// not wait: returns an empty list if no message is visible, and a caller that polls waits between calls. Each
    /// receive raises the message's receive count.
    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>>;

    /// Receives messages like [`Queue::receive`], for a caller with nothing else to do. If the vendor charges per call,
    /// the queue itself waits up to `patience` (clamped to [`MAX_WAIT`]) for a first message and returns as soon as
    /// there is one. If calls are free, this returns at once, so the caller still waits between calls. Do not drop the
    /// future before it completes: a message that is leased to a caller that has gone becomes visible again only after
    /// the visibility timeout.
    async fn receive_patiently(&self, max: usize, _patience: Duration) -> PortResult<Vec<Delivery>> {
        self.receive(max).await
    }

    /// Deletes received messages. A stale receipt (the visibility timeout has passed and another receiver has the
    /// message) deletes nothing, and a second acknowledgement does nothing. Neither is an error, because the caller
    /// could not do anything about it.
    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()>;

    /// Makes messages visible again after `delay` (clamped to [`MAX_VISIBILITY`]), and keeps `reason` for an operator
    /// who finds the message among the dead letters. The receive count does not change. A message that has used up its
    /// receives becomes a dead letter at once, without the delay. Stale receipts are ignored.
    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()>;

    /// Moves a message that can never succeed to the dead letters with the reason, whatever its receive count. A stale
    /// receipt is ignored.
    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()>;

    /// Returns how many messages the queue has. In the cloud the numbers are estimates.
    async fn counts(&self) -> PortResult<Counts>;

    /// Returns how long [`Queue::counts`] may take to show a change. A queue on this machine shows it at once.
    fn counts_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns up to `max` dead letters, oldest first, without changing them.
    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>>;

    /// Returns up to `max` waiting messages, next first, without receiving them.
    async fn peek(&self, max: usize) -> PortResult<Vec<Delivery>>;

    /// Sends every dead letter back to the queue with a receive count of zero, and returns how many. A message that
    /// becomes a dead letter again meanwhile is not moved twice.
    async fn redrive(&self) -> PortResult<u64>;

    /// Deletes the dead letters, or all messages if `everything` is set, and returns how many.
    async fn purge(&self, everything: bool) -> PortResult<u64>;
}

/// A queue's delivery settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QueueSettings {
    /// How long a receiver's lease of a message lasts. AWS recommends six times the worker's time-out for Lambda.
    pub visibility_timeout: Duration,
    /// A message that was received this many times without being acknowledged becomes a dead letter. At least 1.
    pub max_receives: u32,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The body: by convention, one JSON document.
    pub body: String,
    /// The time before it becomes visible, at most [`MAX_DELAY`].
    pub delay: Duration,
}

impl NewMessage {
    /// Creates a message that is visible at once.
    pub fn new(body: impl Into<String>) -> NewMessage {
        NewMessage { body: body.into(), delay: Duration::ZERO }
    }
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's id of the message, the same on every receive.
    pub message_id: String,
    /// Identifies this receive: different on every receive.
    pub receipt: Receipt,
    /// The body as sent.
    pub body: String,
    /// How many times it was received, including this time.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// Proof that a message was received, and in which receive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// A message that the queue no longer delivers because it failed too often or was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The message's id in the queue.
    pub message_id: String,
    /// The body as sent.
    pub body: String,
    /// How many times it was received before it was moved.
    pub receive_count: u32,
    /// Why it was moved.
    pub reason: String,
    /// When it was moved.
    pub dead_lettered_at: Timestamp,
}

/// The number of messages in a queue, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages that a receiver holds.
    pub in_flight: u64,
    /// Messages that were sent or released with a delay that has not passed.
    pub delayed: u64,
    /// Dead letters.
    #[serde(rename = "dead")]
    pub dead_letters: u64,
}

impl Counts {
    /// Returns the number of messages that are still to be processed.
    pub fn unfinished(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// Checks messages against the limits of the port. Adapters call this first.
pub fn validate(messages: &[NewMessage]) -> PortResult<()> {
    if messages.len() > MAX_BATCH {
        return Err(PortError::Invalid(format!("{} messages in one batch, at most {MAX_BATCH}", messages.len())));
    }
    for message in messages {
        let length = message.body.len();
        if length == 0 || length > MAX_BODY {
            return Err(PortError::Invalid(format!("a message body of {length} bytes, 1 to {MAX_BODY} are allowed")));
        }
        if message.delay > MAX_DELAY {
            let delay = message.delay.as_secs();
            return Err(PortError::Invalid(format!("a delay of {delay} s, at most {} s", MAX_DELAY.as_secs())));
        }
    }
    Ok(())
}
