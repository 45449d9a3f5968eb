//! The holds of a key in groups, each a row.

use std::ops::RangeInclusive;

/// Sequence numbers in a group. A row stays well below the thousand bytes that SQLite keeps in a page of such a table.
const SIZE: u64 = 16;

/// The group that a sequence number belongs to.
pub(super) fn number(sequence: u64) -> u64 {
    sequence / SIZE
}

/// The sequence numbers of a group; none where a damaged row gives a number that is too large to be one.
pub(super) fn sequences(number: u64) -> RangeInclusive<u64> {
    let first = number.saturating_mul(SIZE);
    first..=first.saturating_add(SIZE - 1)
}
