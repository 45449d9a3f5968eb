//! Alarms by webhook: a POST with JSON to an address that the operator chose.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use stint_core::clock::Clock;
use stint_core::ports::{AlarmMessage, AlarmSink};

use crate::redact::host;
use crate::transport::{RequestLimits, Transport};

/// A worker waits for the recipient, so it has little time.
const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(5), max_body: 64 * 1024 };

/// The waits before the second and the third attempt. If all fail, the next one is made with the next reminder.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Posts messages to an address, which is secret because it usually contains a token. The body is an object with `text`,
/// which chat services show, and the fields of the message beside it. Any status from 200 to 299 is a success; redirects
/// are not followed.
pub struct WebhookSink {
    address: Uri,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

impl WebhookSink {
    /// Creates a recipient. The error does not contain the address.
    pub fn new(
        address: &SecretString,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Result<WebhookSink, String> {
        let invalid = || "it is not an address that begins with https:// or http://".to_owned();
        let address: Uri = address.expose_secret().parse().map_err(|_| invalid())?;
        if !matches!(address.scheme_str(), Some("https" | "http")) || address.host().is_none() {
            return Err(invalid());
        }
        Ok(WebhookSink { address, transport, clock })
    }

    /// Makes one attempt. The second part of an error is whether another one may succeed.
    async fn attempt(&self, body: &Bytes) -> Result<(), (String, bool)> {
        let request = Request::builder().method(Method::POST).uri(self.address.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        let request = request.map_err(|error| (error.to_string(), false))?;
        let answer = self.transport.send(request, LIMITS).await.map_err(|error| (error.to_string(), true))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err((format!("the webhook at {} returned status {}", host(&self.address), status.as_u16()), may_pass))
    }
}

#[async_trait]
impl AlarmSink for WebhookSink {
    async fn send(&self, message: &AlarmMessage) -> Result<(), String> {
        let body = Bytes::from(serde_json::to_vec(message).map_err(|error| error.to_string())?);
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.attempt(&body).await {
                Err((reason, true)) => match pauses.next() {
                    Some(pause) => self.clock.sleep(pause).await,
                    None => return Err(reason),
                },
                ended => return ended.map_err(|(reason, _)| reason),
            }
        }
    }
}
