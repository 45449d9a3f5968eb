//! Access tokens by OAuth 2 client credentials (RFC 6749 §4.4).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::lock::Mutex;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use stint_core::circuit::Pass;
use stint_core::clock::{after, before, set_back_by};

use crate::client::Client;
use crate::error::{HttpError, RateLimited};
use crate::policy::RetryPolicy;
use crate::redact::{SecretInBody, basic, host, sensitive};

/// How long before its end a token is renewed, so that it does not expire on its way to the upstream. A short-lived
/// token is used for nine tenths of its lifetime.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// How much a clock may be corrected without requesting a new token.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// The lifetime of a token if the answer does not state one (`expires_in` is only recommended).
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The access token of one key: requested when first needed, kept until shortly before it expires, and shared by all
/// callers.
pub struct TokenSource {
    client: Client,
    token_url: Uri,
    key_id: String,
    secret: SecretString,
    secret_in_body: bool,
    scope: Option<String>,
    /// The number of completed requests. Callers read it before they queue: a caller that was in the queue when a
    /// request completed shares its outcome.
    finished: AtomicU64,
    /// Locked for the whole of a request, so that there is one request at a time.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cached: Option<CachedToken>,
    failure: Option<TokenError>,
}

struct CachedToken {
    token: SecretString,
    /// The time before the request was sent. If the clock shows an earlier time it was set back, and does not tell
    /// whether the token is still valid.
    requested_at: Timestamp,
    renew_at: Timestamp,
}

impl CachedToken {
    fn is_valid(&self, now: Timestamp) -> bool {
        set_back_by(self.requested_at, now, CLOCK_SLACK).is_none() && now < self.renew_at
    }
}

/// Why there is no access token. The request that needed it was not sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// The credentials are wrong. A repetition cannot help.
    #[error(
        "{host} refused the credentials of key {key_id} with status {status} ({excerpt}): check the id and the secret \
         of the key, or remove it"
    )]
    Refused {
        /// Host and port of the token endpoint.
        host: String,
        /// The key, by its public id.
        key_id: String,
        /// 400, 401 or 403.
        status: StatusCode,
        /// The beginning of the answer, sanitised.
        excerpt: String,
    },
    /// A rate-limit refusal (429) by the token endpoint for longer than a client should wait by itself.
    #[error("no access token: {0}")]
    RateLimited(RateLimited),
    /// The token endpoint returned something other than a token.
    #[error("no access token for key {key_id}: the answer of {host} {reason}")]
    Malformed {
        /// Host and port of the token endpoint.
        host: String,
        /// The key, by its public id.
        key_id: String,
        /// What is wrong with the answer. Always a fixed text, because the answer may contain a token.
        reason: &'static str,
    },
    /// The request failed like any other request.
    #[error("no access token for key {key_id}: {error}")]
    Failed {
        /// The key, by its public id.
        key_id: String,
        /// What happened.
        error: Box<HttpError>,
    },
}

impl TokenError {
    /// Returns whether the breaker held back the request for the token.
    fn is_breaker_open(&self) -> bool {
        matches!(self, TokenError::Failed { error, .. } if matches!(**error, HttpError::BreakerOpen { .. }))
    }
}

impl TokenSource {
    /// Creates the source of the tokens of key `key_id`. If the token endpoint and the API belong to one upstream,
    /// `client` should be a clone of the client that the tokens are for, because both addresses share its limit.
    pub fn new(client: Client, token_url: Uri, key_id: impl Into<String>, secret: SecretString) -> TokenSource {
        TokenSource {
            client,
            token_url,
            key_id: key_id.into(),
            secret,
            secret_in_body: false,
            scope: None,
            finished: AtomicU64::new(0),
            state: Mutex::new(State::default()),
        }
    }

    /// Sends id and secret in the form instead of by HTTP Basic (`client_secret_post`), for upstreams that support
    /// nothing else.
    #[must_use]
    pub fn with_secret_in_body(self) -> TokenSource {
        TokenSource { secret_in_body: true, ..self }
    }

