//! The format of the databases, and the numbers in it. `docs/lua-format.md` specifies it to the byte, with an example.
//!
//! Everything is printable: a *digit* is one byte from `!` (0) to `~` (93); numbers have the high digit first. A
//! *count* is one digit below 93, or the digit 93 and two more for the number minus 93. A *number* is a digit with the
//! number of digits that follow, and those digits.

use jiff::Timestamp;
use jiff::civil::{Date, date};

/// The version of a database without extras. A reader refuses every version that it does not know.
pub const FORMAT: u32 = 2;
/// The version of a database with extras: the same, with a second number in each record.
pub const FORMAT_WITH_EXTRAS: u32 = 3;

/// The largest class id.
pub const MAX_CLASS_ID: u32 = 31;
/// The game's own limits allow names of up to 48 bytes; a much longer one is damage.
pub const MAX_NAME_BYTES: usize = 255;
/// Up to this many encounters, the set of killed ones is one number, which Lua represents exactly; above, each has a
/// flag.
pub const MODELLED_ENCOUNTERS: usize = 50;
/// More encounters than any raid has.
pub const MAX_ENCOUNTERS_PER_RAID: usize = 1_000;
/// Number of sections that have places for models.
pub const MAX_SECTIONS: usize = 900;
/// More specs than any game has.
pub const MAX_SPECS: usize = 5_000;
/// More all-star entries than a raid and difficulty has: one for each spec and partition.
pub const MAX_STARS: usize = 255;
/// More points than can be earned, and a higher score.
pub const MAX_POINTS: f64 = 1_000_000.0;
/// Each server needs two constants, and Lua 5.1 allows 262,143 in one function. The largest region has fewer than 400
/// servers.
pub const MAX_SERVERS: usize = 65_000;

/// The digit of zero: the first printable character that is not a space.
pub(crate) const ZERO: u8 = b'!';
/// Separates the two numbers of a record with extras; not a digit.
pub(crate) const SPACE: u8 = b' ';
/// The number of digits.
pub(crate) const BASE: u32 = 94;
/// The day with the number 0.
pub(crate) const FIRST_DAY: Date = date(2020, 1, 1);
/// When a region's file reaches this size, another one follows: repository hosts refuse files of 100 MB.
pub const LARGEST_FILE: u64 = 45_000_000;
/// No region has more files: a thousand hold more players than there are.
pub const MAX_PARTS: usize = 1_000;
/// The first day number that cannot be represented.
const DAYS: u32 = 94 * 94;

const ESCAPE: u32 = BASE - 1;

/// The precision to which percentiles are rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Precision {
    /// Whole percent, as in the tables of the site.
    #[default]
    Whole,
    /// Tenths of a percent.
    Tenths,
}

impl Precision {
    /// Steps in one percent.
    pub const fn steps(self) -> u16 {
        match self {
            Precision::Whole => 1,
            Precision::Tenths => 10,
        }
    }

    /// A percentile in steps, rounded down. `None` if it is not within 0 to 100.
    pub(crate) fn round(self, percentile: f64) -> Option<u16> {
        // 16.1 times 10 may give slightly less than 161; a value that close counts as 161.
        (0.0..=100.0).contains(&percentile).then(|| (percentile * f64::from(self.steps()) + 1e-6) as u16)
    }

    /// The percentile of this many steps.
    pub(crate) fn percentile(self, steps: u16) -> f64 {
        f64::from(steps) / f64::from(self.steps())
    }

    /// Points or a score in steps, rounded down. `None` if they are not within 0 to [`MAX_POINTS`].
    pub(crate) fn round_points(self, points: f64) -> Option<u32> {
        (0.0..=MAX_POINTS).contains(&points).then(|| (points * f64::from(self.steps()) + 1e-6) as u32)
    }

    /// The points of this many steps.
    pub(crate) fn points(self, steps: u32) -> f64 {
        f64::from(steps) / f64::from(self.steps())
    }
}

