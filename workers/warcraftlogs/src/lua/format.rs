//! The format of the databases, and the numbers in it. `docs/lua-format.md` has it to the byte, with an example.
//!
//! Everything is printable: a *digit* is one byte from `!` (0) to `~` (93), a *pair* two of them, high digit first.
//! A record is one line of the server's string:
//!
//! ```text
//! record  = name class day specs section* newline
//! class   = digit              class id, 0 to 31: its byte is never part of a name, so it ends the name too
//! day     = pair               days since 2020-01-01
//! specs   = count count*       how many, then each one's number in `specs`
//! section = count killed pair pair cell*
//!                              number in `sections` (raid, difficulty, metric); best and median average in tenths, plus 1
//! killed  = digit              below 47: so many encounters, the first of the raid; from 47 on: that
//!           digit*             minus 47 digits follow, six encounters each, lowest bit first
//! cell    = digit*3 or digit*4 ((tenths plus 1) * 201 + kills) * number of specs + spec; 4 digits from 5 specs on
//! count   = digit              below 93: the number; 93: a pair follows, which is the number minus 93
//! ```
//!
//! A percentile of 0 in the record stands for *none*.

use jiff::Timestamp;
use jiff::civil::{Date, date};

/// The version that this code writes and reads. A reader refuses every other one.
pub const FORMAT: u32 = 1;

/// Kills beyond this are written as this many.
pub const MAX_KILLS: u32 = 200;
/// The class byte has to stay below the first letter, `A`.
pub const MAX_CLASS_ID: u32 = 31;
/// What 46 digits of six encounters each can name.
pub const MAX_ENCOUNTERS_PER_RAID: usize = 276;
/// What a count can number.
pub const MAX_DICTIONARY: usize = 93 + 94 * 94;
/// So many specs still fit into a cell of four digits.
pub const MAX_SPECS_PER_PLAYER: usize = 300;
/// Two constants a server, and Lua 5.1 ends at 262,143 in one function. The largest region has fewer than 400.
pub const MAX_SERVERS: usize = 65_000;

/// The digit of zero: the first printable character that is not a space.
pub(super) const ZERO: u8 = b'!';
/// How many digits there are.
pub(super) const BASE: u32 = 94;
/// From this digit on, `killed` is followed by bits; below it, it is a length.
pub(super) const BITS_FOLLOW: u32 = 47;
/// Encounters in one digit of bits.
pub(super) const BITS_PER_DIGIT: usize = 6;
/// The day with the number 0.
pub(super) const FIRST_DAY: Date = date(2020, 1, 1);

const ESCAPE: u32 = BASE - 1;
const KILL_STEPS: u32 = MAX_KILLS + 1;

/// How many digits a cell of a player with so many specs has.
pub(super) fn cell_width(specs: usize) -> usize {
    if specs <= 4 { 3 } else { 4 }
}

/// One cell as a number. `tenths` is as [`tenths_plus_one`] has it.
pub(super) fn pack_cell(tenths: u32, kills: u32, spec: u32, specs: u32) -> u32 {
    (tenths * KILL_STEPS + kills) * specs + spec
}

/// (tenths, kills, spec) of a cell.
pub(super) fn unpack_cell(cell: u32, specs: u32) -> (u32, u32, u32) {
    let rest = cell / specs;
    (rest / KILL_STEPS, rest % KILL_STEPS, cell % specs)
}

/// A percentile in steps of 0.1, rounded down, plus 1; 0 for none. `None` when it is not within 0 to 100.
pub(super) fn tenths_plus_one(percentile: Option<f64>) -> Option<u16> {
    match percentile {
        None => Some(0),
        // 16.1 times 10 may come out just below 161: what is that near is meant.
        Some(value) if (0.0..=100.0).contains(&value) => Some((value * 10.0 + 1e-6) as u16 + 1),
        Some(_) => None,
    }
}

