//! The progress of a discovery, and its result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Rule;

/// The progress of the discovery that works on a rule. Stored apart from the rule, whose document also belongs to
/// existing deployments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// When the pass began. Sources that list what is new list it up to this time, so that pages do not shift.
    pub started_at: Timestamp,
    /// The page range in chunks.
    pub chunks: Vec<Chunk>,
    /// The first page that turned out to be past the end.
    pub end: Option<u32>,
    /// The result so far.
    #[serde(default)]
    pub seen: PassSummary,
}

/// The result of a pass: the next page and the next pass are checked against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PassSummary {
    /// Players on its pages.
    pub players: u64,
    /// The last page with rows; 0 if there was none.
    pub last_page: u32,
    /// The last page that another page said exists; 0 if there was none.
    #[serde(rename = "promised")]
    pub last_announced_page: u32,
    /// The length in seconds of the time whose new entries the pass lists. `None` if it lists every player.
    pub span: Option<u64>,
}

/// Why a rule's pages are implausible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDoubt {
    /// When it was detected.
    pub at: Timestamp,
    /// Why they are implausible, with the page's number.
    pub reason: String,
    /// Outline of the page, for the operator. It has no scripts, form values or queries of links.
    pub sample: Option<String>,
}

/// A chunk of a rule's page range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The next page to read.
    pub next: u32,
    /// The last page to read.
    pub last: u32,
}

impl Chunk {
    /// Whether every page was read.
    pub fn is_done(&self) -> bool {
        self.next > self.last
    }
}

impl Pass {
    /// A pass over the pages of `rule`, including the last page, in chunks of `pages_per_chunk`.
    pub fn begin(rule: &Rule, pages_per_chunk: u32, now: Timestamp) -> Pass {
        let starts = (rule.start_page..=rule.end_page).step_by(pages_per_chunk.max(1) as usize);
        let chunk =
            |next: u32| Chunk { next, last: rule.end_page.min(next.saturating_add(pages_per_chunk.max(1) - 1)) };
        Pass { started_at: now, chunks: starts.map(chunk).collect(), end: None, seen: PassSummary::default() }
    }

    /// Schedules the page before `page`, and `page`, to be read again: one of the two contradicts the other.
    pub fn read_again_before(&mut self, page: u32) {
        self.seen.last_announced_page = 0;
        let before = page.saturating_sub(1);
        // The page before is the last page of a finished chunk, or the chunk that has reached `page` read it.
        let done = self.chunks.iter().position(|chunk| chunk.last == before && chunk.is_done());
        let place = done.or_else(|| self.chunks.iter().position(|chunk| chunk.next == page && !chunk.is_done()));
        if let Some(place) = place {
            self.chunks[place].next = before;
        }
    }

    /// Whether there is nothing left to read.
    pub fn is_done(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.is_done() || self.end.is_some_and(|end| chunk.next >= end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_belongs_to_a_pass_whatever_the_chunk_size() {
        let rule = |start_page, end_page| Rule {
            id: "0".repeat(24),
            raid: 26,
            difficulty: 3,
            start_page,
            end_page,
            ..Rule::default()
        };
        for (start, end, size) in [(1, 600, 200), (1, 601, 200), (1, 201, 200), (5, 5, 200), (1, 7, 3), (2, 8, 3)] {
            let pass = Pass::begin(&rule(start, end), size, Timestamp::UNIX_EPOCH);
            let pages: Vec<u32> = pass.chunks.iter().flat_map(|chunk| chunk.next..=chunk.last).collect();
            assert_eq!(pages, (start..=end).collect::<Vec<_>>(), "{start} to {end} by {size}");
        }
    }

    #[test]
    fn a_page_and_the_one_before_are_read_again_in_one_chunk_or_in_two() {
        let pass = |chunks: [(u32, u32); 2]| Pass {
            started_at: Timestamp::UNIX_EPOCH,
            chunks: chunks.map(|(next, last)| Chunk { next, last }).to_vec(),
            end: None,
            seen: PassSummary { last_announced_page: 9, ..PassSummary::default() },
        };
        let again = |chunks, page| {
            let mut pass = pass(chunks);
            pass.read_again_before(page);
            assert_eq!(pass.seen.last_announced_page, 0);
            [pass.chunks[0].next, pass.chunks[1].next]
        };
        assert_eq!(again([(201, 200), (201, 400)], 201), [200, 201]);
        assert_eq!(again([(201, 200), (250, 400)], 250), [201, 249]);
    }

    #[test]
    fn the_progress_of_an_earlier_version_is_read() {
        let text = r#"{"started_at":"2026-11-20T10:00:00Z","chunks":[{"next":4,"last":9}],"end":null}"#;
        let pass: Pass = serde_json::from_str(text).unwrap();
        assert_eq!(pass.seen, PassSummary::default());
    }
}
