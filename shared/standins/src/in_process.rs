//! A stand-in behind the port that clients send through, without a socket.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use stint_core::clock::{Clock, after};
use stint_http::{Body, RequestLimits, Transport, TransportError};

use crate::transfer::ConnectionClosed;
use crate::{Reply, Upstream};

/// Sends every request to one stand-in, whatever host it names.
///
/// The request arrives at once. The answer takes its latency on the clock, and its body takes its transfer time. A
/// request is counted and charged even if the client stops waiting for its answer. Bodies are never compressed, as no
/// network is involved.
pub struct InProcess<U: ?Sized> {
    upstream: Arc<Mutex<U>>,
    clock: Arc<dyn Clock>,
    user_agent: Option<HeaderValue>,
}

impl<U: Upstream + ?Sized> InProcess<U> {
    /// Returns a transport to `upstream` on the time of `clock`.
    pub fn new(upstream: Arc<Mutex<U>>, clock: Arc<dyn Clock>) -> InProcess<U> {
        InProcess { upstream, clock, user_agent: None }
    }

    /// Sets the `User-Agent` of requests that have none.
    ///
    /// # Panics
    /// If `user_agent` is not a valid header value.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> InProcess<U> {
        // The panic is documented; only tests pass the value.
        let user_agent = HeaderValue::from_str(user_agent).expect("a user agent is printable text");
        InProcess { user_agent: Some(user_agent), ..self }
    }

    /// Reads the time under the lock, so that requests reach the stand-in in the order of their arrival.
    fn handle(&self, mut request: http::Request<Bytes>) -> Reply {
        request.headers_mut().remove(ACCEPT_ENCODING);
        if let Some(user_agent) = &self.user_agent {
            request.headers_mut().entry(USER_AGENT).or_insert_with(|| user_agent.clone());
        }
        let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        upstream.handle(self.clock.now(), &request)
    }
}

impl<U: ?Sized> Clone for InProcess<U> {
    fn clone(&self) -> InProcess<U> {
        let (upstream, clock) = (self.upstream.clone(), self.clock.clone());
        InProcess { upstream, clock, user_agent: self.user_agent.clone() }
    }
}

#[async_trait]
impl<U: Upstream + ?Sized> Transport for InProcess<U> {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let host = host(&request);
        let deadline = after(self.clock.now(), limits.timeout);
        let timed_out = TransportError::TimedOut { host: host.clone(), timeout: limits.timeout };
        let Reply { response, latency, transfer } = self.handle(request);
        if latency > limits.timeout {
            self.clock.sleep(limits.timeout).await;
            return Err(timed_out);
        }
        if !latency.is_zero() {
            self.clock.sleep(latency).await;
        }
        let (head, body) = response.into_parts();
        let (clock, from) = (self.clock.clone(), host.clone());
        let chunks = transfer.pieces(body, self.clock.clone()).map(move |piece| match piece {
            _ if clock.now() > deadline => Err(timed_out.clone()),
            Ok(piece) => Ok(piece),
            Err(ConnectionClosed) => {
                Err(TransportError::Broken { host: from.clone(), reason: "the connection ended".into() })
            }
        });
        Ok(http::Response::from_parts(head, Body::new(chunks, host, limits.max_body)))
    }
}

fn host(request: &http::Request<Bytes>) -> String {
    request.uri().authority().map_or_else(|| "stand-in".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use jiff::Timestamp;
    use stint_core::clock::ManualClock;

    use super::*;

    /// Returns ten bytes after ten seconds, and counts the requests.
    struct Slow(u32);

    impl Upstream for Slow {
        fn handle(&mut self, _now: Timestamp, _request: &http::Request<Bytes>) -> Reply {
            self.0 += 1;
            let response = http::Response::new(Bytes::from_static(b"0123456789"));
            Reply::whole(response, Duration::from_secs(10))
        }
    }

    fn send(
        clock: &ManualClock,
        upstream: &Arc<Mutex<Slow>>,
        timeout: u64,
        max_body: usize,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let transport = InProcess::new(upstream.clone(), Arc::new(clock.clone()));
        let request = http::Request::get("https://example.invalid:8443/a").body(Bytes::new()).expect("a request");
        let limits = RequestLimits { timeout: Duration::from_secs(timeout), max_body };
        let mut answer = transport.send(request, limits);
        assert!((&mut answer).now_or_never().is_none(), "an answer takes time");
        clock.advance_to(clock.next_deadline().expect("a pending timer"));
        answer.now_or_never().expect("the time has passed")
    }

    #[test]
    fn an_answer_takes_its_latency() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        let answer = send(&clock, &upstream, 30, 10).expect("an answer");
        assert_eq!(answer.body().len(), 10);
        assert_eq!(clock.now().as_second(), 10);
    }

    #[test]
    fn a_request_that_timed_out_is_counted() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        let error = send(&clock, &upstream, 3, 10).expect_err("no answer");
        assert_eq!(error.to_string(), "no answer from example.invalid:8443 within 3 s");
        assert_eq!(clock.now().as_second(), 3);
        assert_eq!(upstream.lock().expect("unpoisoned").0, 1);
    }

    #[test]
    fn an_answer_above_the_cap_is_an_error() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        assert!(matches!(send(&clock, &upstream, 30, 9), Err(TransportError::TooLarge { max_body: 9, .. })));
    }
}
