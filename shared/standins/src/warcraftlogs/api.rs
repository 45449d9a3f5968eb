//! `POST /api/v2/client`: the checks that a query passes, and its charge.

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use stint_core::points::Points;

use super::answers::{self, Answer};
use super::graphql::{self, Outcome, ServerState};
use super::oauth::Caller;
use super::options::Damage;
use super::reports::Reports;
use super::upstream::{RequestDraws, WarcraftLogs};

/// The longest `Retry-After` of a rate-limited request, in seconds.
const LONGEST_PAUSE: u64 = 5;

impl WarcraftLogs {
    /// Handles a query.
    pub(super) fn api(&mut self, now: Timestamp, request: &Request<Bytes>, draws: RequestDraws) -> Answer {
        self.counts.api_requests += 1;
        if let Some(refusal) = self.rate_limit(now) {
            return refusal;
        }
        let answer = match self.tokens.caller(now, request) {
            Caller::NoToken => answers::json(StatusCode::NOT_FOUND, r#"{"message":""}"#),
            Caller::InvalidToken => answers::json(StatusCode::UNAUTHORIZED, r#"{"error":"Unauthenticated."}"#),
            Caller::Key(key) => self.query(now, key, request, draws),
        };
        self.with_rate(answer)
    }

    fn query(&mut self, now: Timestamp, key: usize, request: &Request<Bytes>, draws: RequestDraws) -> Answer {
        if let Some(seconds) = draws.rate_limited {
            self.counts.rate_limited += 1;
            return answers::too_fast(seconds);
        }
        if let Some(status) = draws.fails_before_charge {
            self.counts.failed += 1;
            return answers::failed(status);
        }
        let account = &mut self.accounts[key];
        let rates = account.rates(now);
        if !account.admit(now) {
            return answers::points_used_up(rates.reset_in.max(1));
        }
        let (seed, started) = (self.options.seed, self.options.started);
        let reports = Reports { population: &self.population, seed, started, now };
        let faults = &self.options.section_faults;
        let state = ServerState { reports, rates, frozen: &self.frozen, faults, request: self.counts.requests };
        let outcome = graphql::answer(request.body(), state);
        account.charge(now, Points::from_micros(outcome.cost_micros));
        if let Some(status) = draws.fails_after_charge {
            self.counts.failed += 1;
            return answers::failed(status);
        }
        let whole = !matches!(outcome.damage, Some(Damage::TextOnly | Damage::EmptyBody));
        if self.options.section_faults.counts_sections && whole {
            self.sections.answer(&outcome.sections);
        }
        with_damage(outcome)
    }

    /// Returns the refusal of a request over the rate limit.
    pub(super) fn rate_limit(&mut self, now: Timestamp) -> Option<Answer> {
        let bucket = self.bucket.as_mut()?;
        let wait = bucket.take(now).err()?;
        self.counts.rate_limited += 1;
        let seconds = (wait.as_millis() as u64).div_ceil(1000).clamp(1, LONGEST_PAUSE);
        Some(self.with_rate(answers::too_fast(seconds)))
    }

    /// Returns `answer` with the headers of the rate limit, if there is one.
    pub(super) fn with_rate(&self, answer: Answer) -> Answer {
        match &self.bucket {
            Some(bucket) => answers::with_rate(answer, bucket.limit(), bucket.remaining()),
            None => answer,
        }
    }
}

/// Returns the answer of an executed query, damaged if it includes a character that was never classed.
fn with_damage(outcome: Outcome) -> Answer {
    match outcome.damage {
        None => answers::json(StatusCode::OK, outcome.body),
        Some(Damage::TextOnly) => answers::plain(StatusCode::OK, super::constants::NO_CLASS_SET),
        Some(Damage::TextThenJson) => {
            answers::json(StatusCode::OK, format!("{}{}", super::constants::NO_CLASS_SET, outcome.body))
        }
        Some(Damage::EmptyBody) => answers::json(StatusCode::OK, ""),
    }
}
