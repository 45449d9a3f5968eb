//! Alarms by SNS.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use stint_core::ports::{AlarmKind, AlarmMessage, AlarmSink};

use crate::error::reason;

/// The longest subject in characters.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const LONGEST_SUBJECT: usize = 100;

/// Publishes messages to a topic: the text for people, and source, name and kind as attributes, by which a subscription
/// may filter.
pub struct SnsSink {
    client: Client,
    topic: String,
}

impl SnsSink {
    pub(crate) fn new(client: Client, topic: String) -> SnsSink {
        SnsSink { client, topic }
    }
}

#[async_trait]
impl AlarmSink for SnsSink {
    async fn send(&self, message: &AlarmMessage) -> Result<(), String> {
        let kind = match message.kind {
            AlarmKind::Raised => "raised",
            AlarmKind::Reminder => "reminder",
            AlarmKind::Cleared => "cleared",
        };
        let (source, name) = (&message.id.source, &message.id.name);
        // Ids are ASCII, as a subject must be.
        let subject: String = format!("Stint: {source} {name}: {kind}").chars().take(LONGEST_SUBJECT).collect();
        let mut publish = self.client.publish().topic_arn(&self.topic).subject(subject).message(&message.text);
        for (attribute, value) in [("source", source.as_str()), ("name", name), ("kind", kind)] {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            publish = publish.message_attributes(attribute, value.map_err(|error| error.to_string())?);
        }
        match publish.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the topic {} (SNS): {}", self.topic, reason(error))),
        }
    }
}
