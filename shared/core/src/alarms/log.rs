//! Alarms in the log.

use async_trait::async_trait;

use crate::ports::{AlarmKind, AlarmMessage, AlarmSink};

/// Writes messages to the log. It never fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

#[async_trait]
impl AlarmSink for LogSink {
    async fn send(&self, message: &AlarmMessage) -> Result<(), String> {
        let (alarm, text, since) = (message.id.key(), &message.text, message.since);
        match message.kind {
            AlarmKind::Raised | AlarmKind::Reminder => tracing::error!(alarm, %since, "alarm: {text}"),
            AlarmKind::Cleared => tracing::warn!(alarm, %since, "alarm ended: {text}"),
        }
        Ok(())
    }
}
