//! The transport to the stand-in, with faults set by a test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_standins::{InProcess, Upstream, WarcraftLogs};

/// A fault of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// No connection.
    Unreachable,
    /// A status returned by a proxy; the upstream never gets the request.
    Before(u16),
    /// The same, after the upstream has executed and charged it.
    After(u16),
    /// Executed and charged; the body of the response breaks off, and the client notices.
    Cut,
    /// Executed and charged; half of the response arrives and looks complete.
    Half,
    /// Executed and charged; something else arrives.
    Replaced(&'static str),
    /// Executed and charged; nothing arrives before the client's time-out.
    Hang,
    /// A proxy responds in place of the upstream: a challenge, an error page, a refusal.
    Instead(u16, &'static str),
    /// The response comes late, or not at all if the client's time-out is shorter.
    Late(Duration),
    /// A status at once; the upstream executes and charges the request this many seconds later.
    BilledLater(u16, u64),
    /// 429 with `Retry-After`: a few seconds mean a rate limit, more than a minute means that the points are used up.
    RefusedFor(u64),
}

/// The kinds of request that the fleet sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Token,
    Page,
    Ranks,
    Points,
    Reports,
    /// Queries about raids and servers.
    WorldData,
}

/// Changes a ranking page, given its number.
type Rewrite = Box<dyn Fn(u32, &str) -> String + Send>;
impl Request {
    pub(crate) const ALL: [Request; 5] =
        [Request::Token, Request::Page, Request::Ranks, Request::Points, Request::Reports];
}

/// A transport to the stand-in, with a script of faults.
pub(crate) struct Network {
    inner: InProcess<WarcraftLogs>,
    upstream: Arc<Mutex<WarcraftLogs>>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: BTreeMap<Request, VecDeque<Fault>>,
    always: BTreeMap<Request, Fault>,
    sent: Vec<(Timestamp, Request)>,
    rewrite: Option<Rewrite>,
    /// Requests that the upstream has not received yet.
    late: Vec<(Timestamp, http::Request<Bytes>)>,
}

impl Network {
    pub(super) fn new(upstream: Arc<Mutex<WarcraftLogs>>, clock: Arc<dyn Clock>) -> Network {
        let inner = InProcess::new(upstream.clone(), clock.clone());
        Network { inner, upstream, clock, state: Mutex::default() }
    }

    /// The next requests of this kind fail with these faults, one after the other.
    pub(crate) fn fail(&self, request: Request, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().script.entry(request).or_default().extend(faults);
    }

    /// All requests of this kind fail with this fault, until [`Network::clear_faults`].
    pub(crate) fn fail_all(&self, request: Request, fault: Fault) {
        self.state.lock().unwrap().always.insert(request, fault);
    }

    /// The site shows its ranking pages as changed by `rewrite`, until [`Network::clear_faults`].
    pub(crate) fn rewrite_pages(&self, rewrite: impl Fn(u32, &str) -> String + Send + 'static) {
        self.state.lock().unwrap().rewrite = Some(Box::new(rewrite));
    }

    fn rewritten(&self, uri: &http::Uri, body: Bytes) -> Bytes {
        let state = self.state.lock().unwrap();
        let page = uri.query().and_then(|query| query.rsplit_once("page=")?.1.parse().ok());
        match (&state.rewrite, page) {
            (Some(rewrite), Some(page)) => Bytes::from(rewrite(page, std::str::from_utf8(&body).unwrap())),
            _ => body,
        }
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        let mut state = self.state.lock().unwrap();
        state.rewrite = None;
        state.script.clear();
        state.always.clear();
    }

    /// How many requests of this kind were sent, whatever their outcome.
    pub(crate) fn sent(&self, request: Request) -> usize {
        self.sent_at(request).len()
    }

