//! The parts of the Warcraft Logs API that this fleet uses.

mod all_stars;
mod character;
mod decode;
mod document;
mod error;
mod further;
mod guard;
mod lenient;
mod outcomes;
mod points;
mod rankings;
mod reports;
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::{Method, Uri};
use stint_core::circuit::{Health, Intent, Pass};
use stint_core::clock::Clock;
use stint_core::ledger::{CallEnd, KeyId, Reading};
use stint_http::{Client, RetryPolicy, TokenSource};

pub use document::{
    CharacterRequest, GuildKey, all_zones as all_zones_document, is_report_code, list_reports, ranks as ranks_document,
    read_points, reports as reports_document, server_id as server_id_document, zones as zones_document,
};
pub use error::CallError;
pub use guard::UPSTREAM;
pub(crate) use outcomes::reasons_text;
pub use outcomes::{CharacterOutcome, RankedCharacter};
pub use reports::{RankedPlayer, ReportList, ReportPlayers};
pub use world::{Partition, Zone, ZoneDifficulty};

use crate::config::Settings;
use crate::rank_queries::RankQueries;
use decode::Decoded;
use guard::{ended, health_of_outcomes, refusal_of_key};
use points::PointsCounter;

/// A call may wait this long at the gate that a rate-limit 429 closes, or twice its time-out if that is less; its
/// points stay held meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(65);

/// One attempt per hold: a query that reached the upstream may have been billed, so each further attempt holds points
/// of its own. After a rate-limit 429 the gate is closed, and the caller's next attempt waits for it.
const NO_RETRY: RetryPolicy = RetryPolicy { rate_limit_waits: 0, ..RetryPolicy::QUERY };

/// The API behind a set of keys.
pub struct Api {
    client: Client,
    url: Uri,
    tokens: Vec<(KeyId, TokenSource)>,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    /// The keys whose last use in this process was refused.
    refused: Mutex<BTreeSet<KeyId>>,
}

impl Api {
    /// The API that `settings` configure, through `client`. The error names the invalid setting.
    pub fn new(settings: &Settings, client: Client, clock: Arc<dyn Clock>) -> Result<Api, String> {
        let uri = |name: &str, url: &url::Url| {
            url.as_str().parse::<Uri>().map_err(|error| format!("{name}: {url} is not a URL: {error}"))
        };
        let url = uri("WCL_API_URL", &settings.wcl_api_url)?;
        let token_url = uri("WCL_TOKEN_URL", &settings.wcl_token_url)?;
        let token = |key: &crate::config::Key| {
            let tokens = TokenSource::new(client.clone(), token_url.clone(), key.id.0.clone(), key.secret.clone());
            (key.id.clone(), tokens)
        };
        let tokens = settings.wcl_keys.iter().map(token).collect();
        let limits = stint_http::RequestLimits { timeout: settings.call_timeout(), ..NO_RETRY.limits };
        let policy = RetryPolicy { limits, ..NO_RETRY };
        Ok(Api { client, url, tokens, policy, clock, refused: Mutex::default() })
    }

    /// The keys, in the order of the settings.
    pub fn keys(&self) -> impl Iterator<Item = &KeyId> {
        self.tokens.iter().map(|(key, _)| key)
    }

    /// How long one call may take, including the wait at a closed gate. Holds must last this long.
    pub fn call_timeout(&self) -> Duration {
        longest_call(self.policy.limits.timeout)
    }

    /// Reads a key's counter.
    pub async fn read_points(&self, key: &KeyId) -> Result<Reading, CallError> {
        let read = |pass| async move { ended(self.read_counter(pass, key).await) };
        self.guarded(Intent::Work, key, read, |_| Health::Answered).await.1
    }

    async fn read_counter(&self, pass: Pass, key: &KeyId) -> Result<Reading, CallError> {
        let body = self.post(pass, key, read_points()).await?;
        decode::points(&body).map_err(CallError::unreadable).and_then(|points| self.reading(&points))
    }

    /// Fetches several players' ranks in one request. Returns how the call ended, for the ledger, whatever the outcome
    /// for the players; and one outcome per player, in the order requested.
    pub async fn ranks(
        &self,
        key: &KeyId,
        batch: &[CharacterRequest],
        rank_queries: &RankQueries,
    ) -> (CallEnd, Result<Vec<CharacterOutcome>, CallError>) {
        let ask = |pass| self.request_ranks(pass, key, batch, rank_queries);
        self.guarded(Intent::Work, key, ask, |outcomes| health_of_outcomes(outcomes)).await
    }

    async fn request_ranks(
        &self,
        pass: Pass,
        key: &KeyId,
        batch: &[CharacterRequest],
        rank_queries: &RankQueries,
    ) -> (CallEnd, Result<Vec<CharacterOutcome>, CallError>) {
        let document = ranks_document(batch, rank_queries);
        let body = match self.post(pass, key, document).await {
            Ok(body) => body,
            Err(error) => return (error.call_end(), Err(error)),
        };
        match decode::ranks(&body, batch, self.clock.now()) {
            Ok(Decoded { points, outcomes }) => (self.call_end(points.as_ref()), Ok(outcomes)),
            Err(error) => (CallEnd::Lost, Err(CallError::unreadable(error))),
        }
    }

    /// Posts a document with a key's token, within the time that a hold lasts.
    async fn post(&self, pass: Pass, key: &KeyId, document: String) -> Result<Bytes, CallError> {
        let Some((_, tokens)) = self.tokens.iter().find(|(id, _)| id == key) else {
            return Err(CallError::unknown_key(key, self.clock.now()));
        };
        let mut request = http::Request::new(document::body(&document));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        request.extensions_mut().insert(pass);
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json.clone());
        request.headers_mut().insert(http::header::ACCEPT, json);
        let call = Box::pin(self.client.authorized(request, tokens, &self.policy));
        let response = match select(call, self.clock.sleep(self.call_timeout())).await {
            Either::Left((response, _)) => response.map_err(|error| CallError::from_http(error, self.clock.now()))?,
            Either::Right(_) => return Err(CallError::TimedOut(self.call_timeout())),
        };
        let credentials_refused = refusal_of_key(&response.body);
        if let Some(reason) = credentials_refused.filter(|_| response.status.is_success()) {
            tokens.forget().await;
            return Err(CallError::credentials_refused(reason, self.clock.now()));
        }
        Ok(response.success().map_err(CallError::Http)?.body)
    }

    fn call_end(&self, points: Option<&PointsCounter>) -> CallEnd {
        let reading = points.and_then(|points| points.reading(self.clock.now()));
        reading.map_or(CallEnd::Unpriced, CallEnd::Answered)
    }

    fn reading(&self, points: &PointsCounter) -> Result<Reading, CallError> {
        let nonsense = || CallError::Unreadable(format!("rateLimitData: {points} are invalid"));
        points.reading(self.clock.now()).ok_or_else(nonsense)
    }
}

/// How long a call with this time-out may take, including the wait at a closed gate.
pub(crate) fn longest_call(timeout: Duration) -> Duration {
    timeout + (timeout * 2).min(LONGEST_WAIT)
}
