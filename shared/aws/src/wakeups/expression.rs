//! Schedule expressions, in which EventBridge Scheduler writes times and periods.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use stint_core::clock::{between, from_millis, to_millis};

/// The shortest period. Every period is a multiple of it.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// When a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Once.
    At(Timestamp),
    /// Periodically.
    Rate(Duration),
}

impl When {
    /// Returns the expression, in UTC and whole seconds. A time is rounded up, so that nothing fires early.
    pub(super) fn expression(self) -> String {
        match self {
            When::At(at) => format!("at({})", whole_seconds(at).strftime("%Y-%m-%dT%H:%M:%S")),
            When::Rate(period) => match period.as_secs() / MINUTE.as_secs() {
                1 => "rate(1 minute)".to_owned(),
                minutes => format!("rate({minutes} minutes)"),
            },
        }
    }

    /// Parses an expression in UTC. Returns `None` for a cron expression and for invalid text.
    pub(super) fn parse(expression: &str) -> Option<When> {
        if let Some(time) = argument(expression, "at(") {
            let at = time.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
            return Some(When::At(at.timestamp()));
        }
        let (count, unit) = argument(expression, "rate(")?.split_once(' ')?;
        let seconds = match unit.trim().trim_end_matches('s') {
            "minute" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            _ => return None,
        };
        let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
        Some(When::Rate(Duration::from_secs(count.checked_mul(seconds)?)))
    }
}

/// Returns the period of a cron expression as infrastructure writes it for a schedule that is aligned to multiples of its
/// period in UTC: `cron(0/5 * * * ? *)`, `cron(0 0/3 * * ? *)` or `cron(0 0 * * ? *)`. Returns `None` for any other.
pub(super) fn aligned_period(expression: &str) -> Option<Duration> {
    let (minute, hour) = argument(expression, "cron(")?.strip_suffix(" * * ? *")?.split_once(' ')?;
    let step = |field: &str, within: u32| {
        let step = field.strip_prefix("0/")?.parse().ok();
        step.filter(|step: &u32| *step > 0 && within.is_multiple_of(*step))
    };
    match (minute, hour) {
        ("0", "0") => Some(MINUTE * 24 * 60),
        ("0", hour) => Some(MINUTE * 60 * step(hour, 24)?),
        (minute, "*") => Some(MINUTE * step(minute, 60)?),
        _ => None,
    }
}

/// Returns whether EventBridge Scheduler supports this period: whole minutes, at least one.
pub(super) fn is_rate(period: Duration) -> bool {
    period >= MINUTE && period.subsec_nanos() == 0 && period.as_secs().is_multiple_of(MINUTE.as_secs())
}

/// Returns the first firing after `now` of a recurring schedule that began at `start`.
pub(super) fn next_firing(start: Timestamp, period: Duration, now: Timestamp) -> Timestamp {
    if start > now {
        return start;
    }
    let period = period.as_millis().max(1);
    let periods = between(start, now).as_millis() / period + 1;
    let ahead = i64::try_from(periods * period).unwrap_or(i64::MAX);
    from_millis(to_millis(start).saturating_add(ahead))
}

/// Returns the instant, rounded up to a whole second.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    let seconds = at.as_second().saturating_add(i64::from(at.subsec_nanosecond() > 0));
    Timestamp::from_second(seconds).unwrap_or(at)
}

fn argument<'a>(expression: &'a str, function: &str) -> Option<&'a str> {
    expression.strip_prefix(function)?.strip_suffix(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_written_in_whole_seconds_and_never_early() {
        assert_eq!(When::At(time("2026-11-20T10:00:00Z")).expression(), "at(2026-11-20T10:00:00)");
        assert_eq!(When::At(time("2026-12-31T23:59:59.001Z")).expression(), "at(2027-01-01T00:00:00)");
    }

    #[test]
    fn a_period_is_written_in_minutes() {
        assert_eq!(When::Rate(MINUTE).expression(), "rate(1 minute)");
        assert_eq!(When::Rate(MINUTE * 60).expression(), "rate(60 minutes)");
        let kept = [(59, false), (60, true), (61, false), (0, false), (86_400, true)];
        for (seconds, expected) in kept {
            assert_eq!(is_rate(Duration::from_secs(seconds)), expected, "{seconds} s");
        }
        assert!(!is_rate(Duration::from_millis(60_500)));
    }

    #[test]
    fn what_is_written_is_read() {
        for when in [When::At(time("2026-11-20T10:00:00Z")), When::Rate(MINUTE), When::Rate(MINUTE * 180)] {
            assert_eq!(When::parse(&when.expression()), Some(when));
        }
        assert_eq!(When::parse("rate(3 hours)"), Some(When::Rate(MINUTE * 180)));
        assert_eq!(When::parse("rate(1 day)"), Some(When::Rate(MINUTE * 1_440)));
        for strange in ["cron(0 9 * * ? *)", "rate(0 minutes)", "rate(5 weeks)", "rate(minutes)", "at(soon)", ""] {
            assert_eq!(When::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn an_aligned_schedule_has_a_period() {
        let aligned = [
            ("cron(0/2 * * * ? *)", Some(2)),
            ("cron(0 0/3 * * ? *)", Some(180)),
            ("cron(0 0 * * ? *)", Some(1_440)),
            ("cron(0/7 * * * ? *)", None),
            ("cron(0/0 * * * ? *)", None),
            ("cron(0 9 * * ? *)", None),
            ("cron(0 0 ? * MON *)", None),
            ("rate(5 minutes)", None),
        ];
        for (expression, minutes) in aligned {
            assert_eq!(aligned_period(expression), minutes.map(|minutes| MINUTE * minutes), "{expression}");
        }
    }

    #[test]
    fn a_recurring_schedule_keeps_its_grid() {
        let start = time("2026-11-20T10:00:00Z");
        let next = |now: &str| next_firing(start, MINUTE * 60, time(now));
        assert_eq!(next("2026-11-20T09:00:00Z"), start);
        assert_eq!(next("2026-11-20T10:00:00Z"), time("2026-11-20T11:00:00Z"));
        assert_eq!(next("2026-11-20T15:59:59Z"), time("2026-11-20T16:00:00Z"));
    }
}
