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
/// The header that names the rules, each of which has a header of its own.
pub(super) const RULES: &str = "x-rate-limit-rules";

/// How much of a header an error quotes.
const QUOTED_CHARACTERS: usize = 80;

/// What one answer says about limits. Nothing in it is ever a reason to refuse the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// The name of the budget. Two endpoints with the same one share it.
    pub policy: Option<String>,
    /// The rules whose limits could be read, in the order of the header. All of them bind.
    pub rules: Vec<RateRule>,
    /// How long the upstream asks to stay away, capped by [`LONGEST_RETRY_AFTER`](crate::LONGEST_RETRY_AFTER).
    pub retry_after: Option<Duration>,
    /// What could not be read. The rule that it was about is missing above, or its state is.
    pub problems: Vec<RateHeaderError>,
}

/// One rule: whose requests are counted, and in which windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateRule {
    /// `ip`, `account`, `client`, …: an open set, in lower case.
    pub name: String,
    /// All of them bind. Never empty.
    pub windows: Vec<RateWindow>,
}

/// At the most `max_hits` requests in any `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    /// Requests. At least 1.
    pub max_hits: u32,
    /// At least a second.
    pub period: Duration,
    /// How long nothing is answered after one request too many.
    pub restriction: Duration,
    /// What the upstream has counted by now; `None` when it did not say.
    #[serde(skip)]
    pub state: Option<WindowState>,
}

/// What an upstream has counted in a window, the request that it answers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowState {
    /// Requests, refused ones too.
    pub hits: u32,
    /// How long the restriction in force still lasts; zero when there is none.
    pub restricted_for: Duration,
}

/// A rate-limit header that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {header}: {field} {problem} in \"{value}\"")]
pub struct RateHeaderError {
    /// The header, in lower case.
    pub header: String,
    /// The part of it, as the grammar calls it.
    pub field: &'static str,
    /// What is wrong with that.
    pub problem: &'static str,
    /// The header's value, or its printable beginning.
    pub value: String,
}

impl RateLimits {
    /// Reads the headers of an answer that arrived at `now`. Without any of them everything is empty.
    pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> RateLimits {
        let mut limits = RateLimits { retry_after: retry_after(headers, now), ..RateLimits::default() };
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

    /// The requests that these limits permit in `time` in the long run: what the strictest window lets through.
    /// Infinite without limits.
    pub fn permitted(&self, time: Duration) -> f64 {
        let windows = self.rules.iter().flat_map(|rule| &rule.windows);
        let rates = windows.map(|window| f64::from(window.max_hits) / window.period.as_secs_f64());
        rates.fold(f64::INFINITY, f64::min) * time.as_secs_f64()
    }

    /// A header's trimmed text. An empty one is as good as none, and one that is no text is a problem.
    fn text<'h>(&mut self, headers: &'h HeaderMap, header: &str) -> Option<&'h str> {
        let value = headers.get(header)?;
        let text = value.to_str().map(str::trim);
        if text.is_err() {
            let value = &String::from_utf8_lossy(value.as_bytes());
            self.problems.push(RateHeaderError::new(header, "value", "is no text", value));
        }
        text.ok().filter(|text| !text.is_empty())
    }

    fn rule(&mut self, headers: &HeaderMap, name: &str, rules: &str) -> Result<RateRule, RateHeaderError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(RateHeaderError::new(RULES, "rule name", "is empty or fits no header", rules));
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
            return Err(RateHeaderError::new(header, "list", "has another length than the limits", value));
        }
        for (window, state) in windows.iter_mut().zip(value.split(',')) {
            let [hits, period, restricted] = numbers(header, ["hits", "period", "restricted_for"], state, value)?;
            if seconds(period) != window.period {
                return Err(RateHeaderError::new(header, "period", "is another one than in the limits", value));
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

/// The three numbers of `text`, which stands in `value` of `header`.
fn numbers(header: &str, fields: [&'static str; 3], text: &str, value: &str) -> Result<[u32; 3], RateHeaderError> {
    let mut parts = text.split(':');
    let mut numbers = [0; 3];
    for (number, field) in numbers.iter_mut().zip(fields) {
        let Some(part) = parts.next() else {
            return Err(RateHeaderError::new(header, field, "is missing", value));
        };
        let part = part.trim();
        // `parse` alone would take a sign.
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = part.parse().ok().filter(|_| digits);
        *number = parsed.ok_or_else(|| RateHeaderError::new(header, field, "is no number that fits", value))?;
    }
    match parts.next() {
        Some(_) => Err(RateHeaderError::new(header, fields[2], "is followed by something", value)),
        None => Ok(numbers),
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}