/// The day's number. `None` before 2020-01-01 and after 2044-03-10.
pub(crate) fn day_number(moment: Timestamp) -> Option<u32> {
    let first = FIRST_DAY.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let days = moment.as_second().checked_sub(first)?.div_euclid(86_400);
    u32::try_from(days).ok().filter(|days| *days < DAYS)
}

/// The day with this number.
pub(crate) fn day(number: u32) -> Date {
    FIRST_DAY.saturating_add(jiff::Span::new().days(number))
}

/// Appends `width` digits, the highest first.
pub(crate) fn put_digits(target: &mut Vec<u8>, number: u64, width: usize) {
    let start = target.len();
    target.resize(start + width, ZERO);
    let mut rest = number;
    for byte in target[start..].iter_mut().rev() {
        *byte = ZERO + (rest % u64::from(BASE)) as u8;
        rest /= u64::from(BASE);
    }
}

/// Appends a count: one digit, or three.
pub(crate) fn put_count(target: &mut Vec<u8>, count: u32) {
    if count < ESCAPE {
        put_digits(target, count.into(), 1);
    } else {
        put_digits(target, ESCAPE.into(), 1);
        put_digits(target, (count - ESCAPE).into(), 2);
    }
}

/// Appends a number of any size.
pub(crate) fn put_number(target: &mut Vec<u8>, number: u64) {
    let width = (1..10).find(|width| number < u64::from(BASE).pow(*width)).unwrap_or(10) as usize;
    put_digits(target, width as u64, 1);
    put_digits(target, number, width);
}

/// Reads numbers from the front of a text. `None` at its end and at a byte that is not a digit.
pub(crate) struct Digits<'a>(pub(crate) &'a [u8]);

impl Digits<'_> {
    /// A number of `width` digits.
    pub(crate) fn take(&mut self, width: usize) -> Option<u64> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().try_fold(0u64, |number, byte| {
            let digit = u64::from(byte.checked_sub(ZERO)?);
            if digit >= u64::from(BASE) {
                return None;
            }
            number.checked_mul(u64::from(BASE))?.checked_add(digit)
        })
    }

    /// A count.
    pub(crate) fn count(&mut self) -> Option<u32> {
        match self.take(1)? as u32 {
            ESCAPE => Some(ESCAPE + self.take(2)? as u32),
            count => Some(count),
        }
    }

    /// A number of any size.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let width = self.take(1)? as usize;
        self.take(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_and_what_lies_between_is_rounded_down() {
        for precision in [Precision::Whole, Precision::Tenths] {
            for step in 0..=100 * precision.steps() {
                assert_eq!(precision.round(precision.percentile(step)), Some(step));
            }
            for outside in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
                assert_eq!(precision.round(outside), None, "{outside}");
            }
        }
        assert_eq!(Precision::Tenths.round(95.3999), Some(953));
        assert_eq!(Precision::Whole.round(99.99), Some(99));
    }

    #[test]
    fn counts_numbers_and_days_survive_at_their_edges() {
        for count in [0, 92, 93, 94, 93 + 94 * 94 - 1] {
            let mut text = Vec::new();
            put_count(&mut text, count);
            assert_eq!(Digits(&text).count(), Some(count));
        }
        for number in [0, 93, 94, 1 << 50, u64::MAX >> 1] {
            let mut text = Vec::new();
            put_number(&mut text, number);
            assert_eq!(Digits(&text).number(), Some(number));
        }
        assert_eq!(day_number("2020-01-01T00:00:00Z".parse().unwrap()), Some(0));
        assert_eq!(day_number("2019-12-31T23:59:59Z".parse().unwrap()), None);
        assert_eq!(day_number("2044-03-10T23:59:59Z".parse().unwrap()), Some(8835));
        assert_eq!(day_number("2044-03-11T00:00:00Z".parse().unwrap()), None);
        assert_eq!(day(2515), date(2026, 11, 20));
    }
}
