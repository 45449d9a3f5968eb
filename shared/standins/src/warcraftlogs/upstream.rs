//! The whole stand-in: its routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::REFERER;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;

use super::account::Account;
use super::answers::{self, Answer};
use super::counters::{Counters, PageReads};
use super::oauth::Tokens;
use super::options::{Options, SectionFaults};
use super::pages::{self, PageRequest};
use super::population::Population;
use super::rate_limits::{Bucket, SiteLimiter};
use super::sections::Sections;
use crate::random::{Purpose, RandomSequence};
use crate::{Reply, Upstream};

/// The path of the API.
const API_PATH: &str = "/api/v2/client";
/// The path of access tokens.
const TOKEN_PATH: &str = "/oauth/token";
/// The path where a test in another process reads the [`Counters`].
const COUNTERS_PATH: &str = "/standin/books";

/// The stand-in for Warcraft Logs.
#[derive(Debug)]
pub struct WarcraftLogs {
    pub(super) options: Options,
    pub(super) population: Arc<Population>,
    pub(super) accounts: Vec<Account>,
    pub(super) tokens: Tokens,
    pub(super) bucket: Option<Bucket>,
    pub(super) counts: Counts,
    /// The raids whose ranks no longer change.
    pub(super) frozen: BTreeSet<u32>,
    pub(super) sections: Sections,
    site_limiter: SiteLimiter,
    pages: BTreeMap<PageRequest, u32>,
}

/// Counters besides the points.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) api_requests: u64,
    pub(super) rate_limited: u64,
    pub(super) failed: u64,
    pub(super) banned: u64,
}

/// The random values of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestDraws {
    latency: Duration,
    /// The status to fail with, if it fails.
    pub(super) fails_before_charge: Option<u16>,
    pub(super) fails_after_charge: Option<u16>,
    /// The `Retry-After` of a 429, if there is one.
    pub(super) rate_limited: Option<u64>,
}

impl WarcraftLogs {
    /// Returns a stand-in that has received no request.
    pub fn new(options: Options) -> WarcraftLogs {
        let accounts = options.keys.iter().map(|key| Account::new(key.clone(), &options)).collect();
        WarcraftLogs {
            population: Arc::new(Population::new(&options)),
            accounts,
            tokens: Tokens::default(),
            bucket: options.api_rate.map(|rate| Bucket::full(rate, options.started)),
            counts: Counts::default(),
            sections: Sections::default(),
            site_limiter: SiteLimiter::new(options.site_rate, options.ban, options.started),
            frozen: options.frozen.iter().copied().collect(),
            pages: BTreeMap::new(),
            options,
        }
    }

    /// The players that can be discovered, with their true ranks. Remains valid without a lock on the stand-in.
    pub fn population(&self) -> Arc<Population> {
        self.population.clone()
    }

    /// The options of the stand-in.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the latency of the answer to request number `request` (from 0), whatever its content. A caller that
    /// handles requests on another thread knows at once how long it may take.
    pub fn latency_of(options: &Options, request: u64) -> Duration {
        RequestDraws::drawn(options, request).latency
    }

    /// Freezes a raid: from now on its ranks no longer change.
    pub fn freeze(&mut self, raid: u32) {
        self.frozen.insert(raid);
    }

    /// Replaces the secret of the key `id`: the old secret and all tokens become invalid.
    pub fn replace_secret(&mut self, id: &str, secret: &str) {
        if let Some(position) = self.accounts.iter().position(|account| account.key.id == id) {
            secret.clone_into(&mut self.accounts[position].key.secret);
            self.tokens.revoke(position);
        }
    }

    /// Sets the faults within answers from now on.
    pub fn set_section_faults(&mut self, faults: SectionFaults) {
        self.options.section_faults = faults;
    }

