//! The response to a request.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use serde::Serialize;

use super::Fields;
use crate::worker::WorkerError;

/// A response. The host adds the headers that its route implies, the request id, and the length.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Fields,
    /// The body.
    pub body: Body,
}

/// The body of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The whole body.
    Bytes(Bytes),
    /// A body that is sent while it is created. On Lambda it is collected first.
    Chunks(ChunkStream),
    /// Server-sent events: a response without an end, for as long as the caller reads and the host runs. On Lambda the
    /// events until the stream ends are collected, so such a stream must be short there.
    Events(EventStream),
    /// An error in the one form that all errors have: `{"error": {"code", "message", "request_id"}}`.
    Error {
        /// The kind of error, in snake case, for programs.
        code: Cow<'static, str>,
        /// What is wrong, for a person.
        message: String,
    },
}

/// A stream of pieces of a body. An error breaks the connection off, so that the caller does not take a part for the whole.
pub type ChunkStream = TakeOnce<BoxStream<'static, Result<Bytes, WorkerError>>>;

/// A stream of server-sent events.
pub type EventStream = TakeOnce<BoxStream<'static, Result<ServerEvent, WorkerError>>>;

impl Response {
    /// Creates a response without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Fields::default(), body: Body::Bytes(Bytes::new()) }
    }

    /// Creates a response of this type with this body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
        Response {
            status,
            headers: [("content-type", content_type)].into_iter().collect(),
            body: Body::Bytes(body.into()),
        }
    }

    /// Creates a JSON response.
    pub fn json(status: u16, value: &impl Serialize) -> Result<Response, WorkerError> {
        let body = serde_json::to_vec(value);
        let body =
            body.map_err(|error| WorkerError::Failed(format!("could not write the response as JSON: {error}")))?;
        Ok(Response::new(status, "application/json", body))
    }

    /// Creates a response of plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Response {
        Response::new(status, "text/plain; charset=utf-8", text.into())
    }

    /// Creates an error response. `code` is in snake case, and `message` contains nothing that the caller must not see.
    pub fn error(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Response {
        let body = Body::Error { code: code.into(), message: message.into() };
        Response { status, headers: Fields::default(), body }
    }

    /// Creates a response that is sent while it is created.
    pub fn chunks<S>(content_type: &str, chunks: S) -> Response
    where
        S: Stream<Item = Result<Bytes, WorkerError>> + Send + 'static,
    {
        let headers = [("content-type", content_type)].into_iter().collect();
        Response { status: 200, headers, body: Body::Chunks(TakeOnce::new(chunks.boxed())) }
    }

    /// Creates a response of server-sent events.
    pub fn events<S>(events: S) -> Response
    where
        S: Stream<Item = Result<ServerEvent, WorkerError>> + Send + 'static,
    {
        let headers = [("content-type", "text/event-stream")].into_iter().collect();
        Response { status: 200, headers, body: Body::Events(TakeOnce::new(events.boxed())) }
    }

    /// Returns the response with this header in addition.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.add(name.to_ascii_lowercase(), value);
        self
    }
}

/// A server-sent event. <https://html.spec.whatwg.org/multipage/server-sent-events.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// The position of the event, which a browser sends as `Last-Event-ID` when it connects again.
    pub id: Option<String>,
    /// The kind of event.
    pub event: Option<String>,
    /// The data, of any number of lines.
    pub data: String,
    /// After how long a browser connects again.
    pub retry: Option<Duration>,
}

impl ServerEvent {
    /// What keeps a connection open on which no event was sent for a while: a comment.
    pub const KEEP_ALIVE: &'static str = ": keep-alive\n\n";

    /// Creates an event with an id and data.
    pub fn new(id: impl Into<String>, data: impl Into<String>) -> ServerEvent {
        ServerEvent { id: Some(id.into()), data: data.into(), ..ServerEvent::default() }
    }

    /// Returns the event as it is sent. Line ends within the id and the kind would start another field, so they are left
    /// out.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let one_line = |value: &str| value.replace(['\r', '\n', '\0'], "");
        // Writing to a string cannot fail.
        if let Some(id) = &self.id {
            let _ = writeln!(text, "id: {}", one_line(id));
        }
        if let Some(event) = &self.event {
            let _ = writeln!(text, "event: {}", one_line(event));
        }
        if let Some(retry) = self.retry {
            let _ = writeln!(text, "retry: {}", retry.as_millis());
        }
        let data = self.data.replace("\r\n", "\n").replace('\r', "\n");
        for line in data.split('\n') {
            let _ = writeln!(text, "data: {line}");
        }
        text.push('\n');
        text
    }
}

/// A value that can be taken out once. Clones share it, and two are equal if they share it.
pub struct TakeOnce<T>(Arc<Mutex<Option<T>>>);

impl<T> TakeOnce<T> {
    /// Wraps a value.
    pub fn new(value: T) -> TakeOnce<T> {
        TakeOnce(Arc::new(Mutex::new(Some(value))))
    }

    /// Returns the value, or `None` if it was taken before.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for TakeOnce<T> {
    fn clone(&self) -> TakeOnce<T> {
        TakeOnce(self.0.clone())
    }
}

impl<T> PartialEq for TakeOnce<T> {
    fn eq(&self, other: &TakeOnce<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> fmt::Debug for TakeOnce<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TakeOnce(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_start_another_field_of_an_event() {
        let event = ServerEvent {
            id: Some("7\ndata: forged".into()),
            event: Some("move\r".into()),
            data: "one\r\ntwo\rdata: three\n".into(),
            retry: Some(Duration::from_millis(1_500)),
        };
        let expected =
            "id: 7data: forged\nevent: move\nretry: 1500\ndata: one\ndata: two\ndata: data: three\ndata: \n\n";
        assert_eq!(event.encode(), expected);
        assert_eq!(ServerEvent::new("1", "").encode(), "id: 1\ndata: \n\n");
    }

    #[test]
    fn a_stream_is_taken_once() {
        let response = Response::chunks("text/plain", futures::stream::empty());
        let (Body::Chunks(first), Body::Chunks(second)) = (response.body.clone(), response.body) else { panic!() };
        assert_eq!(first, second);
        assert!(first.take().is_some() && second.take().is_none());
    }
}
