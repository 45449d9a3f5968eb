//! Change ids: five counters, one for each shard of the river.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The shards of the river, which are the parts of a change id.
pub const SHARDS: usize = 5;

/// A position in the river: how far each of its five shards was read.
///
/// The upstream maps any five numbers to the nearest real position. So a truncated or mistyped id is not refused: it is
/// another position, and continuing from there skips pages or reads them twice. Therefore the grammar is strict:
/// `^\d+(-\d+){4}$`.
///
/// Positions are only partially ordered: of two, neither may be ahead in all shards. Counters exceed 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId([u64; SHARDS]);

/// Why a text is not a change id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeIdError {
    /// Too few or too many parts.
    #[error("'{text}' has {parts} parts; a change id has {SHARDS}, numbers separated by dashes")]
    Parts {
        /// The beginning of the text.
        text: String,
        /// The number of parts.
        parts: usize,
    },
    /// A part is empty or not all digits.
    #[error("part {part} of '{text}' is not a number")]
    Digits {
        /// The beginning of the text.
        text: String,
        /// Which part, from 1.
        part: usize,
    },
    /// A number does not fit into a counter.
    #[error("part {part} of '{text}' is larger than {}", u64::MAX)]
    Range {
        /// The beginning of the text.
        text: String,
        /// Which part, from 1.
        part: usize,
    },
}

impl ChangeId {
    /// The beginning of the river.
    pub const BEGINNING: ChangeId = ChangeId([0; SHARDS]);

    /// Returns the position with these counters.
    pub fn new(shards: [u64; SHARDS]) -> ChangeId {
        ChangeId(shards)
    }

    /// The counter of each shard.
    pub fn shards(self) -> [u64; SHARDS] {
        self.0
    }

    /// Whether every shard has reached that of `other`.
    pub fn has_reached(self, other: ChangeId) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| *ours >= theirs)
    }

    /// Returns the lower counter of each shard. Continuing from there may read edits twice, but skips none.
    #[must_use]
    pub fn lower(self, other: ChangeId) -> ChangeId {
        self.zip(other, u64::min)
    }

    /// Returns the position `steps` further back in each shard.
    #[must_use]
    pub fn back(self, steps: u64) -> ChangeId {
        ChangeId(self.0.map(|counter| counter.saturating_sub(steps)))
    }

    /// Returns the position half-way to `other`, rounded down.
    #[must_use]
    pub fn middle(self, other: ChangeId) -> ChangeId {
        self.zip(other, |ours, theirs| ours.midpoint(theirs))
    }

    /// Returns how far each shard is behind that of `other`; 0 if it is not behind.
    pub fn behind(self, other: ChangeId) -> [u64; SHARDS] {
        self.zip(other, |ours, theirs| theirs.saturating_sub(ours)).0
    }

    fn zip(self, other: ChangeId, each: impl Fn(u64, u64) -> u64) -> ChangeId {
        let mut shards = self.0;
        shards.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours = each(*ours, theirs));
        ChangeId(shards)
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth, fifth] = self.0;
        write!(formatter, "{first}-{second}-{third}-{fourth}-{fifth}")
    }
}

impl FromStr for ChangeId {
    type Err = ChangeIdError;

    fn from_str(text: &str) -> Result<ChangeId, ChangeIdError> {
        let parts = text.split('-').count();
        if parts != SHARDS {
            return Err(ChangeIdError::Parts { text: beginning(text), parts });
        }
        let mut shards = [0; SHARDS];
        for ((index, part), counter) in text.split('-').enumerate().zip(&mut shards) {
            let part_number = index + 1;
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(ChangeIdError::Digits { text: beginning(text), part: part_number });
            }
            let parsed = part.parse();
            *counter = parsed.map_err(|_| ChangeIdError::Range { text: beginning(text), part: part_number })?;
        }
        Ok(ChangeId(shards))
    }
}

/// Shortens a text for an error message.
fn beginning(text: &str) -> String {
    const LONGEST: usize = 110;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Serialize for ChangeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChangeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChangeId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OF_2026: &str = "3278697332-3203624673-3129327201-3479175554-3367790506";

    fn id(text: &str) -> ChangeId {
        text.parse().unwrap()
    }

    fn error(text: &str) -> String {
        text.parse::<ChangeId>().unwrap_err().to_string()
    }

    #[test]
    fn ids_of_ten_years_are_read_and_written() {
        for text in ["2300-4354-3306-4374-1278", "889269778-901266017-863023721-972584448-931489465", OF_2026] {
            assert_eq!(id(text).to_string(), text);
        }
        let beyond_32_bits = "5000000000-5000000000-5000000000-5000000000-5000000000";
        assert_eq!(serde_json::to_string(&id(beyond_32_bits)).unwrap(), format!("\"{beyond_32_bits}\""));
        assert_eq!(serde_json::from_str::<ChangeId>(&format!("\"{OF_2026}\"")).unwrap(), id(OF_2026));
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        assert!(error("1-2-3-4").starts_with("'1-2-3-4' has 4 parts; a change id has 5"));
        assert!(error("1-2-3-4-5-6").contains("has 6 parts"));
        assert!(error("").contains("has 1 parts"));
        assert_eq!(error("1-2--4-5"), "part 3 of '1-2--4-5' is not a number");
        assert_eq!(error("1-+2-3-4-5"), "part 2 of '1-+2-3-4-5' is not a number");
        assert_eq!(error("1-2-3-4-5 "), "part 5 of '1-2-3-4-5 ' is not a number");
        assert!(error("1-2-3-99999999999999999999-5").starts_with("part 4 of "));
        assert!(error(&"9".repeat(10_000)).len() < 250);
        assert!(serde_json::from_str::<ChangeId>("7").is_err());
    }

    #[test]
    fn of_two_positions_neither_need_be_ahead() {
        let (one, other) = (id("1-9-3-4-5"), id("2-8-3-4-5"));
        assert!(!one.has_reached(other) && !other.has_reached(one));
        let lower = one.lower(other);
        assert_eq!(lower, id("1-8-3-4-5"));
        assert!(one.has_reached(lower) && other.has_reached(lower));
        assert_eq!(one.behind(other), [1, 0, 0, 0, 0]);
        assert_eq!(id("10-10-10-10-3").back(4), id("6-6-6-6-0"));
        assert_eq!(id("0-2-4-6-8").middle(id("10-10-10-10-11")), id("5-6-7-8-9"));
    }

    proptest! {
        #[test]
        fn a_written_id_is_read_back(shards: [u64; 5]) {
            prop_assert_eq!(ChangeId::new(shards).to_string().parse(), Ok(ChangeId::new(shards)));
        }

        #[test]
        fn nothing_else_is_read(text in "\\PC{0,40}") {
            let parts: Vec<&str> = text.split('-').collect();
            let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert_eq!(text.parse::<ChangeId>().is_ok(), parts.len() == 5 && numbers);
        }
    }
}
