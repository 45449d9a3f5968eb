//! The upstream's two endpoints, and how their failures are handled.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::ACCEPT;
use jiff::Timestamp;
use serde::Deserialize;
use stint_core::circuit::Pass;
use stint_core::clock::Clock;
use stint_core::ports::Breakers;
use stint_http::{
    AnnouncedLimits, Body, Client, HttpError, LimitCounts, LimitOptions, Repeat, RequestLimits, RetryPolicy,
    TokenError, TokenSource, Transport,
};

use crate::config::Settings;
use crate::guard::{Guards, guarded};
use crate::look_ahead::HEADER;
use crate::model::ChangeId;
use crate::store::Realm;

/// The scope that gives access to the river.
const SCOPE: &str = "service:psapi";

/// The time limit from the first byte of a request to the last of its body: enough for a page of the largest size over
/// a slow connection.
pub const PAGE_TIMEOUT: Duration = Duration::from_secs(120);

/// A page of the river. The client itself does not retry, because the reaction depends on the failure ([`reaction`]),
/// and the lease must be renewed meanwhile.
const PAGE: RetryPolicy = RetryPolicy {
    operation: "stash page",
    attempts: 1,
    repeat: Repeat::Unseen,
    first_delay: Duration::from_secs(2),
    longest_delay: Duration::from_secs(30),
    rate_limit_waits: 0,
    limits: RequestLimits { timeout: PAGE_TIMEOUT, max_body: 0 },
};

/// The head. It is requested again in two minutes in any case.
const HEAD: RetryPolicy = RetryPolicy {
    operation: "head of the river",
    limits: RequestLimits { timeout: Duration::from_secs(20), max_body: 64 * 1024 },
    ..PAGE
};

/// The stash API for one realm. All callers in a process share one instance, because the upstream counts requests per
/// address.
pub struct Api {
    client: Client,
    tokens: TokenSource,
    pages: String,
    head: Uri,
    page: RetryPolicy,
    clock: Arc<dyn Clock>,
    guards: Guards,
}

/// An answer whose body is still in transit.
#[derive(Debug)]
pub struct PageResponse {
    /// The next change id, if the header has it.
    pub header: Option<ChangeId>,
    /// When the head of the answer arrived.
    pub answered_at: Timestamp,
    /// The page, decompressed.
    pub body: Body,
}

/// The answer of the head's endpoint.
#[derive(Deserialize)]
struct HeadAnswer {
    psapi: ChangeId,
}

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum RiverError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The head's endpoint returned an invalid answer.
    #[error("the answer of {host} has no change id in 'psapi': {reason}")]
    NoHead {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not sent: the circuit breaker reports that the upstream is down.
    #[error("{upstream} has been down since {since}, next probe in {} s: {reason}", delay.as_secs())]
    Down {
        /// The upstream's name at the breaker.
        upstream: String,
        /// Since when.
        since: Timestamp,
        /// The time until the next probe.
        delay: Duration,
        /// How the last request failed.
        reason: String,
    },
}

impl Api {
    /// Returns an API client that sends through `transport`, which must set the user agent ([`Settings::user_agent`]).
    /// The error names the setting that is missing.
    ///
    /// The upstream's health is shared by all processes through `breakers`.
    pub fn new(
        settings: &Settings,
        transport: Arc<dyn Transport>,
        breakers: &Arc<dyn Breakers>,
        clock: Arc<dyn Clock>,
    ) -> Result<Api, String> {
        let (id, secret) = settings.client()?;
        let guards = Guards::new(breakers, &clock);
        let client = Client::with_limits(transport, clock.clone(), LimitOptions::default());
        let client = client.guarded(guards.pages.clone());
        let uri = |variable: &str, url: &url::Url| {
            url.as_str().parse::<Uri>().map_err(|error| format!("{variable}: '{url}' cannot be used: {error}"))
        };
        let token_url = uri("POE_TOKEN_URL", &settings.poe_token_url)?;
        let tokens = TokenSource::new(client.clone(), token_url, id, secret.clone());
        let api = uri("POE_API_URL", &settings.poe_api_url)?.to_string();
        let realm = match settings.poe_realm {
            Realm::Pc => String::new(),
            realm => format!("/{realm}"),
        };
        Ok(Api {
            client,
            tokens: tokens.with_secret_in_body().with_scope(SCOPE),
            pages: format!("{}{realm}", api.trim_end_matches('/')),
            head: uri("POE_HEAD_URL", &settings.poe_head_url)?,
            page: RetryPolicy {
                limits: RequestLimits { max_body: settings.poe_max_body as usize, ..PAGE.limits },
                ..PAGE
            },
            clock,
            guards,
        })
    }

