//! The state of a listener, for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of a listener in one process. It is stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerState {
    /// What it does now.
    #[serde(flatten)]
    pub status: ListenerStatus,
    /// Since when.
    pub since: Timestamp,
    /// How many times it has failed since it was last connected for a minute.
    pub failures: u32,
    /// Why it failed last, in the same period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a listener does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ListenerStatus {
    /// It establishes its connection.
    Connecting,
    /// Messages can arrive.
    Connected,
    /// It failed, and is started again at this time.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// Another host runs it.
    Standby,
}
