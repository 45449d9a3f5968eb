//! Discovered players: the standing backlog, and which of its players are due.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::before;
use stint_core::ports::PortResult;

use super::Page;
use crate::model::{PlayerId, RaidsToScrap};

/// After this no queue can still have a message: the longest retention of SQS.
/// docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const LONGEST_WAIT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// One document of the `discovers` collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discovered {
    /// The player.
    #[serde(rename = "_id")]
    pub id: PlayerId,
    /// The raids and difficulties in which it was discovered.
    pub raids_to_scrap: RaidsToScrap,
}

/// The thresholds that separate players who are due from those who are not.
///
/// A discovered player is *waiting* if it was queued after `forgotten_at` and not fetched since. Otherwise it is
/// *fresh* if it was fetched after `stale_at` and nothing is missing: it was dropped, or its ranks cover everything
/// that it was discovered in. It is also fresh, however long ago that was, if all of that is frozen and was fetched
/// since. Every other player is *due*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Ranks fetched at this instant or before are stale.
    pub stale_at: Timestamp,
    /// A message sent at this instant or before is in no queue any more.
    pub forgotten_at: Timestamp,
}

impl Freshness {
    /// The thresholds at `now`: ranks are stale when `refresh_after` has passed since they were fetched.
    pub fn at(now: Timestamp, refresh_after: Duration) -> Freshness {
        Freshness { stale_at: before(now, refresh_after), forgotten_at: before(now, LONGEST_WAIT) }
    }
}

/// A player who is due, in a compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The player.
    pub id: PlayerId,
    /// When it was last ranked or dropped; `None` if never.
    pub fetched_at: Option<Timestamp>,
}

/// Number of discovered players of each kind; [`Freshness`] defines the kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// To be queued, including undecodable documents.
    pub due: u64,
    /// Queued already, and not fetched since.
    pub waiting: u64,
    /// Due once their ranks are old enough.
    pub fresh: u64,
}

/// Players that were discovered. They stay here until they are queued.
#[async_trait]
pub trait Discovers: Send + Sync {
    /// Merges what was seen into what is stored, all in one round trip. Idempotent.
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()>;

    /// At most `max` documents with an id above `after`.
    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>>;

    /// At most `max` players who are due, with an id above `after`, in the order of their ids. A page may have fewer
    /// players, or none, and still have a successor.
    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>>;

    /// The documents of these players, in any order and on one page. Players without a document are left out.
    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>>;

    /// The same players without what is frozen and was fetched since ([`Zones`](super::Zones)), in the same order: what
    /// to request. A player with nothing left is not due.
    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>>;

    /// Marks players as sent, all or nothing. It deletes those documents that are
    /// still identical to what was sent, so that a document that was merged into meanwhile survives, and records for
    /// all of the players that they were queued at `queued_at`. Idempotent.
    async fn mark_sent(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()>;

    /// Marks no player as waiting any more, because the queue's messages were deleted.
    async fn forget_queued(&self) -> PortResult<()>;

    /// Number of documents.
    async fn count(&self) -> PortResult<u64>;

    /// Number of players who are due, waiting and fresh.
    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog>;
}
