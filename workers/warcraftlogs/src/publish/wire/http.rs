//! `http://` and `https://`: one request for the list of references, and one for each later call.
//! <https://git-scm.com/docs/http-protocol>

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::stream;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode};
use stint_http::{client_builder, innermost_reason as reason};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::meter::Meter;
use super::session::Session;
use super::{network, program, references};
use crate::publish::credentials::redact;

/// GitHub serves git's protocol to user agents that start with `git`.
const USER_AGENT: &str = concat!("git/2.0 (stint ", env!("CARGO_PKG_VERSION"), ")");

/// Pieces of a pack in flight, so that disk and network work at the same time.
const PIECES: usize = 8;

/// Longest location quoted from a redirect.
const MAX_LOCATION: usize = 300;

/// Connects to a git server over HTTP.
pub(super) struct Http {
    session: Arc<Session>,
    client: Client,
}

impl Http {
    /// A connection, within a session. Its requests go to the address in the settings: neither proxies from the
    /// environment nor redirects change that.
    pub(super) fn new(session: Arc<Session>) -> io::Result<Http> {
        let client = client_builder(USER_AGENT).no_gzip().build();
        Ok(Http { session, client: client.map_err(|error| io::Error::other(reason(error)))? })
    }
}

impl SmartSubtransport for Http {
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let Http { session, client } = self;
        let endpoint = Endpoint { session, client, url: url.trim_end_matches('/') };
        let stream: io::Result<Box<dyn SmartSubtransportStream>> = match service {
            Service::UploadPackLs | Service::ReceivePackLs => endpoint.list(service).map(|list| Box::new(list) as _),
            Service::UploadPack | Service::ReceivePack => endpoint.call(service).map(|call| Box::new(call) as _),
        };
        stream.map_err(|error| network(&error))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// The server and its address.
struct Endpoint<'a> {
    session: &'a Arc<Session>,
    client: &'a Client,
    url: &'a str,
}

