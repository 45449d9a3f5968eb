//! The `Retry-After` header in all its forms.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use stint_core::clock::between;

/// The longest delay that is accepted. A typing error at the upstream must not silence a key for a year.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The three date formats of RFC 9110 §5.6.7: the one to send, and two obsolete ones that must still be understood.
const DATE_FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Returns how long the upstream asks to wait, at most [`LONGEST_RETRY_AFTER`]. Returns `None` if the header is missing
/// or makes no sense.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to parse is a very long time.
        text.parse().map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
    } else {
        // If the upstream sends its own date, both dates are from its clock, so a difference from our clock does not
        // matter.
        let sent = headers.get(DATE).and_then(|date| parse_date(date.to_str().ok()?));
        between(sent.unwrap_or(now), parse_date(text)?)
    };
    Some(delay.min(LONGEST_RETRY_AFTER))
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let date = DATE_FORMS.iter().find_map(|form| DateTime::strptime(form, text.trim()).ok())?;
    Offset::UTC.to_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).expect("header"));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).expect("header"));
        }
        retry_after(&headers, "1994-11-06T08:49:00Z".parse().expect("timestamp"))
    }

    #[test]
    fn seconds_are_read_and_capped() {
        assert_eq!(parse("120", None), Some(Duration::from_secs(120)));
        assert_eq!(parse(" 0 ", None), Some(Duration::ZERO));
        assert_eq!(parse("90000", None), Some(LONGEST_RETRY_AFTER));
        assert_eq!(parse("99999999999999999999999999", None), Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn every_form_of_date_is_read_against_our_clock() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(date, None), Some(Duration::from_secs(37)), "{date}");
        }
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_answer() {
        let delay = parse("Sun, 06 Nov 2022 08:49:37 GMT", Some("Sun, 06 Nov 2022 08:49:27 GMT"));
        assert_eq!(delay, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_date_in_the_past_is_no_wait_and_nonsense_is_none() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:48:00 GMT", None), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-5", "1.5", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(parse(nonsense, None), None, "{nonsense}");
        }
    }
}
