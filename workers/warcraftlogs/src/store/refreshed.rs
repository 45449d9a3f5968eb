//! What became of the latest refreshes, for a person who waits for one.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use super::DropReason;
use crate::model::PlayerId;
use crate::whom::Whom;

/// How long an answer is kept: longer than a person waits for it. There are never more of them than an hour's points pay
/// for.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(60 * 60);

/// What became of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshAnswer {
    /// The player as it was asked for: by id or by name.
    pub whom: Whom,
    /// When the upstream answered.
    pub at: Timestamp,
    /// What it answered.
    pub result: Refreshed,
}

/// What the upstream answered to a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refreshed {
    /// Ranks, which are stored under this id.
    Ranked(PlayerId),
    /// That there will never be any.
    Dropped(DropReason),
    /// That it does not take the question, and why.
    Refused(String),
}

/// The answers to refreshes of the last hour. Nothing depends on them but a person's patience.
#[async_trait]
pub trait RefreshAnswers: Send + Sync {
    /// Keeps answers, each in place of an earlier one about the same player, and forgets those that are older than
    /// [`ANSWERS_KEPT`]. The same twice changes nothing.
    async fn keep_answers(&self, answers: &[RefreshAnswer]) -> PortResult<()>;

    /// Returns the latest answer about a player who was asked for like this.
    async fn answer(&self, whom: &Whom) -> PortResult<Option<RefreshAnswer>>;
}

/// A player's key: no name has a line break.
pub(super) fn key(whom: &Whom) -> String {
    match whom {
        Whom::Id(id) => id.to_string(),
        Whom::Named(named) => [named.region(), named.server(), named.name()].join("\n"),
    }
}
