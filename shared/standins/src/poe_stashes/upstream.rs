//! The whole stand-in: its routes.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use jiff::Timestamp;

use super::answers::{self, Answer, Refusal, compressed, refused};
use super::counters::{Counters, ServedPage, digest};
use super::oauth::Tokens;
use super::options::{Faults, Options};
use super::rate_limits::RateLimiter;
use super::river::{River, parse};
use super::stash::Stash;
use crate::random::{Purpose, RandomSequence};
use crate::{Reply, Transfer, Upstream};

/// The path of the pages; `/xbox` or `/sony` may follow.
const PAGES_PATH: &str = "/public-stash-tabs";
/// The path of access tokens.
const TOKEN_PATH: &str = "/oauth/token";
/// The path of the head of the river, which needs no token.
const HEAD_PATH: &str = "/api/trade/data/change-ids";
/// The path where a test in another process reads the [`Counters`].
const COUNTERS_PATH: &str = "/standin/books";

/// The realms, each with its own river. The first one is the default.
const REALMS: [&str; 3] = ["pc", "xbox", "sony"];

const NEXT_CHANGE_ID: HeaderName = HeaderName::from_static("x-next-change-id");

/// The stand-in for the public stash API of Path of Exile.
#[derive(Debug)]
pub struct PoeStashes {
    options: Options,
    realms: Vec<Realm>,
    tokens: Tokens,
    counters: Counters,
}

#[derive(Debug)]
struct Realm {
    river: River,
    rate_limiter: RateLimiter,
}

/// The random values of one request.
struct RequestDraws {
    latency: Duration,
    bad_gateway: bool,
    unavailable: bool,
    /// The share of the body, in per mille, after which the connection closes.
    cut: Option<u32>,
}

impl PoeStashes {
    /// Returns a stand-in that has received no request.
    pub fn new(options: Options) -> PoeStashes {
        let realm = |(number, name): (usize, &&str)| Realm {
            river: River::new(&options, options.seed.wrapping_add(number as u64)),
            rate_limiter: RateLimiter::new(
                format!("public-stash-tabs-request-limit-{name}"),
                &options.windows,
                options.counting,
                options.started,
            ),
        };
        let realms = REALMS.iter().enumerate().map(realm).collect();
        PoeStashes { realms, tokens: Tokens::default(), counters: Counters::default(), options }
    }

    /// The options of the stand-in.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Refuses every request from now on, as after too many client errors.
    pub fn ban(&mut self) {
        self.options.ban_after = 0;
    }

