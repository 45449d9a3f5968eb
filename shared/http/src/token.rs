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

/// A token is renewed this long before it ends, so that none ends on its way to the upstream. A short-lived one keeps
/// nine tenths of its life.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// A clock may be corrected by so much without a new token.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// The life of a token whose answer does not tell (`expires_in` is only recommended).
const UNSAID_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The access token of one key: asked for when first needed, kept until shortly before it ends, shared by all.
pub struct TokenSource {
    client: Client,
    token_url: Uri,
    key_id: String,
    secret: SecretString,
    secret_in_body: bool,
    scope: Option<String>,
    /// Requests that came to an end. Read before queueing: whoever was queueing when one ended shares its outcome.
    finished: AtomicU64,
    /// Locked for the whole of a request, so there is one at a time.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cached: Option<CachedToken>,
    failure: Option<TokenError>,
}

struct CachedToken {
    token: SecretString,
    /// Before the request for it was sent. A clock that shows an earlier time was set back, and says nothing of its life.
    asked_at: Timestamp,
    renew_at: Timestamp,
}

impl CachedToken {
    fn is_valid(&self, now: Timestamp) -> bool {
        set_back_by(self.asked_at, now, CLOCK_SLACK).is_none() && now < self.renew_at
    }
}

/// Why there is no access token. The request that it was for has not been sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// The credentials are wrong: no repetition will help.
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
    /// The token endpoint refuses for haste, for longer than a client should wait by itself.
    #[error("no access token: {0}")]
    RateLimited(RateLimited),
    /// The token endpoint answered something else than a token.
    #[error("no access token for key {key_id}: the answer of {host} {reason}")]
    Malformed {
        /// Host and port of the token endpoint.
        host: String,
        /// The key, by its public id.
        key_id: String,
        /// What is wrong with it; fixed texts, because the answer may hold a token.
        reason: &'static str,
    },
    /// The request failed like any other may.
    #[error("no access token for key {key_id}: {error}")]
    Failed {
        /// The key, by its public id.
        key_id: String,
        /// What happened.
        error: Box<HttpError>,
    },
}

impl TokenError {
    /// Whether the request for the token was held back by the breaker.
    fn is_wait(&self) -> bool {
        matches!(self, TokenError::Failed { error, .. } if matches!(**error, HttpError::Waits { .. }))
    }
}

impl TokenSource {
    /// The tokens of the key `key_id`. `client` should be a clone of the one that the tokens are for when both
    /// addresses belong to one upstream: they share its limit.
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

    /// Sends id and secret in the form instead of by HTTP Basic (`client_secret_post`): for upstreams that know
    /// nothing else.
    #[must_use]
    pub fn with_secret_in_body(self) -> TokenSource {
        TokenSource { secret_in_body: true, ..self }
    }

    /// Asks for tokens of `scope`: names with spaces between them.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> TokenSource {
        TokenSource { scope: Some(scope.into()), ..self }
    }

    /// The key, by its public id.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// A token that is valid now. Concurrent callers share one request and its outcome, a failure included.
    pub async fn token(&self) -> Result<SecretString, TokenError> {
        self.token_for(Pass::Free).await
    }

    /// The same for a call that has `pass`: a probe may ask for a token where others wait.
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
        if matches!(&outcome, Err(failure) if failure.is_wait()) {
            // Not sent, which says nothing of what another call may do.
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

    /// Forgets `token`, which an upstream has refused, unless another caller has already had it renewed.
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
        // Counted from before the request: the upstream's clock started somewhere within it.
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
            headers.insert(AUTHORIZATION, authorization.ok_or_else(|| self.malformed("was never asked for"))?);
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

/// Field by field instead of by a derived type: the errors of a deserialiser quote what they found.
fn parse(body: &[u8], asked_at: Timestamp) -> Result<CachedToken, &'static str> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "is not JSON")?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or("has no access_token")?;
    if token.is_empty() || token.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("has an access_token that fits no header");
    }
    let token_type = answer.get("token_type").and_then(Value::as_str).unwrap_or("bearer");
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err("has a token_type other than bearer");
    }
    let seconds = answer.get("expires_in").and_then(Value::as_f64);
    let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(UNSAID_LIFETIME);
    let margin = RENEW_BEFORE.min(lifetime / 10);
    let renew_at = before(after(asked_at, lifetime), margin);
    Ok(CachedToken { token: SecretString::from(token), asked_at, renew_at })
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
        assert_eq!(renew_after(r#"{"access_token":"a\nb"}"#), Err("has an access_token that fits no header"));
        assert_eq!(
            renew_after(r#"{"access_token":"t","token_type":"mac"}"#),
            Err("has a token_type other than bearer")
        );
    }
}
