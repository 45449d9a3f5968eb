//! The receipt of a message, with what is needed to move the message to the dead letters.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stint_core::ports::Receipt;

/// A received message. SQS has no call that moves a message to the dead letters, so a caller that rejects a message
/// must send it there, and needs its content. The receipt carries it, because an invocation keeps nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReceivedMessage {
    /// SQS's own receipt handle.
    pub(super) handle: String,
    pub(super) message_id: String,
    pub(super) receive_count: u32,
    pub(super) body: String,
}

impl ReceivedMessage {
    /// Returns the messages of `receipts`, each once, because SQS refuses a batch that contains one twice. A receipt
    /// that this adapter did not create is ignored, like a stale one.
    pub(super) fn of(receipts: &[Receipt]) -> Vec<ReceivedMessage> {
        let mut seen = BTreeSet::new();
        let messages = receipts.iter().filter_map(|receipt| serde_json::from_str::<ReceivedMessage>(&receipt.0).ok());
        messages.filter(|message| seen.insert(message.handle.clone())).collect()
    }

    pub(super) fn receipt(&self) -> Receipt {
        // Text and numbers always convert to JSON. An empty receipt would be ignored.
        Receipt(serde_json::to_string(self).unwrap_or_default())
    }
}

/// Returns the receipt of a message that another receiver got from SQS: the event source mapping, which passes it to a
/// function.
pub fn receipt(handle: &str, message_id: &str, receive_count: u32, body: &str) -> Receipt {
    let (handle, message_id, body) = (handle.to_owned(), message_id.to_owned(), body.to_owned());
    ReceivedMessage { handle, message_id, receive_count, body }.receipt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_parsed_back() {
        let receipt = receipt("handle\"", "id", 3, "{\"id\": 7}");
        let messages =
            ReceivedMessage::of(&[Receipt(String::new()), receipt.clone(), receipt, Receipt("{\"handle\": 1}".into())]);
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((message.handle.as_str(), message.message_id.as_str()), ("handle\"", "id"));
        assert_eq!((message.receive_count, message.body.as_str()), (3, "{\"id\": 7}"));
    }
}
