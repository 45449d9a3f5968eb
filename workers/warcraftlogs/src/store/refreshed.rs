//! Results of the latest refreshes, for a person who waits for one.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use super::DropReason;
use crate::model::PlayerId;
use crate::player_ref::PlayerRef;

/// How long a result is stored: longer than a person waits for it. There are never more results than an hour's points
/// pay for.
pub const RESULTS_KEPT: Duration = Duration::from_secs(60 * 60);

/// The result of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshResult {
    /// The player as it was requested: by id or by name.
    pub player_ref: PlayerRef,
    /// When the upstream responded.
    pub at: Timestamp,
    /// The upstream's response.
    pub result: RefreshOutcome,
}

/// The upstream's response to a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshOutcome {
    /// Ranks, which are stored under this id.
    Ranked(PlayerId),
    /// There will never be ranks.
    Dropped(DropReason),
    /// The upstream refuses the request, and why.
    Refused(String),
}

/// The results of the last hour's refreshes. They are used only to inform a person who waits.
#[async_trait]
pub trait RefreshResults: Send + Sync {
    /// Stores results, each in place of an earlier one about the same player, and deletes those older than
    /// [`RESULTS_KEPT`]. Idempotent.
    async fn store_results(&self, results: &[RefreshResult]) -> PortResult<()>;

    /// Returns the latest result for a player who was requested in this way.
    async fn latest_result(&self, player_ref: &PlayerRef) -> PortResult<Option<RefreshResult>>;
}

/// A player's key: no name contains a line break.
pub(super) fn key(player_ref: &PlayerRef) -> String {
    match player_ref {
        PlayerRef::Id(id) => id.to_string(),
        PlayerRef::Named(named) => [named.region(), named.server(), named.name()].join("\n"),
    }
}
