//! How far a discovery has come, and what it has come to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Rule;

/// A rule that one discovery works on, and how far it has come. Kept apart from the rule, whose document belongs to
/// existing deployments too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// When the pass began. Sources that list what is new list it up to here, so that pages do not shift.
    pub started_at: Timestamp,
    /// The page range in pieces.
    pub chunks: Vec<Chunk>,
    /// The first page that turned out to be past the end.
    pub end: Option<u32>,
    /// What it has come to.
    #[serde(default)]
    pub seen: Seen,
}

/// What a pass came to: by it the next page is judged, and the next pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Players on its pages.
    pub players: u64,
    /// The last page that had rows; 0 when none had.
    pub last_page: u32,
    /// The last page that another one said to be there; 0 when none did.
    pub promised: u32,
    /// How long a time the pass is about, in seconds, where it lists what is new. `None` where it lists everybody.
    pub span: Option<u64>,
}

/// What a rule's pages came to that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// When it was seen.
    pub at: Timestamp,
    /// Why it makes no sense, with the page's number.
    pub reason: String,
    /// The page in outline, for the operator. It has no scripts, form values or queries of links.
    pub sample: Option<String>,
}

/// A piece of a rule's page range.
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
    /// A pass over the pages of `rule`, its last page included, in chunks of `pages_per_chunk`.
    pub fn begin(rule: &Rule, pages_per_chunk: u32, now: Timestamp) -> Pass {
        let starts = (rule.start_page..=rule.end_page).step_by(pages_per_chunk.max(1) as usize);
        let chunk =
            |next: u32| Chunk { next, last: rule.end_page.min(next.saturating_add(pages_per_chunk.max(1) - 1)) };
        Pass { started_at: now, chunks: starts.map(chunk).collect(), end: None, seen: Seen::default() }
    }

    /// Reads the page before `page` again, and `page`: one of the two was wrong about the other.
    pub fn read_again_before(&mut self, page: u32) {
        self.seen.promised = 0;
        let before = page.saturating_sub(1);
        // The page before is the last of a chunk that is done, or it was read by the chunk that has come to `page`.
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
            seen: Seen { promised: 9, ..Seen::default() },
        };
        let again = |chunks, page| {
            let mut pass = pass(chunks);
            pass.read_again_before(page);
            assert_eq!(pass.seen.promised, 0);
            [pass.chunks[0].next, pass.chunks[1].next]
        };
        assert_eq!(again([(201, 200), (201, 400)], 201), [200, 201]);
        assert_eq!(again([(201, 200), (250, 400)], 250), [201, 249]);
    }

    #[test]
    fn the_progress_of_an_earlier_version_is_read() {
        let text = r#"{"started_at":"2026-11-20T10:00:00Z","chunks":[{"next":4,"last":9}],"end":null}"#;
        let pass: Pass = serde_json::from_str(text).unwrap();
        assert_eq!(pass.seen, Seen::default());
    }
}
