//! Requests with an access token, which is renewed once when the upstream refuses it.

use bytes::Bytes;
use http::StatusCode;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

use crate::answer::{HttpResponse, ResponseHead, StreamingResponse};
use crate::client::{Client, pass_of};
use crate::error::HttpError;
use crate::policy::RetryPolicy;
use crate::redact::sensitive;
use crate::token::TokenSource;

impl Client {
    /// Sends `request` with an access token from `tokens`. After a 401 the token is renewed once and the request
    /// repeated once, because a request refused with 401 was neither done nor billed. A second 401 is an error that
    /// names the key.
    pub async fn authorized(
        &self,
        mut request: http::Request<Bytes>,
        tokens: &TokenSource,
        policy: &RetryPolicy,
    ) -> Result<HttpResponse, HttpError> {
        let token = set_token(&mut request, tokens).await?;
        let response = self.send_again(&request, policy).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.renew_token(&mut request, tokens, &token, response.host()).await?;
        authorized(self.send_again(&request, policy).await?, tokens)
    }

    /// Like [`open`](Client::open), with an access token from `tokens` that is renewed as in
    /// [`authorized`](Client::authorized).
    pub async fn open_authorized(
        &self,
        mut request: http::Request<Bytes>,
        tokens: &TokenSource,
        policy: &RetryPolicy,
    ) -> Result<StreamingResponse, HttpError> {
        let token = set_token(&mut request, tokens).await?;
        let response = self.open_again(&request, policy).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.renew_token(&mut request, tokens, &token, response.host()).await?;
        authorized(self.open_again(&request, policy).await?, tokens)
    }

    /// Puts a new token into a request whose token `host` has refused with 401, if the request may be repeated.
    async fn renew_token(
        &self,
        request: &mut http::Request<Bytes>,
        tokens: &TokenSource,
        refused: &SecretString,
        host: &str,
    ) -> Result<(), HttpError> {
        tracing::debug!(key.id = tokens.key_id(), upstream.host = host, "renewing a refused access token");
        tokens.invalidate(refused).await;
        if !self.repeats(pass_of(request)) {
            return Err(HttpError::Unauthorized { host: host.to_owned(), key_id: tokens.key_id().to_owned() });
        }
        set_token(request, tokens).await.map(drop)
    }
}

/// Puts an access token from `tokens` into a request, and returns the token.
async fn set_token(request: &mut http::Request<Bytes>, tokens: &TokenSource) -> Result<SecretString, HttpError> {
    let token = tokens.token_for(pass_of(request)).await?;
    // A token source returns only tokens that are valid in a header.
    if let Some(value) = sensitive(&format!("Bearer {}", token.expose_secret())) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(token)
}

/// Returns the answer to a request with a renewed token. If that is refused as well, the credentials are.
fn authorized<T: ResponseHead>(response: T, tokens: &TokenSource) -> Result<T, HttpError> {
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    Err(HttpError::Unauthorized { host: response.host().to_owned(), key_id: tokens.key_id().to_owned() })
}