impl Endpoint<'_> {
    /// The token is sent with the first request, only to the address in the settings.
    fn authorized(&self, request: RequestBuilder) -> io::Result<RequestBuilder> {
        let Some((user, token)) = self.session.address.login() else { return Ok(request) };
        let encoded = BASE64_STANDARD.encode(format!("{user}:{token}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).map_err(io::Error::other)?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// The list of references.
    fn list(&self, service: Service) -> io::Result<Cursor<Vec<u8>>> {
        let service = program(service);
        let request = self.client.get(format!("{}/info/refs?service={service}", self.url));
        let request = self.authorized(request)?.header(ACCEPT, "*/*");
        let response =
            self.session.wait(async { request.send().await.map_err(|error| io::Error::other(reason(error))) });
        let expected = format!("application/x-{service}-advertisement");
        let mut response = ResponseBody::new(self.session, response?, &expected, None)?;
        references::read(&mut response, 2, &self.session.branch).map(Cursor::new)
    }

    /// Starts a call. The body of a push is sent while it is written, since it is large.
    fn call(&self, service: Service) -> io::Result<Call> {
        let (is_push, service) = (matches!(service, Service::ReceivePack), program(service));
        let (body, result) = (format!("application/x-{service}-request"), format!("application/x-{service}-result"));
        let request = self.client.post(format!("{}/{service}", self.url));
        let request = self.authorized(request)?.header(CONTENT_TYPE, body).header(ACCEPT, &result);
        let state = match is_push {
            false => State::Gathering(request, Vec::new()),
            true => {
                let (sender, receiver) = mpsc::channel::<Bytes>(PIECES);
                let pieces = stream::unfold(receiver, async |mut receiver| {
                    receiver.recv().await.map(|piece| (Ok::<_, io::Error>(piece), receiver))
                });
                State::Sending(self.spawn(request.body(Body::wrap_stream(pieces))), sender)
            }
        };
        let meter = (!is_push).then(|| Meter::new(self.session));
        Ok(Call { session: self.session.clone(), result, meter, state })
    }

    fn spawn(&self, request: RequestBuilder) -> JoinHandle<reqwest::Result<Response>> {
        self.session.runtime().spawn(request.send())
    }
}

/// A call, from the first byte of its request to the last of its response.
struct Call {
    session: Arc<Session>,
    /// The expected content type of the response.
    result: String,
    /// For a fetch, until its response starts.
    meter: Option<Meter>,
    state: State,
}

enum State {
    /// The body is small, and sent when it is complete.
    Gathering(RequestBuilder, Vec<u8>),
    /// The body is being sent.
    Sending(JoinHandle<reqwest::Result<Response>>, mpsc::Sender<Bytes>),
    /// The response is being received.
    Responded(ResponseBody),
    /// The call has failed.
    Failed,
}

impl Call {
    /// Returns the response, after ending the body.
    fn response(&mut self) -> io::Result<&mut ResponseBody> {
        let meter = self.meter.take();
        let sent = match std::mem::replace(&mut self.state, State::Failed) {
            State::Responded(response) => Ok(response),
            State::Gathering(request, body) => {
                let sending = request.body(body).send();
                let response =
                    self.session.wait(async { sending.await.map_err(|error| io::Error::other(reason(error))) });
                response.and_then(|response| ResponseBody::new(&self.session, response, &self.result, meter))
            }
            State::Sending(task, sender) => {
                drop(sender);
                let response = self.session.wait(response(task));
                response.and_then(|response| ResponseBody::new(&self.session, response, &self.result, meter))
            }
            State::Failed => Err(io::Error::other("the call has failed before")),
        };
        self.state = State::Responded(sent?);
        match &mut self.state {
            State::Responded(response) => Ok(response),
            _ => Err(io::Error::other("the call has no response")),
        }
    }

    /// Sends a piece of a large body. If the receiver is gone, the server has already responded, or disconnected.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.state {
            State::Gathering(_, body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            State::Sending(_, sender) => {
                let piece = Bytes::copy_from_slice(bytes);
                let sent = self.session.wait(async { sender.send(piece).await.map_err(io::Error::other) });
                if sent.is_err() && sender.is_closed() { self.response().map(drop) } else { sent }
            }
            State::Responded(_) => Err(io::Error::other("the server responded before the request was complete")),
            State::Failed => Err(io::Error::other("the call has failed before")),
        }
    }
}

impl Drop for Call {
    /// The rest of an abandoned body is not sent.
    fn drop(&mut self) {
        if let State::Sending(task, _) = &self.state {
            task.abort();
        }
    }
}

async fn response(task: JoinHandle<reqwest::Result<Response>>) -> io::Result<Response> {
    task.await.map_err(io::Error::other)?.map_err(|error| io::Error::other(reason(error)))
}

impl Read for Call {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.response()?.read(buffer)
    }
}

impl Write for Call {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A response while it is received.
struct ResponseBody {
    session: Arc<Session>,
    response: Response,
    meter: Option<Meter>,
    piece: Bytes,
}

impl ResponseBody {
    /// A response of the expected type; otherwise an error that describes it.
    fn new(
        session: &Arc<Session>,
        response: Response,
        expected: &str,
        meter: Option<Meter>,
    ) -> io::Result<ResponseBody> {
        let is_expected = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == expected);
        match response.status() {
            StatusCode::OK if is_expected => {
                Ok(ResponseBody { session: session.clone(), response, meter, piece: Bytes::new() })
            }
            StatusCode::OK => Err(io::Error::other("the address is not a git server")),
            status => Err(io::Error::other(refusal(status, &response))),
        }
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let next = self.response.chunk();
            let next = self.session.wait(async { next.await.map_err(|error| io::Error::other(reason(error))) })?;
            let Some(piece) = next else { return Ok(0) };
            self.session.count(piece.len())?;
            self.meter.as_mut().map_or(Ok(()), |meter| meter.take(&piece))?;
            self.piece = piece;
        }
        let piece = self.piece.split_to(self.piece.len().min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// What a status other than success means for the person who publishes.
fn refusal(status: StatusCode, response: &Response) -> String {
    if status.is_redirection() {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let target: String = redact(target).chars().take(MAX_LOCATION).collect();
        return format!(
            "it redirects to '{target}', which is not followed: set LUA_REPOSITORY to where the repository is"
        );
    }
    match status {
        StatusCode::UNAUTHORIZED => {
            "it answers 401: it asks for a user and token, or refuses the ones it was given".into()
        }
        StatusCode::FORBIDDEN => "it answers 403: the user or token may not do that".into(),
        StatusCode::NOT_FOUND => "it answers 404: there is no such repository, or the token may not see it".into(),
        other => format!("it answers {}", other.as_u16()),
    }
}
