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
pub struct Said {
    /// The header.
    pub header: Option<ChangeId>,
    /// The body's first bytes.
    pub peek: Option<ChangeId>,
    /// The whole body.
    pub body: Option<ChangeId>,
}

impl Said {
    /// Returns the id that was available first, and its place.
    pub fn first(&self) -> Option<(ChangeId, Source)> {
        let header = self.header.map(|id| (id, Source::Header));
        let peek = || self.peek.map(|id| (id, Source::Peek));
        header.or_else(peek).or_else(|| self.body.map(|id| (id, Source::Body)))
    }

    /// Whether two of them differ.
    pub fn disagrees(&self) -> bool {
        let mut said = [self.header, self.peek, self.body].into_iter().flatten();
        let first = said.next();
        said.any(|id| Some(id) != first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_tells_is_taken_and_all_are_compared() {
        let id = |text: &str| text.parse::<ChangeId>().ok();
        let said = Said { header: id("9-2-3-4-5"), peek: id("1-8-3-4-5"), body: id("1-8-3-4-5") };
        assert_eq!(said.first(), id("9-2-3-4-5").map(|id| (id, Source::Header)));
        assert!(said.disagrees());
        let said = Said { header: None, ..said };
        assert!(!said.disagrees());
        assert_eq!(said.first(), id("1-8-3-4-5").map(|id| (id, Source::Peek)));
        assert_eq!(Said::default().first(), None);
    }
}
