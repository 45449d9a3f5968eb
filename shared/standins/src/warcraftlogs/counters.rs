//! What a stand-in has counted, for tests to compare with a client's report.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::points::Points;

/// Everything counted so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// By key, in the order of the options.
    pub keys: Vec<KeyCounters>,
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
    /// All requests to any path, except those for these counters.
    pub requests: u64,
    /// Requests to the API.
    pub api_requests: u64,
    /// Access tokens issued.
    pub tokens: u64,
    /// Bans caused by reading pages too fast.
    pub bans: u64,
    /// Pages refused because of a ban.
    pub banned_requests: u64,
    /// Ranking pages read, by zone, difficulty and page, ascending.
    pub pages: Vec<PageReads>,
    /// Sections answered: the ranks of one character in one raid and difficulty. Like the next two, zero unless
    /// [`super::SectionFaults::counts_sections`].
    #[serde(default)]
    pub sections: u64,
    /// Repeated answers of a section.
    #[serde(default)]
    pub sections_again: u64,
    /// The points charged for repeated answers.
    #[serde(default)]
    pub paid_again: Points,
}

/// The windows of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyCounters {
    /// The client id.
    pub id: String,
    /// The windows in which a call with this key arrived, oldest first.
    pub windows: Vec<WindowCounters>,
}

/// One window of one key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowCounters {
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

/// The number of times that a ranking page was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReads {
    /// The raid.
    pub zone: u32,
    /// The difficulty.
    pub difficulty: u32,
    /// The page, from 1.
    pub page: u32,
    /// The number of times.
    pub reads: u32,
}

impl Counters {
    /// Returns how often a ranking page was served.
    pub fn page_reads(&self, zone: u32, difficulty: u32, page: u32) -> u32 {
        let wanted = (zone, difficulty, page);
        let found = self.pages.iter().find(|reads| (reads.zone, reads.difficulty, reads.page) == wanted);
        found.map_or(0, |reads| reads.reads)
    }
}
