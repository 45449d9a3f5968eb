//! The next change id, as early as it can be known.
//!
//! It is in three places: the header `X-Next-Change-Id`, which the upstream does not document; the first bytes of the
//! body, as soon as they are decoded; and the whole body. The next request uses the first one available; at the end all
//! three are compared.
//!
//! # When they disagree
//! The content of a page is what its body says. If the chain has continued from a higher position, it goes back to the
//! **lower** one, shard by shard, and the disagreement is reported. A position that is too low reads edits twice; one
//! that is too high skips pages permanently. After a header was wrong, it is still compared, but not used again until
//! it was right a thousand times.

mod peek;
mod scan;

use serde::{Deserialize, Serialize};

pub use peek::{PEEK, Peek, Peeked};
pub use scan::{Document, Scan, ScanError};

use crate::model::ChangeId;

/// The header that carries the next change id.
pub const HEADER: &str = "x-next-change-id";

/// Where a next change id was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The header.
    Header,
    /// The body's first bytes.
    Peek,
    /// The whole body.
    Body,
}

/// The next id of one page from each place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextIds {
    /// The header.
    pub header: Option<ChangeId>,
    /// The body's first bytes.
    pub peek: Option<ChangeId>,
    /// The whole body.
    pub body: Option<ChangeId>,
}

impl NextIds {
    /// Returns the id that was available first, and its place.
    pub fn first(&self) -> Option<(ChangeId, Source)> {
        let header = self.header.map(|id| (id, Source::Header));
        let peek = || self.peek.map(|id| (id, Source::Peek));
        header.or_else(peek).or_else(|| self.body.map(|id| (id, Source::Body)))
    }

    /// Whether two of them differ.
    pub fn differ(&self) -> bool {
        let mut next_ids = [self.header, self.peek, self.body].into_iter().flatten();
        let first = next_ids.next();
        next_ids.any(|id| Some(id) != first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_available_id_is_used_and_all_are_compared() {
        let id = |text: &str| text.parse::<ChangeId>().ok();
        let next_ids = NextIds { header: id("9-2-3-4-5"), peek: id("1-8-3-4-5"), body: id("1-8-3-4-5") };
        assert_eq!(next_ids.first(), id("9-2-3-4-5").map(|id| (id, Source::Header)));
        assert!(next_ids.differ());
        let next_ids = NextIds { header: None, ..next_ids };
        assert!(!next_ids.differ());
        assert_eq!(next_ids.first(), id("1-8-3-4-5").map(|id| (id, Source::Peek)));
        assert_eq!(NextIds::default().first(), None);
    }
}
