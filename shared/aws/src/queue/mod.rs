//! The queue port on Amazon SQS standard queues.
//!
//! What may happen between any two lines:
//! * The process exits after a message was sent to the dead letters and before it is deleted here: it is received again
//!   and dead-lettered again. It then appears twice among the dead letters, and a redrive sends it twice, which
//!   receivers tolerate.
//! * The visibility timeout of a message ends while it is being dead-lettered: the move begins by extending the
//!   timeout, which fails for a stale receipt. After that no other receiver gets the message for [`DEAD_LETTERING_TIME`].
//! * The process exits during a redrive, between its send and its delete: the message is in both queues, and is
//!   redriven again.
//! * The process exits while it lists the dead letters: they are hidden from others for [`LISTING_TIME`].

mod batch;
mod dead_letter;
mod entries;
mod receipt;
mod sqs;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use stint_core::clock::Clock;
use stint_core::ports::{
    Counts, DeadLetter, Delivery, MAX_VISIBILITY, MAX_WAIT, NewMessage, PortError, PortResult, Queue, QueueSettings,
    Receipt, validate,
};

pub use receipt::receipt;

use dead_letter::{OutgoingMessage, parse_dead_letter, sent_at, system};
use entries::seconds;
use receipt::ReceivedMessage;
use sqs::Sqs;

/// How long a message that is being dead-lettered is hidden: enough for two requests with their retries.
const DEAD_LETTERING_TIME: Duration = Duration::from_secs(60);

/// How long listing or redriving dead letters hides them from other callers.
const LISTING_TIME: Duration = Duration::from_secs(60);

/// How long a list waits for dead letters. A receive that waits queries all servers of a queue, so an empty result
/// means that there are none.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const LISTING_WAIT: Duration = Duration::from_secs(1);

/// How long after senders, receivers and schedules have stopped the counts are correct.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
const COUNTS_LAG: Duration = Duration::from_secs(60);

/// A queue of SQS, and the queue of its dead letters, to which its redrive policy must point.
///
/// It differs from the embedded queue in four ways, because SQS has no equivalent:
/// * `peek` is refused: SQS shows a message only by receiving it, which raises its receive count.
/// * Only the last `release` keeps its reason, because it moves the message to the dead letters. A message that becomes
///   a dead letter without having been released has no reason.
/// * `dead_letters` shows any `max` of them, ordered by the time at which they were moved. For a message that SQS
///   itself moved, that time is when it was sent.
/// * `purge` of everything uses SQS's own purge, which is allowed once a minute. The returned number of messages is
///   SQS's estimate.
pub struct SqsQueue {
    name: String,
    settings: QueueSettings,
    clock: Arc<dyn Clock>,
    live: Sqs,
    dead: Sqs,
}

impl SqsQueue {
    /// Creates the queue `name`; `names` are the names of the queue and of its dead letters in SQS.
    pub(crate) fn new(
        client: Client,
        name: &str,
        names: (String, String),
        settings: QueueSettings,
        clock: Arc<dyn Clock>,
    ) -> SqsQueue {
        let live = Sqs::new(client.clone(), names.0, clock.clone());
        let dead = Sqs::new(client, names.1, clock.clone());
        SqsQueue { name: name.to_owned(), settings, clock, live, dead }
    }

    fn max_receives(&self) -> u32 {
        self.settings.max_receives.max(1)
    }

    /// Moves received messages to the dead letters. Stale receipts are ignored.
    async fn dead_letter(&self, received: &[(ReceivedMessage, String)]) -> PortResult<()> {
        let handles: Vec<&str> = received.iter().map(|(message, _)| message.handle.as_str()).collect();
        let stale = self.live.hide(&handles, DEAD_LETTERING_TIME).await?;
        let ours = || (0..received.len()).filter(|index| !stale.contains(index));
        let messages: Vec<OutgoingMessage> =
            ours().map(|index| OutgoingMessage::dead_letter(&received[index].0, &received[index].1)).collect();
        let handles: Vec<&str> = ours().map(|index| handles[index]).collect();
        self.dead.send(&messages).await?;
        self.live.delete(&handles).await
    }

    /// Receives dead letters until there are `max` or no more arrive.
    async fn list_dead_letters(&self, max: usize, seen: &mut Vec<Message>) -> PortResult<()> {
        let expected = self.dead.estimate().await?.visible.max(1) as usize;
        while seen.len() < max.min(expected) {
            let batch = self.dead.receive(max - seen.len(), LISTING_TIME, LISTING_WAIT).await?;
            if batch.is_empty() {
                break;
            }
            seen.extend(batch);
        }
        Ok(())
    }

    /// Removes the dead letters, batch by batch, and sends them to their original queue if `back` is set. Returns how
    /// many there were. A dead letter that another caller is listing stays.
    async fn take_dead_letters(&self, back: bool) -> PortResult<u64> {
        // No more than there are now, so that a message that becomes a dead letter again meanwhile is not moved twice.
        let expected = self.dead.estimate().await?.visible.max(1);
        let mut taken = 0;
        while taken < expected {
            let batch = self.dead.receive((expected - taken) as usize, LISTING_TIME, LISTING_WAIT).await?;
            if batch.is_empty() {
                break;
            }
            if back {
                let bodies = batch.iter().filter_map(|message| message.body.clone());
                self.live.send(&bodies.map(|body| OutgoingMessage::new(body, 0)).collect::<Vec<_>>()).await?;
            }
            let handles: Vec<&str> = batch.iter().filter_map(|message| message.receipt_handle.as_deref()).collect();
            self.dead.delete(&handles).await?;
            taken += batch.len() as u64;
        }
        Ok(taken)
    }

