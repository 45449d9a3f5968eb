//! The queue port, with the semantics of Amazon SQS standard queues.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PortError, PortResult};

// Limits of Amazon SQS, kept by every adapter, so that what runs on one machine runs in the cloud.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

/// Messages per send, receive or acknowledge call that reaches the vendor.
pub const MAX_BATCH: usize = 10;
/// Bytes in a message body.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest delay of a message.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// The longest visibility timeout, counted from the receive.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest that a receive waits for a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// One queue: messages wait in it, are lent to one receiver at a time, and leave it when they are acknowledged.
///
/// Delivery is at least once and in no promised order. A received message is invisible for the visibility timeout;
/// whoever does not acknowledge it in time loses it to the next receiver, with a receive count that is one higher.
/// A message received more than `max_receives` times goes to the dead letters instead of to a receiver.
#[async_trait]
pub trait Queue: Send + Sync {
    /// The queue's name.
    fn name(&self) -> &str;

    /// How long a receiver owns a message. Whoever is at work on one for longer shares it with the next.
    fn visibility_timeout(&self) -> Duration;

    /// Sends messages, at most [`MAX_BATCH`] of at most [`MAX_BODY`] bytes each, and returns when all of them are
    /// durable. All or nothing on one machine; in the cloud a part may have been sent when this fails, so the
    /// caller sends the same messages again and receivers tolerate a message twice. An empty list does nothing.
    async fn send(&self, messages: &[NewMessage]) -> PortResult<()>;

    /// Lends up to `max` messages (clamped to [`MAX_BATCH`]) to the caller, who owns them for the queue's
    /// visibility timeout. Answers at once: an empty list when nothing is visible; whoever polls waits between
    /// calls. Each lending raises the message's receive count.
    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>>;

    /// A receive for whoever has nothing else to do: where each call is paid for, the queue itself waits up to
    /// `patience` (clamped to [`MAX_WAIT`]) for a first message, and answers as soon as it comes. Where a call costs
    /// nothing it answers at once, like [`Queue::receive`], so the caller still waits between calls. See the call
    /// through: a message that is lent to one who has hung up comes back only when its visibility times out.
    async fn receive_patiently(&self, max: usize, _patience: Duration) -> PortResult<Vec<Delivery>> {
        self.receive(max).await
    }

    /// Deletes messages that were received. A receipt that is stale, because the visibility timeout passed and
    /// another receiver has the message, deletes nothing; a second acknowledgement does nothing. Neither is an
    /// error, since the caller could do nothing about it.
    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()>;

    /// Gives messages back, to be visible after `delay` (clamped to [`MAX_VISIBILITY`]), and keeps `reason` for
    /// whoever finds the message among the dead letters. The receive count stays as it is; a message whose receives are
    /// used up waits for nothing any more, and is a dead letter at once. Stale receipts are passed over.
    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()>;

    /// Moves a message that can never succeed to the dead letters, with the reason, whatever its receive count.
    /// A stale receipt is passed over.
    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()>;

    /// How much is in the queue. In the cloud these are estimates.
    async fn counts(&self) -> PortResult<Counts>;

    /// How long [`Queue::counts`] may take to show a change. Where a queue is on this machine they show it at once.
    fn counts_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Shows the dead letters without touching them, oldest first, at most `max`.
    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>>;

    /// Shows waiting messages without receiving them, next first, at most `max`.
    async fn peek(&self, max: usize) -> PortResult<Vec<Delivery>>;

    /// Sends every dead letter back with a receive count of zero, and says how many. A message that dies again
    /// meanwhile is not moved twice.
    async fn redrive(&self) -> PortResult<u64>;

    /// Deletes the dead letters, or (`everything`) all messages too, and says how many.
    async fn purge(&self, everything: bool) -> PortResult<u64>;
}

/// How a queue treats its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QueueSettings {
    /// How long a receiver owns a message. Lambda asks for six times the worker's time-out.
    pub visibility_timeout: Duration,
    /// A message that was received this often and not acknowledged becomes a dead letter. At least 1.
    pub max_receives: u32,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The body, by convention one JSON document.
    pub body: String,
    /// Before it becomes visible; at most [`MAX_DELAY`].
    pub delay: Duration,
}

impl NewMessage {
    /// A message that is visible at once.
    pub fn new(body: impl Into<String>) -> NewMessage {
        NewMessage { body: body.into(), delay: Duration::ZERO }
    }
}

/// A message on loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's own id of the message: the same on every receive.
    pub message_id: String,
    /// Proof of this loan: another one on every receive.
    pub receipt: Receipt,
    /// The body as sent.
    pub body: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// Proof that a message was received, and by which receive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// A message that was given up on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The id it had in the queue.
    pub message_id: String,
    /// The body as sent.
    pub body: String,
    /// How often it was received before.
    pub receive_count: u32,
    /// Why it is here, in words.
    pub reason: String,
    /// When it was moved here.
    pub died_at: Timestamp,
}

/// How much is in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Could be received now.
    pub visible: u64,
    /// On loan.
    pub in_flight: u64,
    /// Sent or given back with a delay that has not passed.
    pub delayed: u64,
    /// Given up on.
    pub dead: u64,
}

impl Counts {
    /// Everything that somebody still has to work on.
    pub fn unfinished(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// Checks messages against the limits of the port. Adapters call this before anything else.
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
