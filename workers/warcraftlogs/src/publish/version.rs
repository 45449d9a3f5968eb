//! The version of a publication.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::civil::Date;

/// Above any number in use: a publication every minute reaches half of it in a year.
const MAX_NUMBER: u32 = 999_999;

/// The years that the data's day may be in. Anyone may have written the tags and tables of contents.
const YEARS: RangeInclusive<i16> = 2004..=2999;

/// `2026.11.28-1`: the newest day of the data, and a number that makes the version higher than every earlier one. It
/// does not depend on a clock: the same databases on top of the same publication have the same version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    day: Date,
    number: u32,
}

impl Version {
    /// The version after `earlier`. If the data have become older, its day is kept: addon managers only install higher
    /// versions.
    pub(super) fn next(earlier: Option<Version>, day: Date) -> Version {
        match earlier {
            Some(Version { day: earlier, number }) if earlier >= day && number < MAX_NUMBER => {
                Version { day: earlier, number: number + 1 }
            }
            // The numbers of its day are used up. There is a next day, since no version is in the last possible year.
            Some(Version { day: earlier, .. }) if earlier >= day => {
                Version { day: earlier.tomorrow().unwrap_or(earlier), number: 1 }
            }
            _ => Version { day, number: 1 },
        }
    }

    /// The tag of this version.
    pub(super) fn tag(self) -> String {
        format!("v{self}")
    }

    /// The version of a tag, if it is one of Stint's.
    pub(super) fn of_tag(tag: &str) -> Option<Version> {
        tag.strip_prefix('v')?.parse().ok()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version { day, number } = self;
        write!(formatter, "{}.{:02}.{:02}-{number}", day.year(), day.month(), day.day())
    }
}

impl FromStr for Version {
    type Err = ();

    /// Parses only what [`Display`](fmt::Display) writes for a version in range: other versions are not Stint's.
    fn from_str(text: &str) -> Result<Version, ()> {
        let (day, number) = text.split_once('-').ok_or(())?;
        let version =
            Version { day: day.replace('.', "-").parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? };
        let is_ours = YEARS.contains(&version.day.year()) && (1..=MAX_NUMBER).contains(&version.number);
        (is_ours && version.to_string() == text).then_some(version).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(earlier: Option<&str>, day: &str) -> String {
        Version::next(earlier.map(|earlier| earlier.parse().unwrap()), day.parse().unwrap()).to_string()
    }

    #[test]
    fn versions_only_rise() {
        assert_eq!(next(None, "2026-11-28"), "2026.11.28-1");
        assert_eq!(next(Some("2026.11.27-4"), "2026-11-28"), "2026.11.28-1");
        assert_eq!(next(Some("2026.11.28-1"), "2026-11-28"), "2026.11.28-2");
        assert_eq!(next(Some("2026.11.28-9"), "2026-11-20"), "2026.11.28-10");
        let (ninth, tenth): (Version, Version) = ("2026.11.28-9".parse().unwrap(), "2026.11.28-10".parse().unwrap());
        assert!(ninth < tenth);
    }

    #[test]
    fn a_number_never_starts_again_at_0() {
        for wraps in ["2026.11.28-4294967295", "2026.11.28-1000000", "9999.12.31-1", "3000.01.01-1", "0001.01.01-1"] {
            assert_eq!(wraps.parse::<Version>(), Err(()), "{wraps}");
        }
        assert_eq!(next(Some("2026.11.28-999999"), "2026-11-28"), "2026.11.29-1");
        assert_eq!(next(Some("2026.12.31-999999"), "2026-11-28"), "2027.01.01-1");
        assert_eq!(next(Some("2999.12.31-999999"), "2026-11-28"), "3000.01.01-1");
    }

    #[test]
    fn only_our_own_spelling_is_a_version() {
        for text in [
            "",
            "1.0.0",
            "2026.11.28",
            "2026.11.28-",
            "2026.1.28-1",
            "2026.13.28-1",
            "2026.11.28-01",
            "2026.11.28-0",
            "2026-11-28-1",
        ] {
            assert_eq!(text.parse::<Version>(), Err(()), "{text}");
        }
        assert_eq!(Version::of_tag("v2026.11.28-3").map(|version| version.tag()).as_deref(), Some("v2026.11.28-3"));
        assert_eq!(Version::of_tag("2026.11.28-3"), None);
    }
}