    /// Requests the page of `id` as soon as the rate limits allow, and returns when its headers have arrived.
    pub async fn page(&self, id: ChangeId) -> Result<PageResponse, RiverError> {
        if let Some(opens_at) = self.opens_at().filter(|_| !self.guards.pages.is_closed()) {
            // The rate limits may delay a probe for longer than the breaker waits for its result.
            self.clock.sleep_until(opens_at).await;
        }
        guarded(&self.guards.pages, &*self.clock, |pass| self.open_page(pass, id)).await
    }

    async fn open_page(&self, pass: Pass, id: ChangeId) -> Result<PageResponse, RiverError> {
        let mut request = http::Request::new(Bytes::new());
        request.extensions_mut().insert(pass);
        *request.uri_mut() = self.page_uri(id);
        request.headers_mut().insert(ACCEPT, http::HeaderValue::from_static("application/json"));
        let answer = self.client.open_authorized(request, &self.tokens, &self.page).await?.success()?;
        let header = answer.headers.get(HEADER).and_then(|value| value.to_str().ok());
        let header = header.and_then(|text| match text.trim().parse() {
            Ok(id) => Some(id),
            Err(error) => {
                tracing::warn!(%id, %error, "the header {HEADER} cannot be read: {error}");
                None
            }
        });
        Ok(PageResponse { header, answered_at: self.clock.now(), body: answer.body })
    }

    /// Returns the current head of the river. Needs no token.
    pub async fn head(&self) -> Result<ChangeId, RiverError> {
        // The client asks the pages' breaker, to which a pass of the head's breaker means nothing.
        guarded(&self.guards.head, &*self.clock, |_| self.ask_for_head()).await
    }

    async fn ask_for_head(&self) -> Result<ChangeId, RiverError> {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = self.head.clone();
        let answer = self.client.send(request, &HEAD).await?.success()?;
        let head: Result<HeadAnswer, _> = serde_json::from_slice(&answer.body);
        head.map(|head| head.psapi).map_err(|error| RiverError::NoHead { host: answer.host, reason: error.to_string() })
    }

    /// Whether the breaker lets requests for pages through, as far as this process knows.
    pub fn is_up(&self) -> bool {
        self.guards.pages.is_closed()
    }

    /// Allows the next request as a probe at once. Called when an operator starts the fleet.
    pub async fn probe_now(&self) {
        self.guards.pages.probe_now().await;
        self.guards.head.probe_now().await;
    }

    /// The number of requests so far.
    pub fn counts(&self) -> LimitCounts {
        self.client.limits().map(stint_http::Pacer::counts).unwrap_or_default()
    }

    /// The rate limits of the pages, as the upstream last announced them.
    pub fn limits(&self) -> Option<AnnouncedLimits> {
        self.client.limits()?.limits_of(&self.page_uri(ChangeId::BEGINNING))
    }

    /// Returns when the rate limits allow the next request for a page: in the past if it is allowed now. `None` while a
    /// request is in flight.
    pub fn opens_at(&self) -> Option<Timestamp> {
        self.client.limits()?.opens_at(&self.page_uri(ChangeId::BEGINNING))
    }

    /// Returns the state of the pacer, to be stored.
    pub fn memory(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.client.limits()?.memory()).ok()
    }

    /// Restores the stored state of the pacer. State that a later version has written, and this one cannot read, is
    /// ignored.
    pub fn restore(&self, memory: &serde_json::Value) {
        match (self.client.limits(), serde_json::from_value(memory.clone())) {
            (Some(limits), Ok(memory)) => limits.restore(&memory),
            (_, Err(error)) => tracing::warn!(%error, "could not read the stored state of the pacer: {error}"),
            (None, _) => {}
        }
    }

    fn page_uri(&self, id: ChangeId) -> Uri {
        // The prefix was parsed as an address before, and digits and hyphens are valid after it.
        format!("{}?id={id}", self.pages).parse().unwrap_or_default()
    }
}

impl RiverError {
    /// Whether all requests from this address must wait.
    pub fn is_rate_limit(&self) -> bool {
        matches!(self, RiverError::Http(HttpError::RateLimited(_) | HttpError::Token(TokenError::RateLimited(_))))
    }

