//! The entries of batch requests. An entry's id is its index, by which SQS identifies it if it fails.

use std::time::Duration;

use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
    SendMessageBatchRequestEntry,
};
use stint_core::ports::{PortError, PortResult};

use super::dead_letter::OutgoingMessage;

/// Returns the entries at these indexes, each created by `make`.
pub(super) fn entries<T>(indexes: &[usize], make: impl Fn(usize) -> Result<T, BuildError>) -> PortResult<Vec<T>> {
    let entries: Result<Vec<T>, BuildError> = indexes.iter().map(|index| make(*index)).collect();
    entries.map_err(|error| PortError::backend("make a batch for SQS", error))
}

pub(super) fn send(index: usize, message: &OutgoingMessage) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&message.body);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
        entry = entry.message_attributes(*name, value);
    }
    entry.delay_seconds(message.delay_seconds).build()
}

pub(super) fn delete(index: usize, handle: &str) -> Result<DeleteMessageBatchRequestEntry, BuildError> {
    DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build()
}

pub(super) fn hide(
    index: usize,
    handle: &str,
    delay: Duration,
) -> Result<ChangeMessageVisibilityBatchRequestEntry, BuildError> {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle);
    entry.visibility_timeout(seconds(delay)).build()
}

/// Returns whole seconds, the unit of SQS, rounded up so that nothing becomes visible too early.
pub(super) fn seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        let cases = [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)];
        for (millis, expected) in cases {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis} ms");
        }
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn an_entry_is_known_by_its_index() {
        let message = OutgoingMessage {
            attributes: vec![("stint-reason", "why".into())],
            ..OutgoingMessage::new("body".into(), 7)
        };
        let entries = entries(&[4, 9], |index| send(index, &message)).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["4", "9"]);
        assert_eq!((entries[0].message_body.as_str(), entries[0].delay_seconds), ("body", Some(7)));
        assert_eq!(entries[0].message_attributes.as_ref().map(|attributes| attributes.len()), Some(1));
    }
}