    /// Requests tokens with `scope`: names separated by spaces.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> TokenSource {
        TokenSource { scope: Some(scope.into()), ..self }
    }

    /// Returns the key's public id.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns a token that is valid now. Concurrent callers share one request and its outcome, even if it is a
    /// failure.
    pub async fn token(&self) -> Result<SecretString, TokenError> {
        self.token_for(Pass::Free).await
    }

    /// Like [`token`](TokenSource::token), for a call with `pass`: a probe may request a token while other calls must
    /// wait.
    pub(crate) async fn token_for(&self, pass: Pass) -> Result<SecretString, TokenError> {
        let finished = self.finished.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(cached) = &state.cached
            && cached.is_valid(self.client.clock().now())
        {
            return Ok(cached.token.clone());
        }
        if let Some(failure) = &state.failure
            && self.finished.load(Ordering::SeqCst) != finished
        {
            return Err(failure.clone());
        }
        let outcome = self.request(pass).await;
        if matches!(&outcome, Err(failure) if failure.is_breaker_open()) {
            // The request was not sent, so another call may do better.
            return outcome.map(|cached| cached.token);
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        match outcome {
            Ok(cached) => {
                let token = cached.token.clone();
                *state = State { cached: Some(cached), failure: None };
                Ok(token)
            }
            Err(failure) => {
                *state = State { cached: None, failure: Some(failure.clone()) };
                Err(failure)
            }
        }
    }

    /// Forgets `token`, which an upstream has refused, unless another caller has already renewed it.
    pub async fn invalidate(&self, token: &SecretString) {
        let mut state = self.state.lock().await;
        if state.cached.as_ref().is_some_and(|cached| cached.token.expose_secret() == token.expose_secret()) {
            state.cached = None;
        }
    }

    /// Forgets the token, which an upstream has refused in the body of an answer.
    pub async fn forget(&self) {
        self.state.lock().await.cached = None;
    }

    async fn request(&self, pass: Pass) -> Result<CachedToken, TokenError> {
        // The lifetime counts from before the request, because the upstream's clock started somewhere within it.
        let asked_at = self.client.clock().now();
        let mut request = self.token_request()?;
        request.extensions_mut().insert(pass);
        let answer = match self.client.send(request, &RetryPolicy::TOKEN).await {
            Ok(answer) => answer,
            Err(HttpError::RateLimited(limited)) => return Err(TokenError::RateLimited(limited)),
            Err(error) => return Err(self.failed(error)),
        };
        match answer.status {
            status @ (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let key_id = self.key_id.clone();
                Err(TokenError::Refused { host: answer.host, key_id, status, excerpt: answer.excerpt })
            }
            status if status.is_success() => parse(&answer.body, asked_at).map_err(|reason| self.malformed(reason)),
            _ => Err(answer.success().map_or_else(|error| self.failed(error), |_| self.malformed("is unexpected"))),
        }
    }

    fn token_request(&self) -> Result<http::Request<Bytes>, TokenError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.extend_pairs(self.scope.iter().map(|scope| ("scope", scope)));
        if self.secret_in_body {
            form.append_pair("client_id", &self.key_id).append_pair("client_secret", self.secret.expose_secret());
        }
        let mut request = http::Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.token_url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if self.secret_in_body {
            request.extensions_mut().insert(SecretInBody(self.secret.clone()));
        } else {
            let authorization = sensitive(&basic(&self.key_id, &self.secret));
            headers.insert(AUTHORIZATION, authorization.ok_or_else(|| self.malformed("was not requested"))?);
        }
        Ok(request)
    }

    fn malformed(&self, reason: &'static str) -> TokenError {
        TokenError::Malformed { host: host(&self.token_url), key_id: self.key_id.clone(), reason }
    }

    fn failed(&self, error: HttpError) -> TokenError {
        TokenError::Failed { key_id: self.key_id.clone(), error: Box::new(error) }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenSource")
            .field("host", &host(&self.token_url))
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Parses field by field instead of by a derived type, because the errors of a deserialiser quote what they found.
fn parse(body: &[u8], requested_at: Timestamp) -> Result<CachedToken, &'static str> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "is not JSON")?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or("has no access_token")?;
    if token.is_empty() || token.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("has an access_token that is not valid in a header");
    }
    let token_type = answer.get("token_type").and_then(Value::as_str).unwrap_or("bearer");
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err("has a token_type other than bearer");
    }
    let seconds = answer.get("expires_in").and_then(Value::as_f64);
    let lifetime =
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT_TOKEN_LIFETIME);
    let margin = RENEW_BEFORE.min(lifetime / 10);
    let renew_at = before(after(requested_at, lifetime), margin);
    Ok(CachedToken { token: SecretString::from(token), requested_at, renew_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renew_after(body: &str) -> Result<i64, &'static str> {
        parse(body.as_bytes(), Timestamp::UNIX_EPOCH).map(|cached| cached.renew_at.as_second())
    }

    #[test]
    fn a_token_is_renewed_a_little_before_its_end() {
        assert_eq!(renew_after(r#"{"token_type":"Bearer","expires_in":31104000,"access_token":"t"}"#), Ok(31_103_700));
        assert_eq!(renew_after(r#"{"expires_in":60,"access_token":"t"}"#), Ok(54));
        assert_eq!(renew_after(r#"{"expires_in":-1,"access_token":"t"}"#), Ok(3300));
        assert_eq!(renew_after(r#"{"access_token":"t"}"#), Ok(3300));
    }

    #[test]
    fn a_malformed_answer_says_what_is_wrong_and_quotes_nothing() {
        assert_eq!(renew_after("<html>"), Err("is not JSON"));
        assert_eq!(renew_after("[]"), Err("has no access_token"));
        assert_eq!(renew_after(r#"{"access_token":7}"#), Err("has no access_token"));
        assert_eq!(renew_after(r#"{"access_token":"a\nb"}"#), Err("has an access_token that is not valid in a header"));
        assert_eq!(
            renew_after(r#"{"access_token":"t","token_type":"mac"}"#),
            Err("has a token_type other than bearer")
        );
    }
}
