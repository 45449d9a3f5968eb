//! The grammar of the rate-limit headers.
//!
//! ```text
//! X-Rate-Limit-Policy: public-stash-tabs-request-limit-pc     one name, one budget, on whatever endpoints
//! X-Rate-Limit-Rules: Account,Ip                              names, in any case
//! X-Rate-Limit-Ip: 45:60:120,180:1800:600                     max hits : period : restriction, in seconds
//! X-Rate-Limit-Ip-State: 1:60:0,2:1800:0                      hits : period : restricted for, in the same order
//! Retry-After: 10                                             only when refused
//! ```
//!
//! <https://www.pathofexile.com/developer/docs/index#ratelimits>

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::retry_after::retry_after;

const POLICY: &str = "x-rate-limit-policy";
/// The header that names the rules. Each rule has a header of its own.
pub(super) const RULES: &str = "x-rate-limit-rules";

/// How many characters of a header an error quotes.
const QUOTED_CHARACTERS: usize = 80;

/// What one answer says about limits. Nothing in it is a reason to refuse the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnouncedLimits {
    /// The name of the policy. Endpoints with the same policy share one budget.
    pub policy: Option<String>,
    /// The rules whose limits could be read, in the order of the header. All of them apply.
    pub rules: Vec<RateRule>,
    /// How long the upstream asks to wait, capped by [`LONGEST_RETRY_AFTER`](crate::LONGEST_RETRY_AFTER).
    pub retry_after: Option<Duration>,
    /// What could not be read. The rule concerned, or its state, is missing above.
    pub problems: Vec<RateHeaderError>,
}

/// One rule: whose requests are counted together, and in which windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateRule {
    /// `ip`, `account`, `client`, …: an open set, in lower case.
    pub name: String,
    /// All of them apply. Never empty.
    pub windows: Vec<RateWindow>,
}

/// At most `max_hits` requests in any `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    /// The number of requests. At least 1.
    pub max_hits: u32,
    /// At least a second.
    pub period: Duration,
    /// How long every request is refused after one request too many.
    pub restriction: Duration,
    /// What the upstream has counted so far. `None` if it did not say.
    #[serde(skip)]
    pub state: Option<WindowState>,
}

/// What an upstream has counted in a window, including the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowState {
    /// The number of requests, including refused ones.
    pub hits: u32,
    /// How long a restriction in force will last; zero if there is none.
    pub restricted_for: Duration,
}

/// A rate-limit header that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {header}: {field} {problem} in \"{value}\"")]
pub struct RateHeaderError {
    /// The header, in lower case.
    pub header: String,
    /// The part of the header, by its name in the grammar.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
    /// The header's value, or its printable beginning.
    pub value: String,
}

impl AnnouncedLimits {
    /// Reads the headers of an answer that arrived at `now`. Everything is empty if there are none.
    pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> AnnouncedLimits {
        let mut limits = AnnouncedLimits { retry_after: retry_after(headers, now), ..AnnouncedLimits::default() };
        limits.policy = limits.text(headers, POLICY).map(str::to_owned);
        let Some(rules) = limits.text(headers, RULES) else { return limits };
        for name in rules.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            match limits.rule(headers, &name, rules) {
                Ok(rule) => limits.rules.push(rule),
                Err(problem) => limits.problems.push(problem),
            }
        }
        limits
    }

    /// Returns how many requests these limits permit within `time` in the long run, which is what the strictest window
    /// permits. Infinite without limits.
    pub fn permitted(&self, time: Duration) -> f64 {
        let windows = self.rules.iter().flat_map(|rule| &rule.windows);
        let rates = windows.map(|window| f64::from(window.max_hits) / window.period.as_secs_f64());
        rates.fold(f64::INFINITY, f64::min) * time.as_secs_f64()
    }

    /// Returns a header's trimmed text. An empty header counts as missing; one that is not text is a problem.
    fn text<'h>(&mut self, headers: &'h HeaderMap, header: &str) -> Option<&'h str> {
        let value = headers.get(header)?;
        let text = value.to_str().map(str::trim);
        if text.is_err() {
            let value = &String::from_utf8_lossy(value.as_bytes());
            self.problems.push(RateHeaderError::new(header, "value", "is not text", value));
        }
        text.ok().filter(|text| !text.is_empty())
    }

    fn rule(&mut self, headers: &HeaderMap, name: &str, rules: &str) -> Result<RateRule, RateHeaderError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(RateHeaderError::new(RULES, "rule name", "is empty or not a valid header name", rules));
        }
        let header = format!("x-rate-limit-{name}");
        let Some(value) = self.text(headers, &header) else {
            return Err(RateHeaderError::new(&header, "value", "is missing, though the rules name it", rules));
        };
        let fields = ["max_hits", "period", "restriction"];
        let windows = value.split(',').map(|window| {
            let [max_hits, period, restriction] = numbers(&header, fields, window, value)?;
            if max_hits == 0 || period == 0 {
                let field = if max_hits == 0 { fields[0] } else { fields[1] };
                return Err(RateHeaderError::new(&header, field, "is 0", value));
            }
            Ok(RateWindow { max_hits, period: seconds(period), restriction: seconds(restriction), state: None })
        });
        let mut windows: Vec<RateWindow> = windows.collect::<Result<_, _>>()?;
        if let Err(problem) = self.states(headers, &format!("{header}-state"), &mut windows) {
            windows.iter_mut().for_each(|window| window.state = None);
            self.problems.push(problem);
        }
        Ok(RateRule { name: name.to_owned(), windows })
    }

    fn states(&mut self, headers: &HeaderMap, header: &str, windows: &mut [RateWindow]) -> Result<(), RateHeaderError> {
        let Some(value) = self.text(headers, header) else { return Ok(()) };
        if value.split(',').count() != windows.len() {
            return Err(RateHeaderError::new(header, "list", "differs in length from the limits", value));
        }
        for (window, state) in windows.iter_mut().zip(value.split(',')) {
            let [hits, period, restricted] = numbers(header, ["hits", "period", "restricted_for"], state, value)?;
            if seconds(period) != window.period {
                return Err(RateHeaderError::new(header, "period", "differs from the one in the limits", value));
            }
            window.state = Some(WindowState { hits, restricted_for: seconds(restricted) });
        }
        Ok(())
    }
}

impl RateHeaderError {
    fn new(header: &str, field: &'static str, problem: &'static str, value: &str) -> RateHeaderError {
        let value = value.chars().filter(|character| !character.is_control()).take(QUOTED_CHARACTERS).collect();
        RateHeaderError { header: header.to_owned(), field, problem, value }
    }
}

/// Returns the three numbers of `text`, which is part of `value` in `header`.
fn numbers(header: &str, fields: [&'static str; 3], text: &str, value: &str) -> Result<[u32; 3], RateHeaderError> {
    let mut parts = text.split(':');
    let mut numbers = [0; 3];
    for (number, field) in numbers.iter_mut().zip(fields) {
        let Some(part) = parts.next() else {
            return Err(RateHeaderError::new(header, field, "is missing", value));
        };
        let part = part.trim();
        // `parse` alone would accept a sign.
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = part.parse().ok().filter(|_| digits);
        *number = parsed.ok_or_else(|| RateHeaderError::new(header, field, "is not a valid number", value))?;
    }
    match parts.next() {
        Some(_) => Err(RateHeaderError::new(header, fields[2], "is followed by more text", value)),
        None => Ok(numbers),
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}
