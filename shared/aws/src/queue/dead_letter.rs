//! The form of a dead letter in its queue.
//!
//! A message that this adapter moves to the dead letters carries what the port needs in its attributes. A message that
//! SQS moved by the queue's redrive policy carries nothing: it was received as many times as the policy allows, and
//! keeps its id and the time when it was sent.

use std::collections::HashMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use jiff::Timestamp;
use stint_core::clock::from_millis;
use stint_core::ports::DeadLetter;

use super::batch::MAX_BATCH_BYTES;
use super::receipt::ReceivedMessage;

const MESSAGE_ID: &str = "stint-message-id";
const RECEIVES: &str = "stint-receives";
const REASON: &str = "stint-reason";

/// The longest reason in bytes. It is for people, and must leave room for the body.
const MAX_REASON: usize = 2_048;

/// A message to send, with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OutgoingMessage {
    pub(super) body: String,
    pub(super) delay_seconds: i32,
    pub(super) attributes: Vec<(&'static str, String)>,
}

impl OutgoingMessage {
    /// Creates an ordinary message.
    pub(super) fn new(body: String, delay_seconds: i32) -> OutgoingMessage {
        OutgoingMessage { body, delay_seconds, attributes: Vec::new() }
    }

    /// Creates the dead letter of a received message. If the body leaves no room for the attributes they are left out:
    /// losing the reason is better than not being able to move the message.
    pub(super) fn dead_letter(received_message: &ReceivedMessage, reason: &str) -> OutgoingMessage {
        let attributes = vec![
            (MESSAGE_ID, received_message.message_id.clone()),
            (RECEIVES, received_message.receive_count.to_string()),
            (REASON, attribute_value(reason)),
        ];
        let message = OutgoingMessage { body: received_message.body.clone(), delay_seconds: 0, attributes };
        if message.size() <= MAX_BATCH_BYTES { message } else { OutgoingMessage::new(message.body, 0) }
    }

    /// Returns the size that SQS counts: the body, and the name, type and value of each attribute.
    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// Converts a received message to a dead letter. `max_receives` is that of its original queue.
pub(super) fn parse_dead_letter(message: Message, max_receives: u32) -> DeadLetter {
    let dead_lettered_at = sent_at(&message).unwrap_or(Timestamp::UNIX_EPOCH);
    let attributes = message.message_attributes.unwrap_or_default();
    let receive_count = text(&attributes, RECEIVES).and_then(|count| count.parse().ok()).unwrap_or(max_receives);
    let unexplained = || format!("received {receive_count} times, and never acknowledged");
    DeadLetter {
        message_id: text(&attributes, MESSAGE_ID).or(message.message_id).unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        reason: text(&attributes, REASON).unwrap_or_else(unexplained),
        receive_count,
        dead_lettered_at,
    }
}

/// Returns when SQS accepted the message.
pub(super) fn sent_at(message: &Message) -> Option<Timestamp> {
    system(message, &MessageSystemAttributeName::SentTimestamp)?.parse().ok().map(from_millis)
}

/// Returns a system attribute in SQS's format.
pub(super) fn system<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> Option<&'a str> {
    message.attributes.as_ref()?.get(name).map(String::as_str)
}

fn text(attributes: &HashMap<String, MessageAttributeValue>, name: &str) -> Option<String> {
    attributes.get(name)?.string_value.clone()
}

/// Returns the reason as a valid attribute value. SQS accepts no empty value, and no control characters except tab and
/// line ends, and a reason may contain any of these because it quotes other sources.
fn attribute_value(reason: &str) -> String {
    let end = reason.floor_char_boundary(MAX_REASON);
    let allowed = |char: char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    let text: String = reason[..end].chars().map(|char| if allowed(char) { char } else { ' ' }).collect();
    if text.trim().is_empty() { "no reason given".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received_message(body: &str) -> ReceivedMessage {
        ReceivedMessage { handle: "handle".into(), message_id: "id".into(), receive_count: 2, body: body.into() }
    }

    /// Returns the sent message as SQS delivers it.
    fn received(sent: &OutgoingMessage) -> Message {
        let attribute =
            |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
        let mut message = Message::builder()
            .message_id("new id")
            .body(&sent.body)
            .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000123");
        for (name, value) in &sent.attributes {
            message = message.message_attributes(*name, attribute(value));
        }
        message.build()
    }

    #[test]
    fn a_dead_lettered_message_carries_its_reason() {
        let dead = parse_dead_letter(
            received(&OutgoingMessage::dead_letter(&received_message("body"), "field 'id' is missing")),
            5,
        );
        assert_eq!((dead.message_id.as_str(), dead.body.as_str(), dead.receive_count), ("id", "body", 2));
        assert_eq!(
            (dead.reason.as_str(), dead.dead_lettered_at),
            ("field 'id' is missing", from_millis(1_700_000_000_123))
        );
    }

    #[test]
    fn a_message_that_sqs_moved_was_received_as_often_as_allowed() {
        let dead = parse_dead_letter(received(&OutgoingMessage::new("body".into(), 0)), 5);
        assert_eq!((dead.message_id.as_str(), dead.receive_count), ("new id", 5));
        assert!(dead.reason.contains("received 5 times"), "{}", dead.reason);
    }

    #[test]
    fn no_reason_prevents_dead_lettering() {
        let full = OutgoingMessage::dead_letter(&received_message(&"x".repeat(MAX_BATCH_BYTES)), "why");
        assert_eq!((full.size(), full.attributes.len()), (MAX_BATCH_BYTES, 0));
        let reasons = ["", "\u{1b}[31mred\u{0}", &"ß".repeat(MAX_REASON)];
        for reason in reasons {
            let text = attribute_value(reason);
            assert!(!text.is_empty() && text.len() <= MAX_REASON, "{text}");
            assert!(!text.contains(['\u{1b}', '\u{0}']), "{text}");
        }
    }
}
