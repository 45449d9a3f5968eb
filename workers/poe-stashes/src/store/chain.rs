//! Where the chain stands, and which of its pages are not stored yet: two things, kept apart in one record.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::is_pending;
use stint_core::ports::PortResult;

use crate::look_ahead::Source;
use crate::model::ChangeId;

/// How far a chain has come.
///
/// Every page before `position` is stored, or `open`, or `lost`. A page is made open by the very write that moves the
/// position beyond it, and is struck off only once its blob is durable and its message sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Where the next request goes. `None`: it was never started.
    pub position: Option<ChangeId>,
    /// When the position became known.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Pages that were asked for, and are not stored yet, oldest first.
    #[serde(default)]
    pub open: Vec<OpenPage>,
    /// Pages whose header must still be right before it is believed again: it was wrong about one.
    #[serde(default)]
    pub header_doubts: u32,
    /// Whether the last answer was the end of the river.
    #[serde(default)]
    pub at_tail: bool,
    /// What was done so far.
    #[serde(default)]
    pub totals: Totals,
    /// Pages that were given up, the newest of them.
    #[serde(default)]
    pub lost: Vec<Lost>,
    /// Why nobody follows the chain until a person says so.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// What the pace must not forget, as the client wrote it.
    #[serde(default)]
    pub pace: Option<serde_json::Value>,
}

/// A page that is not stored yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded")]
pub struct OpenPage {
    /// Which one.
    pub id: ChangeId,
    /// Where the chain went on from it. What is stored in the end must lead as far, or else what lies between is in no
    /// page. `None`: it did not go on from this one.
    pub led_to: Option<ChangeId>,
}

/// An open page as a record has it, or as older ones had it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recorded {
    Page { id: ChangeId, led_to: Option<ChangeId> },
    Id(ChangeId),
}

impl From<Recorded> for OpenPage {
    fn from(recorded: Recorded) -> OpenPage {
        match recorded {
            Recorded::Page { id, led_to } => OpenPage { id, led_to },
            Recorded::Id(id) => OpenPage { id, led_to: None },
        }
    }
}

/// What a chain has done since it was first started.
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
    /// Requests that were refused with a 4xx, those for tokens and for the head included.
    pub client_errors: u64,
    /// Bodies that broke off and were asked for again.
    pub cut: u64,
    /// Next ids by where they were found first.
    pub header: u64,
    /// Likewise, in the first bytes of the body.
    pub peek: u64,
    /// Likewise, in the whole body.
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
pub struct Lost {
    /// Which one.
    pub id: ChangeId,
    /// When it was given up.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

/// Why the chain stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub at: Timestamp,
    /// In words, with the remedy.
    pub reason: String,
}

/// The newest of the lost pages that a record keeps by name; all are counted.
const LOST_KEPT: usize = 20;

impl Progress {
    /// Moves on from `from` to `next`: from now on its page is open.
    pub fn advance(&mut self, from: ChangeId, next: ChangeId, source: Source, now: Timestamp) {
        self.add_open(from, Some(next));
        self.position = Some(next);
        self.since = Some(now);
        self.at_tail = false;
        self.totals.fetched += 1;
        self.totals.count(source);
    }

    /// Notes that a page is not stored yet, and where the chain went on from it now, if it did.
    pub fn add_open(&mut self, id: ChangeId, led_to: Option<ChangeId>) {
        match self.open.iter_mut().find(|open| open.id == id) {
            Some(open) => open.led_to = led_to.or(open.led_to),
            None => self.open.push(OpenPage { id, led_to }),
        }
    }

    /// A page is durable and announced. Answers where the chain went on from it, if it did.
    pub fn close(&mut self, id: ChangeId) -> Option<ChangeId> {
        let place = self.open.iter().position(|open| open.id == id)?;
        self.open.remove(place).led_to
    }

    /// Goes back to `place` in every shard that has gone beyond it.
    pub fn turn_back(&mut self, place: ChangeId) {
        self.position = self.position.map(|position| position.lower(place));
    }

    /// A page is given up.
    pub fn lose(&mut self, id: ChangeId, at: Timestamp, reason: String) {
        self.close(id);
        self.totals.lost += 1;
        self.lost.push(Lost { id, at, reason });
        let surplus = self.lost.len().saturating_sub(LOST_KEPT);
        self.lost.drain(..surplus);
    }
}

/// The right to follow a chain, and how far it has come. Whoever holds an older one can change nothing any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Grows with each claim: the fence against a follower that was thought dead.
    pub lease: u64,
    /// As it was left.
    pub progress: Progress,
}

/// A chain as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChainStatus {
    /// How far it has come.
    pub progress: Progress,
    /// Until when a follower has it. In the past: nobody follows it.
    pub leased_until: Option<Timestamp>,
}

/// No lease is longer. One that ends later was taken by a clock that was ahead, and is over.
const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);

impl ChainStatus {
    /// Until when a follower has the chain; `None` when none has it.
    pub fn led_until(&self, now: Timestamp) -> Option<Timestamp> {
        led_until(self.leased_until, now, LONGEST_LEASE)
    }
}

/// Until when a lease lasts that is no longer than `longest`, if it is not over.
pub(super) fn led_until(until: Option<Timestamp>, now: Timestamp, longest: Duration) -> Option<Timestamp> {
    until.filter(|until| is_pending(*until, longest, now))
}

/// The record of the chain, and who works on it.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The chain as it stands; `None` when nobody has ever claimed it.
    async fn read(&self) -> PortResult<Option<ChainStatus>>;

    /// Lends the chain for `lease`. `None`: another follower has it. Two callers never hold it at once.
    async fn claim(&self, lease: Duration) -> PortResult<Option<Claim>>;

    /// Keeps how far it has come, and renews the lease. `false`: another follower has the chain, stop. The same twice
    /// changes nothing.
    async fn keep(&self, claim: &Claim, progress: &Progress, lease: Duration) -> PortResult<bool>;

    /// Keeps how far it has come, and gives the chain back. `false` as above.
    async fn release(&self, claim: &Claim, progress: &Progress) -> PortResult<bool>;
}

/// What is known of the river's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecordedHead")]
pub struct Head {
    /// Where it was, oldest first.
    pub samples: Vec<Sample>,
    /// The last look was refused: each further one would count towards a ban.
    pub refused: Option<Stopped>,
}

/// The head as a record has it, or as older ones had it.
#[derive(Deserialize)]
#[serde(untagged)]
enum RecordedHead {
    Samples(Vec<Sample>),
    Head { samples: Vec<Sample>, refused: Option<Stopped> },
}

impl From<RecordedHead> for Head {
    fn from(recorded: RecordedHead) -> Head {
        match recorded {
            RecordedHead::Samples(samples) => Head { samples, refused: None },
            RecordedHead::Head { samples, refused } => Head { samples, refused },
        }
    }
}

/// Where the river's head was, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub id: ChangeId,
}

/// The head, looked at now and then: how fast the river grows.
#[async_trait]
pub trait Heads: Send + Sync {
    /// Replaces what is known. Two writers: the last one wins, and either has looked.
    async fn keep(&self, head: &Head) -> PortResult<()>;

    /// What is known; nothing when nobody has looked yet.
    async fn read(&self) -> PortResult<Head>;
}
