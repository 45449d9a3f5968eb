//! What is in the stashes now: the example of what can be made of pages.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::PortResult;

use crate::model::ChangeId;

/// What one page showed, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the upstream answered. A page has its stashes' content of that moment, whatever its id, so of two
    /// snapshots of a stash the later is the truth.
    pub observed_at: Timestamp,
    /// The page.
    pub page: ChangeId,
    /// Its stashes.
    pub stashes: Vec<StashRow>,
}

/// A stash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StashRow {
    /// Its id.
    pub id: String,
    /// Whether it is listed. When not, it has nothing in it.
    pub listed: bool,
    /// Who owns it.
    pub account: Option<String>,
    /// The name of the tab.
    pub tab: Option<String>,
    /// Such as `PremiumStash`.
    pub kind: Option<String>,
    /// The league.
    pub league: Option<String>,
    /// What is in it.
    pub items: Vec<ItemRow>,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemRow {
    /// Its id.
    pub id: String,
    /// Of a unique or rare item.
    pub name: Option<String>,
    /// What it is, with a magic item's affixes.
    pub type_line: Option<String>,
    /// What it is.
    pub base_type: Option<String>,
    /// How many are on the stack.
    pub stack_size: Option<u32>,
    /// Its note.
    pub note: Option<String>,
    /// What is asked for it, by its note or by its tab's name.
    pub price: Option<PriceRow>,
    /// All of it, as it came.
    pub json: String,
}

/// What is asked for an item.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow {
    /// For one, in `currency`.
    pub each: f64,
    /// `offer` when it is a ratio of an exchange.
    pub currency: String,
    /// `price` or `b/o`.
    pub kind: &'static str,
}

/// What a snapshot has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Stashes that were taken over.
    pub stashes: u64,
    /// Stashes of which a later snapshot was there already.
    pub outdated: u64,
    /// Stashes that are listed no more.
    pub unlisted: u64,
    /// Items that were not there before.
    pub new: u64,
    /// Items that were, and have changed.
    pub changed: u64,
    /// Items that are there no more.
    pub removed: u64,
}

impl std::ops::AddAssign for Changes {
    fn add_assign(&mut self, other: Changes) {
        self.stashes += other.stashes;
        self.outdated += other.outdated;
        self.unlisted += other.unlisted;
        self.new += other.new;
        self.changed += other.changed;
        self.removed += other.removed;
    }
}

/// How much is in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IndexCounts {
    /// Stashes that are listed.
    pub stashes: u64,
    /// Items in them.
    pub items: u64,
}

/// The current state of each stash.
#[async_trait]
pub trait Index: Send + Sync {
    /// Takes over what a page showed, all of it or nothing. Stashes of which a later snapshot is there stay as they are,
    /// so pages may come in any order, and twice.
    async fn apply(&self, snapshot: Snapshot) -> PortResult<Changes>;

    /// Forgets the events before `before`.
    async fn forget_events(&self, before: Timestamp) -> PortResult<()>;

    /// How much there is.
    async fn counts(&self) -> PortResult<IndexCounts>;
}
