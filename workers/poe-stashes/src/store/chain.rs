//! The position of the chain, and the pages that are not stored yet: two separate facts in one record.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::is_pending;
use stint_core::ports::PortResult;

use crate::look_ahead::Source;
use crate::model::ChangeId;

/// The progress of a chain.
///
/// Every page before `position` is stored, `open`, or `lost`. The write that moves the position past a page also adds
/// the page to `open`. A page is removed from `open` only when its blob is durable and its message is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The id of the next request. `None`: the chain was never started.
    pub position: Option<ChangeId>,
    /// When the position became known.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Pages that were requested and are not stored yet, oldest first.
    #[serde(default)]
    pub open: Vec<OpenPage>,
    /// The number of pages whose header must still be right before the header is used again: it was wrong about one.
    #[serde(default)]
    pub header_doubts: u32,
    /// Whether the last answer was the end of the river.
    #[serde(default)]
    pub at_tail: bool,
    /// Totals since the start.
    #[serde(default)]
    pub totals: Totals,
    /// The newest pages that were given up.
    #[serde(default)]
    pub lost: Vec<GivenUp>,
    /// Why the chain is stopped until an operator resumes it.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// The state of the pacer, as the client wrote it.
    #[serde(default)]
    pub pace: Option<serde_json::Value>,
}

/// A page that is not stored yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded")]
pub struct OpenPage {
    /// Its id.
    pub id: ChangeId,
    /// The next id with which the chain continued. The stored page's next id must be at least as far; otherwise the
    /// edits between are in no page. `None`: the chain did not continue from this page.
    #[serde(rename = "led_to")]
    pub continued_at: Option<ChangeId>,
}

/// An open page in the current format of the record or in an older one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recorded {
    Page {
        id: ChangeId,
        #[serde(rename = "led_to")]
        continued_at: Option<ChangeId>,
    },
    Id(ChangeId),
}

impl From<Recorded> for OpenPage {
    fn from(recorded: Recorded) -> OpenPage {
        match recorded {
            Recorded::Page { id, continued_at } => OpenPage { id, continued_at },
            Recorded::Id(id) => OpenPage { id, continued_at: None },
        }
    }
}

/// Totals of a chain since its first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Pages whose next id became known.
    pub fetched: u64,
    /// Pages whose blob is durable.
    pub stored: u64,
    /// Pages that were given up.
    pub lost: u64,
    /// Requests for pages.
    pub requests: u64,
    /// Requests refused with a 4xx, including those for tokens and for the head.
    pub client_errors: u64,
    /// Bodies that broke off and were requested again.
    pub cut: u64,
    /// Next ids that were found first in the header.
    pub header: u64,
    /// Next ids that were found first in the first bytes of the body.
    pub peek: u64,
    /// Next ids that were found first in the whole body.
    pub body: u64,
    /// Pages about whose next id header, first bytes and body disagreed.
    pub disagreements: u64,
    /// Bytes of bodies.
    pub raw_bytes: u64,
    /// Bytes of blobs.
    pub stored_bytes: u64,
}

impl Totals {
    /// Counts where a next id was found.
    pub fn count(&mut self, source: Source) {
        match source {
            Source::Header => self.header += 1,
            Source::Peek => self.peek += 1,
            Source::Body => self.body += 1,
        }
    }
}

/// A page that can never be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Its id.
    pub id: ChangeId,
    /// When it was given up.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

/// Why the chain is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub at: Timestamp,
    /// In words, with the remedy.
    pub reason: String,
}

/// The number of lost pages listed in a record; all are counted.
const MOST_LISTED: usize = 20;

impl Progress {
    /// Moves the position from `from` to `next`, and adds the page `from` to the open ones.
    pub fn advance(&mut self, from: ChangeId, next: ChangeId, source: Source, now: Timestamp) {
        self.add_open(from, Some(next));
        self.position = Some(next);
        self.since = Some(now);
        self.at_tail = false;
        self.totals.fetched += 1;
        self.totals.count(source);
    }

