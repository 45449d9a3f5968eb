//! What a stand-in has counted, for tests to hold against what a client says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::points::Points;

/// Everything counted so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// By key, in the order of the options.
    pub keys: Vec<KeyBook>,
    /// Points charged to all keys in all windows.
    pub charged: Points,
    /// Points charged beyond a limit.
    pub overspent: Points,
    /// Calls refused because the points of a key were used up.
    pub refused_calls: u64,
    /// Calls refused because there were too many of them.
    pub rate_limited_calls: u64,
    /// Calls answered with a 5xx.
    pub failed_calls: u64,
    /// All requests, to whatever address, but for the books themselves.
    pub requests: u64,
    /// Requests to the API.
    pub api_requests: u64,
    /// Access tokens given out.
    pub tokens: u64,
    /// How often reading pages too fast began a ban.
    pub bans: u64,
    /// Pages not shown because of a ban.
    pub banned_requests: u64,
    /// Ranking pages read, by zone, difficulty and page, ascending.
    pub pages: Vec<PageReads>,
    /// Sections that were answered: what there is of one character in one raid and difficulty. Like the two that follow,
    /// zero unless [`super::SectionFaults::counted`].
    #[serde(default)]
    pub sections: u64,
    /// How often a section was answered that had been answered before.
    #[serde(default)]
    pub sections_again: u64,
    /// The points charged for those.
    #[serde(default)]
    pub paid_again: Points,
}

/// The windows of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyBook {
    /// The client id.
    pub id: String,
    /// Those in which a call with this key arrived, oldest first.
    pub windows: Vec<WindowBook>,
}

/// One window of one key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowBook {
    /// When it began.
    pub start: Timestamp,
    /// When it ends.
    pub reset: Timestamp,
    /// The points granted.
    pub limit: Points,
    /// The points charged.
    pub charged: Points,
    /// The points charged beyond the limit.
    pub overspent: Points,
    /// Calls refused after the points were used up.
    pub refused: u64,
    /// Calls answered.
    pub calls: u64,
}

/// How often a ranking page was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReads {
    /// The raid.
    pub zone: u32,
    /// The difficulty.
    pub difficulty: u32,
    /// The page, from 1.
    pub page: u32,
    /// How often.
    pub reads: u32,
}

impl Books {
    /// How often a ranking page was shown.
    pub fn page_reads(&self, zone: u32, difficulty: u32, page: u32) -> u32 {
        let wanted = (zone, difficulty, page);
        let found = self.pages.iter().find(|reads| (reads.zone, reads.difficulty, reads.page) == wanted);
        found.map_or(0, |reads| reads.reads)
    }
}
