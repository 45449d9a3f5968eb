//! A stand-in behind the port that clients send through, without a socket.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use stint_core::clock::Clock;
use stint_http::{Limits, Transport, TransportError};

use crate::Upstream;

/// Sends every request to one stand-in, whatever host it names.
///
/// The request arrives at once; the answer takes its latency on the clock. A client that stops waiting has still
/// been seen, and charged.
pub struct InProcess<U: ?Sized> {
    upstream: Arc<Mutex<U>>,
    clock: Arc<dyn Clock>,
}

impl<U: Upstream + ?Sized> InProcess<U> {
    /// A transport to `upstream` on the time of `clock`.
    pub fn new(upstream: Arc<Mutex<U>>, clock: Arc<dyn Clock>) -> InProcess<U> {
        InProcess { upstream, clock }
    }
}

impl<U: ?Sized> Clone for InProcess<U> {
    fn clone(&self) -> InProcess<U> {
        InProcess { upstream: self.upstream.clone(), clock: self.clock.clone() }
    }
}

#[async_trait]
impl<U: Upstream + ?Sized> Transport for InProcess<U> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        // Time is read under the lock, so that arrivals reach the stand-in in the order of their instants.
        let reply = {
            let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
            upstream.handle(self.clock.now(), &request)
        };
        if reply.latency > limits.timeout {
            self.clock.sleep(limits.timeout).await;
            return Err(TransportError::TimedOut { host: host(&request), timeout: limits.timeout });
        }
        if !reply.latency.is_zero() {
            self.clock.sleep(reply.latency).await;
        }
        if reply.response.body().len() > limits.max_body {
            return Err(TransportError::TooLarge { host: host(&request), max_body: limits.max_body });
        }
        Ok(reply.response)
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
    use crate::Reply;

    /// Answers ten bytes after ten seconds, and counts.
    struct Slow(u32);

    impl Upstream for Slow {
        fn handle(&mut self, _now: Timestamp, _request: &http::Request<Bytes>) -> Reply {
            self.0 += 1;
            let response = http::Response::new(Bytes::from_static(b"0123456789"));
            Reply { response, latency: Duration::from_secs(10) }
        }
    }

    fn ask(
        clock: &ManualClock,
        upstream: &Arc<Mutex<Slow>>,
        timeout: u64,
        max_body: usize,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let transport = InProcess::new(upstream.clone(), Arc::new(clock.clone()));
        let request = http::Request::get("https://example.invalid:8443/a").body(Bytes::new()).expect("a request");
        let limits = Limits { timeout: Duration::from_secs(timeout), max_body };
        let mut answer = transport.send(request, limits);
        assert!((&mut answer).now_or_never().is_none(), "an answer takes time");
        clock.advance_to(clock.next_deadline().expect("somebody sleeps"));
        answer.now_or_never().expect("the time has passed")
    }

    #[test]
    fn an_answer_takes_its_latency() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        let answer = ask(&clock, &upstream, 30, 10).expect("an answer");
        assert_eq!(answer.body().len(), 10);
        assert_eq!(clock.now().as_second(), 10);
    }

    #[test]
    fn a_request_that_timed_out_has_been_seen() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        let error = ask(&clock, &upstream, 3, 10).expect_err("no answer");
        assert_eq!(error.to_string(), "no answer from example.invalid:8443 within 3 s");
        assert_eq!(clock.now().as_second(), 3);
        assert_eq!(upstream.lock().expect("unpoisoned").0, 1);
    }

    #[test]
    fn an_answer_above_the_cap_is_an_error() {
        let (clock, upstream) = (ManualClock::new(Timestamp::UNIX_EPOCH), Arc::new(Mutex::new(Slow(0))));
        assert!(matches!(ask(&clock, &upstream, 30, 9), Err(TransportError::TooLarge { max_body: 9, .. })));
    }
}
