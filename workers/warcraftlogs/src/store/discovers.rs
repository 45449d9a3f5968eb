//! Players that were discovered: the standing backlog, and who of it is due.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::before;
use stint_core::ports::PortResult;

use super::Page;
use crate::model::{PlayerId, RaidsToScrap};

/// After this no queue has a message any more: the longest retention of SQS.
/// docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const LONGEST_WAIT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// One document of the `discovers` collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discovered {
    /// The player.
    #[serde(rename = "_id")]
    pub id: PlayerId,
    /// What it was seen in.
    pub raids_to_scrap: RaidsToScrap,
}

/// Where the line is drawn between those who are due and those who are not.
///
/// A discovered player is *waiting* when it was queued after `forgotten_at` and not fetched since. Otherwise it is
/// *fresh* when it was fetched after `stale_at` and nothing is missing: it was dropped, or its ranks cover everything
/// that it was discovered in. It is also fresh, however long ago that was, when all of that is frozen and was fetched since.
/// Everybody else is *due*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Ranks that were fetched at this instant or before are stale.
    pub stale_at: Timestamp,
    /// A message that was sent at this instant or before is in no queue any more.
    pub forgotten_at: Timestamp,
}

impl Freshness {
    /// At `now`, ranks are stale `refresh_after` they were fetched.
    pub fn at(now: Timestamp, refresh_after: Duration) -> Freshness {
        Freshness { stale_at: before(now, refresh_after), forgotten_at: before(now, LONGEST_WAIT) }
    }
}

/// A player who is due, in little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The player.
    pub id: PlayerId,
    /// When it was ranked or dropped last; `None` if it never was.
    pub fetched_at: Option<Timestamp>,
}

/// How many discovered players there are of each kind; [`Freshness`] says which is which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// To be queued, damaged documents included.
    pub due: u64,
    /// Queued already, and not fetched since.
    pub waiting: u64,
    /// Due when their ranks have reached the age.
    pub fresh: u64,
}

/// Players that were discovered, and stay until they are queued.
#[async_trait]
pub trait Discovers: Send + Sync {
    /// Merges what was seen into what is known, all in one round trip. The same twice changes nothing.
    async fn merge(&self, seen: &[Discovered]) -> PortResult<()>;

    /// At most `max` documents with an id above `after`.
    async fn page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Discovered, PlayerId>>;

    /// At most `max` players who are due, with an id above `after`, in the order of their ids. A page may have fewer,
    /// or none, and a successor all the same.
    async fn due(&self, after: Option<PlayerId>, max: usize, freshness: &Freshness) -> PortResult<Page<Due, PlayerId>>;

    /// The documents of these players, in any order and on one page. Whoever has none is left out.
    async fn get(&self, ids: &[PlayerId]) -> PortResult<Page<Discovered, PlayerId>>;

    /// The same players without what is frozen and was fetched since ([`Zones`](super::Zones)), in the same order: what to ask
    /// for. Somebody of whom nothing is left is not due.
    async fn still_wanted(&self, players: &[Discovered]) -> PortResult<Vec<Discovered>>;

    /// Ends the hand-over of players whose messages were sent, all or nothing: deletes those documents that still say
    /// exactly this, so that one that was merged into meanwhile survives, and remembers for all of them that they
    /// were queued at `queued_at`. The same twice changes nothing.
    async fn hand_over(&self, sent: &[Discovered], queued_at: Timestamp) -> PortResult<()>;

    /// Nobody waits any more: the queue's messages were deleted.
    async fn forget_queued(&self) -> PortResult<()>;

    /// How many documents there are.
    async fn count(&self) -> PortResult<u64>;

    /// How many players are due, waiting and fresh.
    async fn backlog(&self, freshness: &Freshness) -> PortResult<Backlog>;
}