/// The percentile behind [`tenths_plus_one`].
pub(super) fn percentile(tenths_plus_one: u16) -> Option<f64> {
    tenths_plus_one.checked_sub(1).map(|tenths| f64::from(tenths) / 10.0)
}

/// The day's number. `None` when two digits cannot hold it: before 2020-01-01 and after 2044-03-10.
pub(super) fn day_number(moment: Timestamp) -> Option<u32> {
    let first = FIRST_DAY.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let days = moment.as_second().checked_sub(first)?.div_euclid(86_400);
    u32::try_from(days).ok().filter(|days| *days < BASE * BASE)
}

/// The day with this number.
pub(super) fn day(number: u32) -> Date {
    FIRST_DAY.saturating_add(jiff::Span::new().days(number))
}

/// Appends `width` digits, the high one first.
pub(super) fn put_digits(target: &mut Vec<u8>, number: u32, width: usize) {
    let start = target.len();
    target.resize(start + width, ZERO);
    let mut rest = number;
    for byte in target[start..].iter_mut().rev() {
        *byte = ZERO + (rest % BASE) as u8;
        rest /= BASE;
    }
}

/// Appends a count: one digit, or three.
pub(super) fn put_count(target: &mut Vec<u8>, count: u32) {
    if count < ESCAPE {
        put_digits(target, count, 1);
    } else {
        put_digits(target, ESCAPE, 1);
        put_digits(target, count - ESCAPE, 2);
    }
}

/// Reads numbers off the front of a record. `None` at its end and at a byte that is no digit.
pub(super) struct Digits<'a>(pub(super) &'a [u8]);

impl Digits<'_> {
    /// A number of `width` digits.
    pub(super) fn take(&mut self, width: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, byte| {
            let digit = u32::from(byte.checked_sub(ZERO)?);
            (digit < BASE).then_some(number * BASE + digit)
        })
    }

    /// A count.
    pub(super) fn count(&mut self) -> Option<u32> {
        match self.take(1)? {
            ESCAPE => Some(ESCAPE + self.take(2)?),
            count => Some(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_a_tenth_survives_and_what_lies_between_is_rounded_down() {
        for tenths in 0..=1000u16 {
            let value = f64::from(tenths) / 10.0;
            assert_eq!(tenths_plus_one(Some(value)), Some(tenths + 1));
            assert_eq!(percentile(tenths + 1), Some(value));
        }
        assert_eq!(tenths_plus_one(Some(95.3999)), Some(954));
        assert_eq!(tenths_plus_one(None), Some(0));
        for outside in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(tenths_plus_one(Some(outside)), None, "{outside}");
        }
    }

    #[test]
    fn the_largest_cells_fit_their_width() {
        for (specs, width) in [(1, 3), (4, 3), (5, 4), (MAX_SPECS_PER_PLAYER as u32, 4)] {
            assert_eq!(cell_width(specs as usize), width);
            let largest = pack_cell(1001, MAX_KILLS, specs - 1, specs);
            assert!(u64::from(largest) < u64::from(BASE).pow(width as u32), "{specs}");
            assert_eq!(unpack_cell(largest, specs), (1001, MAX_KILLS, specs - 1));
        }
    }

    #[test]
    fn counts_and_days_survive_at_their_edges() {
        for count in [0, 92, 93, 94, MAX_DICTIONARY as u32 - 1] {
            let mut text = Vec::new();
            put_count(&mut text, count);
            assert_eq!(Digits(&text).count(), Some(count));
        }
        assert_eq!(day_number("2020-01-01T00:00:00Z".parse().unwrap()), Some(0));
        assert_eq!(day_number("2019-12-31T23:59:59Z".parse().unwrap()), None);
        assert_eq!(day_number("2044-03-10T23:59:59Z".parse().unwrap()), Some(8835));
        assert_eq!(day_number("2044-03-11T00:00:00Z".parse().unwrap()), None);
        assert_eq!(day(2515), date(2026, 11, 20));
    }
}
