//! Formats and parses times for people: in this machine's time zone, and relative to now.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp, ToSpan};
use stint_core::clock::between;

/// Formats `14:32:10` today, `Nov 21 14:32:10` on another day, and adds the year in another year.
pub(crate) fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let format = match () {
        () if at.date() == now.date() => "%H:%M:%S",
        () if at.year() == now.year() => "%b %-d %H:%M:%S",
        () => "%Y-%m-%d %H:%M:%S",
    };
    at.strftime(format).to_string()
}

/// Formats `14:32:10 (in 3 min 5 s)` or `14:32:10 (2 h 4 min ago)`.
pub(crate) fn format_time(at: Timestamp, now: Timestamp) -> String {
    let clock = clock_time(at, now);
    if at > now {
        return format!("{clock} (in {})", format_duration(between(now, at)));
    }
    format!("{clock} ({} ago)", format_duration(between(at, now)))
}

/// Formats the two largest units: `12 s`, `3 min 5 s`, `2 h`, `3 d 4 h`.
pub(crate) fn format_duration(duration: Duration) -> String {
    // Rounded up, so that a future time is never shown as "in 0 s".
    let seconds = duration.as_millis().div_ceil(1_000);
    let units = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = units.iter().position(|(amount, _)| *amount > 0).unwrap_or(units.len() - 1);
    let shown = units.iter().skip(first).take(2).filter(|(amount, _)| *amount > 0);
    let words: Vec<String> = shown.map(|(amount, unit)| format!("{amount} {unit}")).collect();
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

/// A time on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TimeArgument {
    /// A time with its offset.
    Exact(Timestamp),
    /// A date and time in this machine's time zone.
    Local(DateTime),
    /// The next time at which the local clock shows this time of day.
    Clock(Time),
}

impl TimeArgument {
    /// Parses `2026-11-20T15:00:00Z`, `2026-11-20 15:00` or `15:00`.
    pub(crate) fn parse(text: &str) -> Result<TimeArgument, String> {
        // The parser of times accepts a date with a time too, and ignores the date.
        let parsed = if text.contains('-') {
            text.parse().map(TimeArgument::Exact).or_else(|_| text.parse().map(TimeArgument::Local))
        } else {
            text.parse().map(TimeArgument::Clock)
        };
        parsed.map_err(|_| {
            format!("'{text}' is not a time such as 15:00, '2026-11-20 15:00' (local) or 2026-11-20T15:00:00Z")
        })
    }

    /// Returns the instant that is meant, as of `now`.
    pub(crate) fn instant(self, now: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::system();
        match self {
            TimeArgument::Exact(at) => Some(at),
            TimeArgument::Local(at) => at.to_zoned(zone).ok().map(|at| at.timestamp()),
            TimeArgument::Clock(time) => {
                let today = now.to_zoned(zone.clone()).date();
                let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
                let today_at = on(today)?.timestamp();
                if today_at > now { Some(today_at) } else { Some(on(today.checked_add(1.day()).ok()?)?.timestamp()) }
            }
        }
    }
}

/// Parses `90s`, `2h 30m`, `1d` or `PT2H`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: Option<Span> = text.parse().ok();
    let length = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let length = length.and_then(|length| Duration::try_from(length).ok()).filter(|length| !length.is_zero());
    length.ok_or_else(|| format!("'{text}' is not a time span such as 90s, 2h 30m or 1d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let lengths =
            [0, 12, 185, 7_200, 7_260, 90_000, 86_400].map(|seconds| format_duration(Duration::from_secs(seconds)));
        assert_eq!(lengths, ["0 s", "12 s", "3 min 5 s", "2 h", "2 h 1 min", "1 d 1 h", "1 d"]);
    }

    #[test]
    fn times_are_parsed_in_every_form() {
        let now = at("2026-11-20T10:00:00Z");
        assert_eq!(TimeArgument::parse("2026-11-20T15:00:00Z").unwrap().instant(now), Some(at("2026-11-20T15:00:00Z")));
        assert!(matches!(TimeArgument::parse("2026-11-20 15:00").unwrap(), TimeArgument::Local(_)));
        assert!(matches!(TimeArgument::parse("15:00").unwrap(), TimeArgument::Clock(_)));
        assert!(matches!(TimeArgument::parse("2026-11-20T15:00").unwrap(), TimeArgument::Local(_)));
        assert!(TimeArgument::parse("soon").unwrap_err().contains("15:00"));
    }

    #[test]
    fn a_clock_time_is_the_next_one() {
        let now = at("2026-11-20T10:00:00Z");
        for text in ["00:00", "06:30", "12:00", "23:59"] {
            let then = TimeArgument::parse(text).unwrap().instant(now).unwrap();
            assert!(then > now && between(now, then) <= Duration::from_secs(25 * 3600), "{text}: {then}");
        }
    }

    #[test]
    fn durations_are_parsed_with_units() {
        assert_eq!(parse_duration("2h 30m"), Ok(Duration::from_secs(9_000)));
        assert_eq!(parse_duration("1d"), Ok(Duration::from_secs(86_400)));
        assert!(parse_duration("90").is_err());
        assert!(parse_duration("0s").is_err());
    }
}
