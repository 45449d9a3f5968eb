//! `http://` and `https://`: a request for the list of references, and one for each thing that is asked then.
//! <https://git-scm.com/docs/http-protocol>

use std::error::Error;
use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::stream;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use git2::{ErrorClass, ErrorCode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::references;
use super::session::Session;
use crate::publish::credentials::redact;

/// GitHub answers git's protocol to those that call themselves git.
const USER_AGENT: &str = concat!("git/2.0 (stint ", env!("CARGO_PKG_VERSION"), ")");

/// Pieces of a pack on their way, so that disk and network work at the same time.
const PIECES: usize = 8;

/// An answer that says why something is refused is a page at most.
const MAX_LOCATION: usize = 300;

/// Connects to a git server over HTTP.
pub(super) struct Http(pub(super) Arc<Session>);

impl SmartSubtransport for Http {
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let asked = Asked::new(&self.0, url);
        let stream: io::Result<Box<dyn SmartSubtransportStream>> = match service {
            Service::UploadPackLs => asked.list("git-upload-pack").map(|list| Box::new(list) as _),
            Service::ReceivePackLs => asked.list("git-receive-pack").map(|list| Box::new(list) as _),
            Service::UploadPack => asked.call("git-upload-pack", false).map(|call| Box::new(call) as _),
            Service::ReceivePack => asked.call("git-receive-pack", true).map(|call| Box::new(call) as _),
        };
        stream.map_err(|error| network(&error))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// An error of the network, as libgit2 has them.
pub(super) fn network(error: &io::Error) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, error.to_string().replace('\0', " "))
}

/// A server that is asked something.
struct Asked<'a> {
    session: &'a Arc<Session>,
    url: &'a str,
}

impl<'a> Asked<'a> {
    fn new(session: &'a Arc<Session>, url: &'a str) -> Asked<'a> {
        Asked { session, url: url.trim_end_matches('/') }
    }

    /// Neither proxies of the environment nor redirects: where requests go is a setting.
    fn client() -> io::Result<Client> {
        let client = Client::builder().user_agent(USER_AGENT).redirect(reqwest::redirect::Policy::none());
        let client = client.retry(reqwest::retry::never()).no_proxy().no_gzip().build();
        client.map_err(|error| io::Error::other(reason(error)))
    }

    /// The token goes along at once, to the address of the settings and to no other.
    fn authorized(&self, request: RequestBuilder) -> io::Result<RequestBuilder> {
        let Some((user, token)) = self.session.address.login() else { return Ok(request) };
        let encoded = BASE64_STANDARD.encode(format!("{user}:{token}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).map_err(io::Error::other)?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// The list of references.
    fn list(&self, service: &str) -> io::Result<Cursor<Vec<u8>>> {
        let request = Asked::client()?.get(format!("{}/info/refs?service={service}", self.url));
        let request = self.authorized(request)?.header(ACCEPT, "*/*");
        let response =
            self.session.wait(async { request.send().await.map_err(|error| io::Error::other(reason(error))) });
        let expected = format!("application/x-{service}-advertisement");
        let mut answer = Answer::new(self.session, response?, &expected)?;
        references::read(&mut answer, 2, &self.session.branch).map(Cursor::new)
    }

    /// A call, whose body is sent as it is written if that is large.
    fn call(&self, service: &str, is_large: bool) -> io::Result<Call> {
        let (body, result) = (format!("application/x-{service}-request"), format!("application/x-{service}-result"));
        let request = Asked::client()?.post(format!("{}/{service}", self.url));
        let request = self.authorized(request)?.header(CONTENT_TYPE, body).header(ACCEPT, &result);
        let state = match is_large {
            false => State::Gathering(request, Vec::new()),
            true => {
                let (sender, receiver) = mpsc::channel::<Bytes>(PIECES);
                let pieces = stream::unfold(receiver, async |mut receiver| {
                    receiver.recv().await.map(|piece| (Ok::<_, io::Error>(piece), receiver))
                });
                State::Sending(self.spawn(request.body(Body::wrap_stream(pieces))), sender)
            }
        };
        Ok(Call { session: self.session.clone(), result, state })
    }

    fn spawn(&self, request: RequestBuilder) -> JoinHandle<reqwest::Result<Response>> {
        self.session.runtime().spawn(request.send())
    }
}

/// A call, from its first byte to the last of its answer.
struct Call {
    session: Arc<Session>,
    /// What the answer is to be.
    result: String,
    state: State,
}

enum State {
    /// The body is small, and sent when it is whole.
    Gathering(RequestBuilder, Vec<u8>),
    /// The body is on its way.
    Sending(JoinHandle<reqwest::Result<Response>>, mpsc::Sender<Bytes>),
    /// The answer comes.
    Answered(Answer),
    /// It has failed.
    Failed,
}

impl Call {
    /// The answer, for which the body is ended.
    fn answer(&mut self) -> io::Result<&mut Answer> {
        let sent = match std::mem::replace(&mut self.state, State::Failed) {
            State::Answered(answer) => Ok(answer),
            State::Gathering(request, body) => {
                let sending = request.body(body).send();
                let response =
                    self.session.wait(async { sending.await.map_err(|error| io::Error::other(reason(error))) });
                response.and_then(|response| Answer::new(&self.session, response, &self.result))
            }
            State::Sending(task, sender) => {
                drop(sender);
                let response = self.session.wait(response(task));
                response.and_then(|response| Answer::new(&self.session, response, &self.result))
            }
            State::Failed => Err(io::Error::other("the call has failed before")),
        };
        self.state = State::Answered(sent?);
        match &mut self.state {
            State::Answered(answer) => Ok(answer),
            _ => Err(io::Error::other("the call has no answer")),
        }
    }

    /// Hands a piece of a large body on. When nobody takes it any more, the server has answered already, or is gone.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.state {
            State::Gathering(_, body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            State::Sending(_, sender) => {
                let piece = Bytes::copy_from_slice(bytes);
                let sent = self.session.wait(async { sender.send(piece).await.map_err(io::Error::other) });
                if sent.is_err() && sender.is_closed() { self.answer().map(drop) } else { sent }
            }
            State::Answered(_) => Err(io::Error::other("the server answers before it was asked")),
            State::Failed => Err(io::Error::other("the call has failed before")),
        }
    }
}

impl Drop for Call {
    /// A body that was given up is not sent to its end.
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
        self.answer()?.read(buffer)
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

/// An answer as it comes.
struct Answer {
    session: Arc<Session>,
    response: Response,
    piece: Bytes,
}

impl Answer {
    /// An answer that is what it is to be; else an error in words.
    fn new(session: &Arc<Session>, response: Response, expected: &str) -> io::Result<Answer> {
        let is_expected = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == expected);
        match response.status() {
            StatusCode::OK if is_expected => Ok(Answer { session: session.clone(), response, piece: Bytes::new() }),
            StatusCode::OK => Err(io::Error::other("what answers there is no git server")),
            status => Err(io::Error::other(refusal(status, &response))),
        }
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let next = self.response.chunk();
            let next = self.session.wait(async { next.await.map_err(|error| io::Error::other(reason(error))) })?;
            let Some(piece) = next else { return Ok(0) };
            self.session.count(piece.len())?;
            self.piece = piece;
        }
        let piece = self.piece.split_to(self.piece.len().min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// What a status other than success means to who publishes.
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

/// The innermost cause says what happened; the outer ones say that something did, some with the whole URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
