//! One queue of SQS: its requests, and retries of the entries of a batch that failed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{BatchResultErrorEntry, Message, MessageSystemAttributeName, QueueAttributeName};
use stint_core::clock::Clock;
use stint_core::ports::{MAX_BATCH, PortError, PortResult};
use tokio::sync::OnceCell;

use super::batch::{Failures, batches};
use super::dead_letter::OutgoingMessage;
use super::entries::{self, entries, seconds};
use crate::account::timeouts;
use crate::error::port_error;

/// How many times an entry is tried that fails through a fault of SQS. Whole requests are retried by the SDK.
const TRIES: u32 = 3;

/// The wait before the second attempt; it is twice as long before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// The address of a queue, and the client to call it with.
pub(super) struct Sqs {
    client: Client,
    name: String,
    /// Requested once, by the first call.
    url: OnceCell<String>,
    clock: Arc<dyn Clock>,
}

/// The estimated number of messages, by state.
pub(super) struct Estimate {
    pub(super) visible: u64,
    pub(super) in_flight: u64,
    pub(super) delayed: u64,
}

impl Estimate {
    pub(super) fn all(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

impl Sqs {
    pub(super) fn new(client: Client, name: String, clock: Arc<dyn Clock>) -> Sqs {
        Sqs { client, name, url: OnceCell::new(), clock }
    }

    /// Sends messages, in as many requests as needed.
    pub(super) async fn send(&self, messages: &[OutgoingMessage]) -> PortResult<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let (url, context) = (self.url().await?, &self.context("send to"));
        let request = |indexes: Vec<usize>| async move {
            let entries = entries(&indexes, |index| entries::send(index, &messages[index]))?;
            let call = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
            call.send().await.map(|answer| answer.failed).map_err(|error| port_error(context, error))
        };
        self.each(context, false, messages.iter().map(OutgoingMessage::size), request).await.map(drop)
    }

    /// Receives up to `max` messages (at most ten) and hides them for `visibility`. Waits up to `wait` for the first of
    /// them. Only with a wait are all servers of the queue queried.
    pub(super) async fn receive(&self, max: usize, visibility: Duration, wait: Duration) -> PortResult<Vec<Message>> {
        let call = self
            .client
            .receive_message()
            .queue_url(self.url().await?)
            .max_number_of_messages(max.min(MAX_BATCH) as i32)
            .visibility_timeout(seconds(visibility))
            .wait_time_seconds(seconds(wait))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All");
        // The time-out must include the requested wait.
        let call = call.customize().config_override(aws_sdk_sqs::config::Builder::new().timeout_config(timeouts(wait)));
        let answer = call.send().await.map_err(|error| port_error(self.context("receive from"), error))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes messages by their receipt handles. Stale ones are ignored.
    pub(super) async fn delete(&self, handles: &[&str]) -> PortResult<()> {
        if handles.is_empty() {
            return Ok(());
        }
        let (url, context) = (self.url().await?, &self.context("delete from"));
        let request = |indexes: Vec<usize>| async move {
            let entries = entries(&indexes, |index| entries::delete(index, handles[index]))?;
            let call = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
            call.send().await.map(|answer| answer.failed).map_err(|error| port_error(context, error))
        };
        self.each(context, true, handles.iter().map(|_| 0), request).await.map(drop)
    }

    /// Makes received messages visible after `delay`. Returns the indexes of stale handles.
    pub(super) async fn hide(&self, handles: &[&str], delay: Duration) -> PortResult<Vec<usize>> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let (url, context) = (self.url().await?, &self.context("change the visibility in"));
        let request = |indexes: Vec<usize>| async move {
            let entries = entries(&indexes, |index| entries::hide(index, handles[index], delay))?;
            let call = self.client.change_message_visibility_batch().queue_url(url).set_entries(Some(entries));
            call.send().await.map(|answer| answer.failed).map_err(|error| port_error(context, error))
        };
        self.each(context, true, handles.iter().map(|_| 0), request).await
    }

    /// Returns the number of messages. SQS is correct about it after a minute or so.
    pub(super) async fn estimate(&self) -> PortResult<Estimate> {
        use QueueAttributeName as Name;
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.client.get_queue_attributes().queue_url(self.url().await?);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await;
        let attributes =
            answer.map_err(|error| port_error(self.context("count"), error))?.attributes.unwrap_or_default();
        let [visible, in_flight, delayed] =
            names.map(|name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0));
        Ok(Estimate { visible, in_flight, delayed })
    }

    /// Deletes all messages. SQS allows this at most once a minute, and takes up to a minute to do it.
    pub(super) async fn purge(&self) -> PortResult<()> {
        let purged = self.client.purge_queue().queue_url(self.url().await?).send().await;
        purged.map(drop).map_err(|error| match error {
            SdkError::ServiceError(error) if error.err().is_purge_queue_in_progress() => PortError::Backend {
                context: self.context("purge"),
                reason: "it was purged less than a minute ago; SQS allows it again after that".to_owned(),
            },
            error => port_error(self.context("purge"), error),
        })
    }

    async fn url(&self) -> PortResult<&str> {
        let ask = || async {
            let answer = self.client.get_queue_url().queue_name(&self.name).send().await;
            let url = answer.map_err(|error| match &error {
                SdkError::ServiceError(answer) if answer.err().is_queue_does_not_exist() => {
                    PortError::Missing(format!("queue '{}'", self.name))
                }
                _ => port_error(self.context("find"), error),
            });
            let url = url?.queue_url;
            url.ok_or_else(|| PortError::backend(self.context("find"), "SQS answered without an address"))
        };
        self.url.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Makes a request for each batch, and repeats it for the entries that fail through a fault of SQS. Returns the
    /// indexes of stale receipts.
    async fn each<R, F>(
        &self,
        context: &str,
        receipts: bool,
        sizes: impl ExactSizeIterator<Item = usize>,
        request: R,
    ) -> PortResult<Vec<usize>>
    where
        R: Fn(Vec<usize>) -> F,
        F: Future<Output = PortResult<Vec<BatchResultErrorEntry>>>,
    {
        let (count, mut stale) = (sizes.len(), Vec::new());
        for batch in batches(sizes) {
            let mut open: Vec<usize> = batch.collect();
            for round in 1.. {
                let mut failures = Failures::of(&request(open).await?, receipts);
                stale.append(&mut failures.stale);
                if failures.passing.is_empty() && failures.refused.is_empty() {
                    break;
                }
                if round == TRIES || !failures.refused.is_empty() {
                    return Err(PortError::Backend { context: context.to_owned(), reason: failures.reason(count) });
                }
                self.clock.sleep(PAUSE * round).await;
                open = failures.passing;
            }
        }
        Ok(stale)
    }

    fn context(&self, what: &str) -> String {
        format!("{what} queue '{}'", self.name)
    }
}