    /// Records that a page is not stored yet, and the next id with which the chain continued, if it did.
    pub fn add_open(&mut self, id: ChangeId, continued_at: Option<ChangeId>) {
        match self.open.iter_mut().find(|open| open.id == id) {
            Some(open) => open.continued_at = continued_at.or(open.continued_at),
            None => self.open.push(OpenPage { id, continued_at }),
        }
    }

    /// Removes a page that is durable and announced. Returns the next id with which the chain continued, if it did.
    pub fn close(&mut self, id: ChangeId) -> Option<ChangeId> {
        let place = self.open.iter().position(|open| open.id == id)?;
        self.open.remove(place).continued_at
    }

    /// Moves the position back to `place` in every shard that is past it.
    pub fn move_back(&mut self, place: ChangeId) {
        self.position = self.position.map(|position| position.lower(place));
    }

    /// Gives up a page.
    pub fn give_up(&mut self, id: ChangeId, at: Timestamp, reason: String) {
        self.close(id);
        self.totals.lost += 1;
        self.lost.push(GivenUp { id, at, reason });
        let surplus = self.lost.len().saturating_sub(MOST_LISTED);
        self.lost.drain(..surplus);
    }
}

/// The right to follow a chain, with its progress. The holder of an older claim can no longer change the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Grows with each claim. Fences off a follower whose lease has expired.
    pub lease: u64,
    /// As the last follower left it.
    pub progress: Progress,
}

/// A chain as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChainStatus {
    /// Its progress.
    pub progress: Progress,
    /// When the lease ends. If that has passed, no follower has the chain.
    pub leased_until: Option<Timestamp>,
}

/// The longest lease. A lease that ends later was taken while the clock was ahead, and has ended.
const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);

impl ChainStatus {
    /// Returns until when a follower has the chain; `None` if none has it.
    pub fn active_lease_until(&self, now: Timestamp) -> Option<Timestamp> {
        active_lease_until(self.leased_until, now, LONGEST_LEASE)
    }
}

/// Returns until when a lease of at most `longest` lasts; `None` if it has ended.
pub(super) fn active_lease_until(until: Option<Timestamp>, now: Timestamp, longest: Duration) -> Option<Timestamp> {
    until.filter(|until| is_pending(*until, longest, now))
}

/// The record of the chain, and its lease.
#[async_trait]
pub trait Chain: Send + Sync {
    /// Returns the chain's record; `None` if it was never claimed.
    async fn read(&self) -> PortResult<Option<ChainStatus>>;

    /// Leases the chain for `lease`. `None` if another follower has it. Two callers never hold it at the same time.
    async fn claim(&self, lease: Duration) -> PortResult<Option<Claim>>;

    /// Writes the progress and renews the lease. Returns `false` if another follower has the chain: the caller must
    /// stop. Idempotent.
    async fn write(&self, claim: &Claim, progress: &Progress, lease: Duration) -> PortResult<bool>;

    /// Writes the progress and releases the chain. Returns `false` as above.
    async fn release(&self, claim: &Claim, progress: &Progress) -> PortResult<bool>;
}

/// The stored samples of the river's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecordedHead")]
pub struct HeadSamples {
    /// Its positions, oldest first.
    pub samples: Vec<Sample>,
    /// Set if the last request was refused: each further request would count towards a ban.
    pub refused: Option<Stopped>,
}

/// The head in the current format of the record or in an older one.
#[derive(Deserialize)]
#[serde(untagged)]
enum RecordedHead {
    Samples(Vec<Sample>),
    Head { samples: Vec<Sample>, refused: Option<Stopped> },
}

impl From<RecordedHead> for HeadSamples {
    fn from(recorded: RecordedHead) -> HeadSamples {
        match recorded {
            RecordedHead::Samples(samples) => HeadSamples { samples, refused: None },
            RecordedHead::Head { samples, refused } => HeadSamples { samples, refused },
        }
    }
}

/// A position of the river's head, with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub id: ChangeId,
}

/// The stored samples of the head, which show how fast the river grows.
#[async_trait]
pub trait HeadStore: Send + Sync {
    /// Replaces the samples. With two writers the last one wins, and both values are valid.
    async fn write(&self, head: &HeadSamples) -> PortResult<()>;

    /// Returns the samples; none if the head was never read.
    async fn read(&self) -> PortResult<HeadSamples>;
}