    /// Sets the random faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.options.faults = faults;
    }

    /// Everything counted and served so far.
    pub fn counters(&self) -> Counters {
        let banned = self.is_banned();
        Counters { banned, tokens: self.tokens.issued, ..self.counters.clone() }
    }

    /// The id of the last edit in the game, as the head endpoint returns it.
    pub fn head(&self, now: Timestamp) -> String {
        let river = self.river();
        river.change_id(river.head(now))
    }

    /// The id after the last edit that the river shows.
    pub fn tail(&self, now: Timestamp) -> String {
        let river = self.river();
        river.change_id(river.tail(now))
    }

    /// The id of the first page.
    pub fn beginning(&self) -> String {
        self.river().change_id(0)
    }

    /// Returns the number of edits before the position of `change_id`. `None` if it is not a valid id.
    pub fn position(&self, change_id: &str) -> Option<u64> {
        parse(change_id).map(|shards| self.river().position(shards))
    }

    /// Returns a stash as the river lists it at `now`. `None` if there is no such stash.
    pub fn current(&mut self, now: Timestamp, stash_id: &str) -> Option<String> {
        let number = Stash::number_of(&self.options, stash_id)?;
        let river = &mut self.realms[0].river;
        river.advance_to(now);
        let mut json = String::new();
        Stash::new(&self.options, number, river.version(number)?).write(&mut json);
        Some(json)
    }

    fn river(&self) -> &River {
        // There is one for each of REALMS.
        &self.realms[0].river
    }

    fn is_banned(&self) -> bool {
        self.counters.client_errors >= self.options.ban_after
    }

    fn route(&mut self, now: Timestamp, request: &Request<Bytes>, draws: &RequestDraws) -> (Answer, Transfer) {
        let path = request.uri().path();
        if self.is_banned() || !has_valid_user_agent(request.headers()) {
            return whole(refused(Refusal::Forbidden));
        }
        if request.method() == Method::POST && path == TOKEN_PATH {
            return whole(self.tokens.answer(now, request, &self.options));
        }
        if request.method() == Method::GET && path == HEAD_PATH {
            return whole(self.answer_head(now, request));
        }
        match path.strip_prefix(PAGES_PATH).and_then(realm_of) {
            Some(realm) if request.method() == Method::GET => self.answer_page(now, request, realm, draws),
            _ => whole(refused(Refusal::NotFound)),
        }
    }

    fn answer_head(&mut self, now: Timestamp, request: &Request<Bytes>) -> Answer {
        self.counters.head_requests += 1;
        if request.headers().contains_key(AUTHORIZATION) {
            return refused(Refusal::Forbidden);
        }
        answers::json(StatusCode::OK, format!(r#"{{"psapi":"{}"}}"#, self.head(now)))
    }

    fn answer_page(
        &mut self,
        now: Timestamp,
        request: &Request<Bytes>,
        realm: usize,
        draws: &RequestDraws,
    ) -> (Answer, Transfer) {
        self.counters.page_requests += 1;
        if draws.bad_gateway {
            return whole(answers::bad_gateway());
        }
        let admitted = self.realms[realm].rate_limiter.admit(now);
        let (mut answer, transfer) = match parse(&asked_id(request)) {
            _ if !admitted => whole(refused(Refusal::RateLimit)),
            _ if !self.tokens.admits(now, request) => whole(refused(Refusal::Unauthorized)),
            _ if draws.unavailable => whole(refused(Refusal::Unavailable)),
            None => whole(refused(Refusal::InvalidQuery)),
            Some(shards) => self.page(now, request, (realm, shards), draws),
        };
        self.realms[realm].rate_limiter.announce(now, answer.headers_mut());
        (answer, transfer)
    }

    fn page(
        &mut self,
        now: Timestamp,
        request: &Request<Bytes>,
        (realm, shards): (usize, [u64; 5]),
        draws: &RequestDraws,
    ) -> (Answer, Transfer) {
        let asked = asked_id(request);
        let river = &mut self.realms[realm].river;
        river.advance_to(now);
        let (from, tail) = (river.position(shards), river.tail(now));
        let to = from.saturating_add(u64::from(self.options.stashes_per_page)).min(tail);
        // After the end, the page returns the requested id, even if it is not a position of the river.
        let next = if from < to { river.change_id(to) } else { empty_page_id(river, &asked) };
        let stashes = if from < to { river.changed(from, to) } else { Vec::new() };
        let body = body(&self.options, river, &next, &stashes);
        self.counters.pages.push(ServedPage {
            change_id: asked,
            next_change_id: next.clone(),
            stashes: stashes.len() as u32,
            bytes: body.len() as u64,
            digest: digest(body.as_bytes()),
            cut: draws.cut.is_some(),
            at: now,
        });
        let mut answer = compressed(request, answers::json(StatusCode::OK, body));
        if let (true, Ok(next)) = (self.options.next_id_header, HeaderValue::try_from(next)) {
            answer.headers_mut().insert(NEXT_CHANGE_ID, next);
        }
        let cut_after = draws.cut.map(|share| answer.body().len() * share as usize / 1000);
        (answer, Transfer { bytes_per_second: self.options.bytes_per_second, cut_after })
    }
}

impl Upstream for PoeStashes {
    fn handle(&mut self, now: Timestamp, request: &Request<Bytes>) -> Reply {
        if request.method() == Method::GET && request.uri().path() == COUNTERS_PATH {
            // Reading the counters changes nothing, including the random values of the next request.
            let counters = serde_json::to_vec(&self.counters()).unwrap_or_default();
            return Reply::whole(answers::json(StatusCode::OK, counters), Duration::ZERO);
        }
        let draws = RequestDraws::drawn(&self.options, self.counters.requests);
        self.counters.requests += 1;
        let (response, transfer) = self.route(now, request, &draws);
        self.counters.client_errors += u64::from(response.status().is_client_error());
        self.counters.refused += u64::from(response.status() == StatusCode::TOO_MANY_REQUESTS);
        self.counters.failed += u64::from(response.status().is_server_error());
        Reply { response, latency: draws.latency, transfer }
    }
}

impl RequestDraws {
    fn drawn(options: &Options, request: u64) -> RequestDraws {
        let mut draw = RandomSequence::of(options.seed, Purpose::Request, request);
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let latency = Duration::from_nanos(draw.within(nanos(options.latency.0), nanos(options.latency.1)));
        let share = draw.below(1000) as u32;
        // One draw for all three faults, so that they exclude each other and each has exactly its own chance.
        let drawn = draw.below(1000) as u32;
        let faults = options.faults;
        let (first, second) = (faults.bad_gateway, faults.bad_gateway + faults.unavailable);
        RequestDraws {
            latency,
            bad_gateway: drawn < first,
            unavailable: (first..second).contains(&drawn),
            cut: (second..second + faults.cut).contains(&drawn).then_some(share),
        }
    }
}

fn whole(answer: Answer) -> (Answer, Transfer) {
    (answer, Transfer::default())
}

/// Whether the user agent begins with `OAuth {client id}/{version} (contact: {contact})`. Requests without it are
/// refused. <https://www.pathofexile.com/developer/docs/index#guidelines>
fn has_valid_user_agent(headers: &HeaderMap) -> bool {
    let text = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = text.strip_prefix("OAuth ").and_then(|text| text.split_once('/'));
    let said = said.and_then(|(client, text)| Some((client, text.split_once(" (contact: ")?)));
    said.is_some_and(|(client, (version, contact))| {
        let contact = contact.split_once(')').map_or("", |(contact, _)| contact.trim());
        !client.trim().is_empty() && !version.trim().is_empty() && !contact.is_empty()
    })
}

/// Returns the realm in the rest of a page's path.
fn realm_of(rest: &str) -> Option<usize> {
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Some(0),
        None => None,
        Some(realm) => REALMS.iter().skip(1).position(|name| *name == realm).map(|place| place + 1),
    }
}

fn asked_id(request: &Request<Bytes>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let id = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "id");
    id.map_or_else(|| "0".to_owned(), |(_, id)| id.into_owned())
}

/// Returns the id of an empty page: the requested id, or the beginning of the river.
fn empty_page_id(river: &River, asked: &str) -> String {
    if asked.contains('-') { asked.to_owned() } else { river.change_id(0) }
}

fn body(options: &Options, river: &River, next: &str, stashes: &[u32]) -> String {
    let mut body = format!(r#"{{"next_change_id":"{next}","stashes":["#);
    for (index, stash) in stashes.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        let version = river.version(*stash).unwrap_or_default();
        Stash::new(options, *stash, version).write(&mut body);
    }
    body.push_str("]}");
    body
}
