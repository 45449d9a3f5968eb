//! One request and its response on a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::http::{Fields, Response as Refusal};
use tokio::sync::watch;

use super::ServerLimits;
use super::body::{ResponseBody, read};
use super::connections::Connection;
use crate::http::{Completed, Head, HttpApp};

/// What the requests of one connection share.
pub(super) struct Exchange {
    pub(super) app: Arc<HttpApp>,
    pub(super) limits: Arc<ServerLimits>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) connection: Arc<Connection>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) peer: SocketAddr,
}

impl Exchange {
    /// Responds to a request.
    pub(super) async fn respond(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        self.connection.set_busy();
        let (parts, body) = request.into_parts();
        let head = self.head(&parts);
        let completed = if head_bytes(&parts) > self.limits.head_bytes {
            let message = format!("the address and headers have at most {} bytes", self.limits.head_bytes);
            self.app.refuse(&head, Refusal::error(431, "headers_too_large", message)).await
        } else {
            let read_body = async |most| read(body, most, &self.limits, &self.clock).await;
            self.app.respond(head, Timestamp::MAX, read_body).await
        };
        let Completed { status, headers, body } = completed;
        let mut response = Response::new(ResponseBody::new(body, self.connection.clone(), &self.stopping));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn head(&self, parts: &Parts) -> Head {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Fields = parts.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let address = self.address(&headers);
        Head {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            path_is_decoded: false,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            address,
            id: None,
        }
    }

    /// Returns the address of the caller. Of several addresses in the trusted header, the proxy has added the last one.
    fn address(&self, headers: &Fields) -> String {
        let header = self.limits.address_header.as_deref();
        let last = header.and_then(|name| headers.all(name).last()).and_then(|value| value.rsplit(',').next());
        let declared = last.and_then(|address| address.trim().parse::<IpAddr>().ok());
        declared.unwrap_or_else(|| self.peer.ip()).to_canonical().to_string()
    }
}

/// Returns how long the address and the headers are, with their separators.
fn head_bytes(parts: &Parts) -> usize {
    let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let uri = parts.uri.path().len() + parts.uri.query().map_or(0, |query| query.len() + 1);
    uri + headers.sum::<usize>()
}
