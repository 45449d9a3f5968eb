//! The current content of the stashes, as an example of a consumer of pages.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::PortResult;

use crate::model::ChangeId;

/// The content of one page at one time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the upstream answered. A page has the content of its stashes at that time, whatever its id, so of two
    /// snapshots of a stash the later one is current.
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
    /// Whether it is listed. If not, it has no items.
    pub listed: bool,
    /// The account of its owner.
    pub account: Option<String>,
    /// The name of the tab.
    pub tab: Option<String>,
    /// Such as `PremiumStash`.
    pub kind: Option<String>,
    /// The league.
    pub league: Option<String>,
    /// Its items.
    pub items: Vec<ItemRow>,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemRow {
    /// Its id.
    pub id: String,
    /// The name of a unique or rare item.
    pub name: Option<String>,
    /// The type of the item, with the affixes of a magic item.
    pub type_line: Option<String>,
    /// The type of the item.
    pub base_type: Option<String>,
    /// The size of the stack.
    pub stack_size: Option<u32>,
    /// Its note.
    pub note: Option<String>,
    /// Its price, from its note or from its tab's name.
    pub price: Option<PriceRow>,
    /// The whole item as the upstream sent it.
    pub json: String,
}

/// The price of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow {
    /// For one item, in `currency`.
    pub each: f64,
    /// `offer` for an exchange ratio.
    pub currency: String,
    /// `price` or `b/o`.
    pub kind: &'static str,
}

/// The changes made by a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Stashes that were applied.
    pub stashes: u64,
    /// Stashes of which a later snapshot was already applied.
    pub outdated: u64,
    /// Stashes that are no longer listed.
    pub unlisted: u64,
    /// Items that were added.
    pub new: u64,
    /// Items that were changed.
    pub changed: u64,
    /// Items that were removed.
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

/// The size of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IndexCounts {
    /// Listed stashes.
    pub stashes: u64,
    /// Items in them.
    pub items: u64,
}

/// The current content of each stash.
#[async_trait]
pub trait Index: Send + Sync {
    /// Applies a page in one transaction. Stashes of which a later snapshot was applied stay unchanged, so pages may
    /// come in any order, and twice.
    async fn apply(&self, snapshot: Snapshot) -> PortResult<Changes>;

    /// Deletes the events before `before`.
    async fn delete_events(&self, before: Timestamp) -> PortResult<()>;

    /// Returns the size of the index.
    async fn counts(&self) -> PortResult<IndexCounts>;
}