    /// Receives messages, waiting up to `wait` for the first of them.
    async fn receive_messages(&self, max: usize, wait: Duration) -> PortResult<Vec<Delivery>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let received = self.live.receive(max, self.visibility_timeout(), wait).await?;
        Ok(received.into_iter().map(|message| self.deliver(message)).collect())
    }

    fn deliver(&self, message: Message) -> Delivery {
        let count = system(&message, &MessageSystemAttributeName::ApproximateReceiveCount);
        let receive_count = count.and_then(|count| count.parse().ok()).unwrap_or(1);
        let sent_at = sent_at(&message).unwrap_or_else(|| self.clock.now());
        let message = ReceivedMessage {
            handle: message.receipt_handle.unwrap_or_default(),
            message_id: message.message_id.unwrap_or_default(),
            receive_count,
            body: message.body.unwrap_or_default(),
        };
        let receipt = message.receipt();
        Delivery { message_id: message.message_id, receipt, body: message.body, receive_count, sent_at }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    fn name(&self) -> &str {
        &self.name
    }

    fn visibility_timeout(&self) -> Duration {
        self.settings.visibility_timeout.min(MAX_VISIBILITY)
    }

    async fn send(&self, messages: &[NewMessage]) -> PortResult<()> {
        validate(messages)?;
        let outgoing = |message: &NewMessage| OutgoingMessage::new(message.body.clone(), seconds(message.delay));
        let messages: Vec<OutgoingMessage> = messages.iter().map(outgoing).collect();
        self.live.send(&messages).await
    }

    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>> {
        self.receive_messages(max, Duration::ZERO).await
    }

    async fn receive_patiently(&self, max: usize, patience: Duration) -> PortResult<Vec<Delivery>> {
        self.receive_messages(max, patience.min(MAX_WAIT)).await
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()> {
        let messages = ReceivedMessage::of(receipts);
        let handles: Vec<&str> = messages.iter().map(|message| message.handle.as_str()).collect();
        self.live.delete(&handles).await
    }

    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()> {
        let is_used_up = |message: &ReceivedMessage| message.receive_count >= self.max_receives();
        let (used_up, returning): (Vec<ReceivedMessage>, Vec<ReceivedMessage>) =
            ReceivedMessage::of(receipts).into_iter().partition(is_used_up);
        // SQS counts the longest visibility from the receive, which was at most one visibility timeout ago.
        let longest = MAX_VISIBILITY.saturating_sub(self.settings.visibility_timeout);
        let handles: Vec<&str> = returning.iter().map(|message| message.handle.as_str()).collect();
        self.live.hide(&handles, delay.min(longest)).await?;
        let with_reason = |message: ReceivedMessage| {
            let reason = format!("received {} times; last error: {reason}", message.receive_count);
            (message, reason)
        };
        self.dead_letter(&used_up.into_iter().map(with_reason).collect::<Vec<_>>()).await
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()> {
        let messages = ReceivedMessage::of(std::slice::from_ref(receipt));
        self.dead_letter(&messages.into_iter().map(|message| (message, reason.to_owned())).collect::<Vec<_>>()).await
    }

    async fn counts(&self) -> PortResult<Counts> {
        let (live, dead) = futures::try_join!(self.live.estimate(), self.dead.estimate())?;
        // To SQS, a message that was released with a delay is in flight.
        Ok(Counts { visible: live.visible, in_flight: live.in_flight, delayed: live.delayed, dead_letters: dead.all() })
    }

    fn counts_lag(&self) -> Duration {
        COUNTS_LAG
    }

    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>> {
        let mut seen = Vec::new();
        let listed = self.list_dead_letters(max, &mut seen).await;
        // Also after a failure part-way: other callers need to see them too.
        let handles: Vec<&str> = seen.iter().filter_map(|message| message.receipt_handle.as_deref()).collect();
        self.dead.hide(&handles, Duration::ZERO).await?;
        listed?;
        let mut dead: Vec<DeadLetter> =
            seen.into_iter().map(|message| parse_dead_letter(message, self.max_receives())).collect();
        dead.sort_by_key(|dead| dead.dead_lettered_at);
        Ok(dead)
    }

    async fn peek(&self, _: usize) -> PortResult<Vec<Delivery>> {
        let why = "SQS shows a message only by receiving it, which counts as a failure; look at its counts instead";
        Err(PortError::Invalid(format!("queue '{}': {why}", self.name)))
    }

    async fn redrive(&self) -> PortResult<u64> {
        self.take_dead_letters(true).await
    }

    async fn purge(&self, everything: bool) -> PortResult<u64> {
        let dead = self.take_dead_letters(false).await?;
        if !everything {
            return Ok(dead);
        }
        let live = self.live.estimate().await?.all();
        // Only called if there is something to delete, because after a useless call SQS would refuse the next one for a
        // minute.
        if live > 0 {
            self.live.purge().await?;
        }
        Ok(dead + live)
    }
}