    /// When requests of this kind were sent.
    pub(crate) fn sent_at(&self, request: Request) -> Vec<Timestamp> {
        let state = self.state.lock().unwrap();
        state.sent.iter().filter(|(_, kind)| *kind == request).map(|(at, _)| *at).collect()
    }

    /// How many requests were sent in all.
    pub(crate) fn sent_in_all(&self) -> usize {
        self.state.lock().unwrap().sent.len()
    }

    /// Delivers the requests that are due by now to the upstream, each at its time.
    pub(crate) fn deliver_late(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        state.late.sort_by_key(|(due, _)| *due);
        let due = state.late.partition_point(|(due, _)| *due <= now);
        for (due, request) in state.late.drain(..due) {
            self.upstream.lock().unwrap().handle(due, &request);
        }
    }

    fn next_fault(&self, kind: Request) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        state.sent.push((self.clock.now(), kind));
        let scripted = state.script.get_mut(&kind).and_then(VecDeque::pop_front);
        scripted.or_else(|| state.always.get(&kind).copied())
    }
}

impl Request {
    fn of(request: &http::Request<Bytes>) -> Request {
        let body = String::from_utf8_lossy(request.body());
        match request.uri().path() {
            "/oauth/token" => Request::Token,
            "/api/v2/client" if body.contains("query Ranks") => Request::Ranks,
            "/api/v2/client" if body.contains("query ReadPoints") => Request::Points,
            "/api/v2/client" if body.contains("worldData") => Request::WorldData,
            "/api/v2/client" => Request::Reports,
            _ => Request::Page,
        }
    }
}

#[async_trait]
impl Transport for Network {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let host = || "standin".to_owned();
        self.deliver_late();
        let fault = self.next_fault(Request::of(&request));
        match fault {
            Some(Fault::BilledLater(status, seconds)) => {
                let due = after(self.clock.now(), Duration::from_secs(seconds));
                self.state.lock().unwrap().late.push((due, request));
                return Ok(failed(status));
            }
            Some(Fault::Unreachable) => {
                return Err(TransportError::Unreachable { host: host(), reason: "no route".into() });
            }
            Some(Fault::Before(status)) => return Ok(failed(status)),
            Some(Fault::RefusedFor(seconds)) => return Ok(refused(seconds)),
            Some(Fault::Instead(status, text)) => return Ok(instead(status, text)),
            _ => {}
        }
        let (kind, uri) = (Request::of(&request), request.uri().clone());
        let (head, body) = self.inner.send(request, limits).await?.into_parts();
        let body = if kind == Request::Page { self.rewritten(&uri, body) } else { body };
        let half = body.slice(..body.len() / 2);
        let body = match fault {
            Some(Fault::After(status)) => return Ok(failed(status)),
            Some(Fault::Hang) => {
                let timeout = limits.timeout.saturating_sub(Duration::from_millis(100));
                self.clock.sleep(timeout).await;
                return Err(TransportError::TimedOut { host: host(), timeout: limits.timeout });
            }
            Some(Fault::Late(late)) => {
                self.clock.sleep(late.min(limits.timeout).saturating_sub(Duration::from_millis(100))).await;
                if late >= limits.timeout {
                    return Err(TransportError::TimedOut { host: host(), timeout: limits.timeout });
                }
                Body::whole(body)
            }
            Some(Fault::Cut) => {
                let cut = TransportError::Broken { host: host(), reason: "connection reset".into() };
                Body::new(stream::iter([Ok(half), Err(cut)]), host(), limits.max_body)
            }
            Some(Fault::Half) => Body::whole(half),
            Some(Fault::Replaced(text)) => Body::whole(Bytes::from_static(text.as_bytes())),
            _ => Body::whole(body),
        };
        Ok(Response::from_parts(head, body))
    }
}

fn failed(status: u16) -> Response<Body> {
    instead(status, "<html><body>Error</body></html>")
}

fn instead(status: u16, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn refused(seconds: u64) -> Response<Body> {
    let mut answer = failed(429);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer
}
