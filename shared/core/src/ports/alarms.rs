//! The port of alarms: an operator is told of an outage once, reminded while it lasts, and told when it is over.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PortError, PortResult};

/// How long an operator hears nothing more of an outage that lasts.
pub const REMINDER: Duration = Duration::from_secs(60 * 60);

/// Names an alarm: what raises it, and what for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlarmId {
    /// A fleet, or a worker as `fleet/worker`.
    pub source: String,
    /// What is wrong, among the alarms of its source.
    pub name: String,
}

impl AlarmId {
    /// Creates an id from lower-case letters, digits, `-`, `.`, and in `source` one `/`.
    pub fn new(source: impl Into<String>, name: impl Into<String>) -> PortResult<AlarmId> {
        let id = AlarmId { source: source.into(), name: name.into() };
        let is_word = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
            !text.is_empty() && text.len() <= 100 && !text.starts_with('.') && text.bytes().all(allowed)
        };
        if id.source.split('/').count() > 2 || !id.source.split('/').all(is_word) || !is_word(&id.name) {
            return Err(PortError::Invalid(format!("'{}' of '{}' is not the name of an alarm", id.name, id.source)));
        }
        Ok(id)
    }

    /// Returns the id as one text, by which a store keeps its record.
    pub fn key(&self) -> String {
        format!("{}:{}", self.source, self.name)
    }
}

/// What is known of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmRecord {
    /// Which alarm.
    #[serde(flatten)]
    pub id: AlarmId,
    /// What is wrong, as of the last message.
    pub text: String,
    /// When the outage began.
    pub since: Timestamp,
    /// When the last message was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Timestamp>,
    /// The message that is being sent, or is to be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingMessage>,
    /// Why the last message did not reach every recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl AlarmRecord {
    /// Whether the outage lasts.
    pub fn is_open(&self) -> bool {
        self.cleared_at.is_none()
    }
}

/// A message that a process is sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingMessage {
    /// What it says.
    pub kind: AlarmKind,
    /// From when on another process sends it.
    pub until: Timestamp,
    /// How often it was sent in vain.
    #[serde(default)]
    pub failed: u32,
}

/// What a message says of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// It has begun.
    Raised,
    /// It lasts.
    Reminder,
    /// It is over.
    Cleared,
}

/// A message for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmMessage {
    /// What it says.
    pub kind: AlarmKind,
    /// Which alarm.
    #[serde(flatten)]
    pub id: AlarmId,
    /// One sentence that can be read alone.
    pub text: String,
    /// When the outage began.
    pub since: Timestamp,
    /// When the message was made.
    pub at: Timestamp,
    /// How long the outage has lasted.
    pub lasted_seconds: u64,
}

/// Raises alarms. Neither method waits longer than the recipients' time-outs, and only the first call of an outage and
/// one call an hour send anything, so a caller may raise an alarm as often as it sees the fault.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// Says that something is wrong. The first call of an outage sends a message, and the first one after each hour of
    /// it a reminder, of all processes together. A recipient that fails is no error.
    async fn raise(&self, id: &AlarmId, text: &str) -> PortResult<()>;

    /// Says that it is over. Sends a message that says how long it lasted, if it was raised.
    async fn clear(&self, id: &AlarmId) -> PortResult<()>;

    /// Returns the alarms that are open, the oldest first.
    async fn open(&self) -> PortResult<Vec<AlarmRecord>>;
}

/// Stores one [`AlarmRecord`] per alarm, with a version. There are as many records as alarms have names.
#[async_trait]
pub trait AlarmRecords: Send + Sync {
    /// Returns the record and its version, counted from 1; `None` if there is none.
    async fn load(&self, id: &AlarmId) -> PortResult<Option<(u64, AlarmRecord)>>;

    /// Stores `record` as the version after `version`, if `version` is still the stored one (0: there is none). Returns
    /// whether it was; if not, nothing has changed. Durable when it returns.
    async fn replace(&self, version: u64, record: &AlarmRecord) -> PortResult<bool>;

    /// Returns all records, in no order.
    async fn list(&self) -> PortResult<Vec<AlarmRecord>>;
}

/// Where messages go.
#[async_trait]
pub trait AlarmSink: Send + Sync {
    /// Sends a message. An error says in one line why it did not arrive, and contains no secret.
    async fn send(&self, message: &AlarmMessage) -> Result<(), String>;
}