    /// Everything counted so far.
    pub fn counters(&self) -> Counters {
        let windows = || self.accounts.iter().flat_map(Account::windows);
        let pages = self.pages.iter().map(|(page, reads)| PageReads {
            zone: page.zone,
            difficulty: page.difficulty,
            page: page.page,
            reads: *reads,
        });
        Counters {
            keys: self.accounts.iter().map(Account::counters).collect(),
            charged: windows().map(|window| window.charged).sum(),
            overspent: windows().map(|window| window.overspent).sum(),
            refused_calls: windows().map(|window| window.refused).sum(),
            rate_limited_calls: self.counts.rate_limited,
            failed_calls: self.counts.failed,
            requests: self.counts.requests,
            api_requests: self.counts.api_requests,
            tokens: self.tokens.issued,
            bans: self.site_limiter.bans,
            banned_requests: self.counts.banned,
            pages: pages.collect(),
            sections: self.sections.count(),
            sections_again: self.sections.again,
            paid_again: self.sections.paid_again,
        }
    }

    fn route(&mut self, now: Timestamp, request: &Request<Bytes>, draws: RequestDraws) -> Answer {
        let path = request.uri().path();
        match *request.method() {
            Method::POST if path == API_PATH => self.api(now, request, draws),
            Method::POST if path == TOKEN_PATH => self.token(now, request),
            Method::GET if path == answers::CHALLENGE_PATH => answers::challenge(),
            Method::GET => match PageRequest::parse(request.uri()) {
                Some(page) => self.page(now, request, page, draws),
                None => answers::html(StatusCode::NOT_FOUND, "<html><body>Not Found</body></html>"),
            },
            _ => answers::json(StatusCode::NOT_FOUND, r#"{"message":""}"#),
        }
    }

    fn token(&mut self, now: Timestamp, request: &Request<Bytes>) -> Answer {
        if let Some(refusal) = self.rate_limit(now) {
            return refusal;
        }
        let keys = self.accounts.iter().map(|account| &account.key);
        let lifetime = self.options.token_lifetime;
        let answer = self.tokens.answer(now, request, keys, self.options.seed, lifetime);
        self.with_rate(answer)
    }

    fn page(&mut self, now: Timestamp, request: &Request<Bytes>, asked: PageRequest, draws: RequestDraws) -> Answer {
        if !self.site_limiter.open(now) {
            self.counts.banned += 1;
            return answers::banned(self.options.ban.form);
        }
        if !request.headers().contains_key(REFERER) {
            return answers::html(StatusCode::FORBIDDEN, "<html><body>Forbidden</body></html>");
        }
        if let Some(status) = draws.fails_before_charge.or(draws.fails_after_charge) {
            self.counts.failed += 1;
            return answers::failed(status);
        }
        *self.pages.entry(asked).or_default() += 1;
        pages::table(&self.population, self.options.seed, self.options.started, asked)
    }
}

impl Upstream for WarcraftLogs {
    fn handle(&mut self, now: Timestamp, request: &Request<Bytes>) -> Reply {
        if request.method() == Method::GET && request.uri().path() == COUNTERS_PATH {
            // Reading the counters changes nothing, including the random values of the next request.
            let counters = serde_json::to_vec(&self.counters()).unwrap_or_default();
            return Reply::whole(answers::json(StatusCode::OK, counters), Duration::ZERO);
        }
        let draws = RequestDraws::drawn(&self.options, self.counts.requests);
        self.counts.requests += 1;
        Reply::whole(self.route(now, request, draws), draws.latency)
    }
}

impl RequestDraws {
    fn drawn(options: &Options, request: u64) -> RequestDraws {
        let faults = options.faults;
        let mut draw = RandomSequence::of(options.seed, Purpose::Request, request);
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let usual = Duration::from_nanos(draw.within(nanos(options.latency.0), nanos(options.latency.1)));
        let status = [500, 502, 520][draw.below(3) as usize];
        let retry_after = draw.within(1, 5);
        let latency = if draw.per_mille(faults.slow) { faults.slow_latency } else { usual };
        // One draw for all three faults, so that they exclude each other and each has exactly its own chance.
        let drawn = draw.below(1000) as u32;
        let (before, after) = (faults.failed_before_charge, faults.failed_before_charge + faults.failed_after_charge);
        RequestDraws {
            latency,
            fails_before_charge: (drawn < before).then_some(status),
            fails_after_charge: (before..after).contains(&drawn).then_some(status),
            rate_limited: (after..after + faults.rate_limited).contains(&drawn).then_some(retry_after),
        }
    }
}