    /// Whether the refusal may be about the page and not about the client.
    pub fn is_refusal_of_the_page(&self) -> bool {
        matches!(self, RiverError::Http(HttpError::Status { status, .. }) if status.is_client_error())
    }
}

/// The reaction to a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Temporary: retry after a while.
    Retry {
        /// How long.
        delay: Duration,
        /// In words.
        reason: String,
    },
    /// An operator must act. Further requests would count towards a ban, or evade one.
    Stop {
        /// In words.
        reason: String,
    },
}

/// Returns the reaction to the `failures`th failure in a row (from 1).
pub fn reaction(error: &RiverError, failures: u32) -> Reaction {
    match error {
        RiverError::Http(error) => http_reaction(error, failures),
        RiverError::NoHead { .. } => retry(doubled(2, 30, failures), error),
        RiverError::Down { delay, .. } => retry(*delay, error),
    }
}

fn http_reaction(error: &HttpError, failures: u32) -> Reaction {
    match error {
        HttpError::RateLimited(limited) => retry(limited.retry_after.unwrap_or(DEFAULT_RETRY_AFTER), error),
        HttpError::Token(TokenError::RateLimited(limited)) => {
            retry(limited.retry_after.unwrap_or(DEFAULT_RETRY_AFTER), error)
        }
        HttpError::Token(TokenError::Failed { error, .. }) => http_reaction(error, failures),
        HttpError::Token(TokenError::Malformed { .. }) => retry(doubled(10, 60, failures), error),
        HttpError::Transport(_) => retry(doubled(2, 30, failures), error),
        HttpError::Status { status, retry_after, .. } if status.is_server_error() => {
            let delay = match status.as_u16() {
                502 => Duration::from_secs(2),
                503 => doubled(30, 60, failures),
                _ => doubled(10, 60, failures),
            };
            retry(retry_after.map_or(delay, |asked| asked.max(delay)), error)
        }
        _ => stop(error),
    }
}

/// The wait after a 429 that names none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Returns `first` seconds, doubled with each further failure, up to `longest`.
fn doubled(first: u64, longest: u64, failures: u32) -> Duration {
    Duration::from_secs(first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest))
}

fn retry(delay: Duration, error: &(impl std::fmt::Display + ?Sized)) -> Reaction {
    Reaction::Retry { delay, reason: error.to_string() }
}

fn stop(error: &HttpError) -> Reaction {
    Reaction::Stop { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use stint_http::{RateLimited, TransportError};

    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> RiverError {
        let (host, excerpt) = (String::from("api.example"), String::new());
        let status = StatusCode::from_u16(status).unwrap();
        RiverError::Http(HttpError::Status { host, status, retry_after: retry_after.map(Duration::from_secs), excerpt })
    }

    fn seconds(error: &RiverError, failures: u32) -> Option<u64> {
        match reaction(error, failures) {
            Reaction::Retry { delay, .. } => Some(delay.as_secs()),
            Reaction::Stop { .. } => None,
        }
    }

    #[test]
    fn faults_of_the_server_pass() {
        assert_eq!([1, 2, 9].map(|failures| seconds(&status(502, None), failures)), [Some(2); 3]);
        assert_eq!([1, 2, 9].map(|failures| seconds(&status(503, None), failures)), [Some(30), Some(60), Some(60)]);
        assert_eq!([1, 2, 9].map(|failures| seconds(&status(500, None), failures)), [Some(10), Some(20), Some(60)]);
        assert_eq!(seconds(&status(503, Some(300)), 1), Some(300));
        let host = String::from("api.example");
        let limited =
            HttpError::RateLimited(RateLimited { host: host.clone(), retry_after: Some(DEFAULT_RETRY_AFTER) });
        assert_eq!(seconds(&limited.into(), 1), Some(60));
        let away = HttpError::Transport(TransportError::Unreachable { host, reason: "refused".into() }).into();
        assert_eq!([1, 2, 9].map(|failures| seconds(&away, failures)), [Some(2), Some(4), Some(30)]);
    }

    #[test]
    fn a_request_that_counts_towards_a_ban_is_not_repeated() {
        for client_error in [400, 401, 403, 404, 410] {
            assert_eq!(seconds(&status(client_error, None), 1), None, "{client_error}");
        }
        let (host, key_id) = (String::from("api.example"), String::from("shop"));
        assert_eq!(seconds(&HttpError::Unauthorized { host, key_id }.into(), 1), None);
    }
}
