//! Groups of a key's holds, each stored in one row.

use std::ops::RangeInclusive;

/// The number of sequence numbers in a group. A row stays well below the thousand bytes that SQLite keeps in a page of
/// such a table.
const SIZE: u64 = 16;

/// Returns the group of a sequence number.
pub(super) fn number(sequence: u64) -> u64 {
    sequence / SIZE
}

/// Returns the sequence numbers of a group. Empty if a damaged row contains a number that is too large for a group.
pub(super) fn sequences(number: u64) -> RangeInclusive<u64> {
    let first = number.saturating_mul(SIZE);
    first..=first.saturating_add(SIZE - 1)
}
