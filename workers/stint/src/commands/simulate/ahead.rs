//! The stand-in on a thread of its own: while an answer is on its way in virtual time, it is made beside the workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_http::{Limits, Transport, TransportError};
use stint_standins::warcraftlogs::Options;
use stint_standins::{Reply, Upstream, WarcraftLogs};

/// A request, when it arrived, and who waits for the answer.
struct Asked {
    now: Timestamp,
    request: http::Request<Bytes>,
    reply: Sender<Reply>,
}

/// Hands requests to the stand-in in the order in which they are sent, so that a run is the same each time, and takes
/// the answers when their latency is over.
pub(super) struct Ahead {
    asked: Sender<Asked>,
    options: Options,
    requests: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Ahead {
    /// A way to `upstream`, which nobody else may ask anything.
    pub(super) fn new(upstream: &Arc<Mutex<WarcraftLogs>>, clock: Arc<dyn Clock>) -> Ahead {
        let (asked, questions) = mpsc::channel();
        let upstream = upstream.clone();
        let options = lock(&upstream).options().clone();
        std::thread::spawn(move || answer(&upstream, &questions));
        Ahead { asked, options, requests: AtomicU64::new(0), clock }
    }
}

/// Until nobody can ask any more.
fn answer(upstream: &Mutex<WarcraftLogs>, questions: &Receiver<Asked>) {
    while let Ok(Asked { now, request, reply }) = questions.recv() {
        let answer = lock(upstream).handle(now, &request);
        // Who gave up has been answered and charged all the same.
        let _ = reply.send(answer);
    }
}

fn lock(upstream: &Mutex<WarcraftLogs>) -> std::sync::MutexGuard<'_, WarcraftLogs> {
    upstream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transport for Ahead {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let latency = WarcraftLogs::latency_of(&self.options, self.requests.fetch_add(1, Ordering::Relaxed));
        let host = request.uri().host().unwrap_or("stand-in").to_owned();
        let (reply, answer) = mpsc::channel();
        let lost = |reason: &str| TransportError::Broken { host: host.clone(), reason: reason.to_owned() };
        self.asked.send(Asked { now: self.clock.now(), request, reply }).map_err(|_| lost("the stand-in is gone"))?;
        if latency > limits.timeout {
            self.clock.sleep(limits.timeout).await;
            return Err(TransportError::TimedOut { host, timeout: limits.timeout });
        }
        self.clock.sleep(latency).await;
        // Its time has come in the simulation; here it may take some microseconds more.
        let answer = answer.recv().map_err(|_| lost("the stand-in is gone"))?;
        Ok(answer.response)
    }
}
