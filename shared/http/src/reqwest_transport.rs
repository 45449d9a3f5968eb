//! The transport for production: HTTP over TLS, by reqwest.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;

use crate::body::Body;
use crate::redact::host;
use crate::tls::provide_tls;
use crate::transport::{RequestLimits, Transport, TransportError};

/// How long connecting may take. A host that takes longer counts as unreachable.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends requests over the network. Needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

/// The HTTP client could not be set up. Nothing was sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct BuildError(String);

impl ReqwestTransport {
    /// Creates a transport with the user agent `user_agent`. Proxies named in the environment are not used: where
    /// requests go is a setting, and settings are read in one place.
    pub fn new(user_agent: &str) -> Result<ReqwestTransport, BuildError> {
        let client = client_builder(user_agent).build().map_err(|error| BuildError(innermost_reason(error)))?;
        Ok(ReqwestTransport { client })
    }

    /// Converts `request` to a reqwest request. reqwest's builder moves the user information of the address into an
    /// `Authorization` header, unless `request` already has one. This matters because lower layers log the address that
    /// they connect to.
    fn prepare(&self, request: http::Request<Bytes>, limits: RequestLimits) -> Result<reqwest::Request, String> {
        let (parts, body) = request.into_parts();
        let request = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        // This covers the body too: reqwest's timer stops at the last byte.
        let request = request.timeout(limits.timeout).build().map_err(innermost_reason)?;
        let url = request.url();
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the user name in its address is not text".to_owned());
        }
        Ok(request)
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let host = host(request.uri());
        let request = self
            .prepare(request, limits)
            .map_err(|reason| TransportError::Unreachable { host: host.clone(), reason })?;
        let mut response = self.client.execute(request).await.map_err(|error| transport_error(error, &host, limits))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut answer = http::Response::new(body(response, host, limits));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Returns the decompressed body as a stream. The length is announced if the body is not compressed.
fn body(response: reqwest::Response, host: String, limits: RequestLimits) -> Body {
    let (from, announced) = (host.clone(), response.content_length());
    let chunks = response.bytes_stream().map_err(move |error| transport_error(error, &from, limits));
    Body::new(chunks, host, limits.max_body).announced(announced)
}

fn transport_error(error: reqwest::Error, host: &str, limits: RequestLimits) -> TransportError {
    let host = host.to_owned();
    // A connection attempt that timed out is both; what matters is that nothing was sent.
    if error.is_connect() || error.is_builder() {
        TransportError::Unreachable { host, reason: innermost_reason(error) }
    } else if error.is_timeout() {
        TransportError::TimedOut { host, timeout: limits.timeout }
    } else {
        TransportError::Broken { host, reason: innermost_reason(error) }
    }
}

/// Returns the builder that every client of this workspace starts from, with the user agent `user_agent`. Such a client
/// follows no redirect, uses no proxy from the environment, repeats nothing by itself, and gives up a host that it
/// cannot connect to within [`CONNECT_TIMEOUT`].
pub fn client_builder(user_agent: &str) -> reqwest::ClientBuilder {
    provide_tls();
    let client = reqwest::Client::builder().user_agent(user_agent).connect_timeout(CONNECT_TIMEOUT);
    client.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never()).no_proxy()
}

/// Returns the text of the innermost cause. The outer causes only say that something failed, some of them with the
/// whole URL.
pub fn innermost_reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
