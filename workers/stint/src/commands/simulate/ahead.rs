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

/// What the thread of the stand-in is told.
enum Told {
    Answer(Box<Asked>),
    /// Say when everything before this is answered.
    Settle(Sender<()>),
}

/// A request, when it arrived, and who waits for the answer.
struct Asked {
    now: Timestamp,
    request: http::Request<Bytes>,
    reply: Sender<Reply>,
}

/// Hands requests to the stand-in in the order in which they are sent, so that a run is the same each time, and takes
/// the answers when their latency is over.
pub(super) struct Ahead {
    thread: Sender<Told>,
    options: Options,
    requests: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Ahead {
    /// A way to `upstream`, which nobody else may ask anything.
    pub(super) fn new(upstream: &Arc<Mutex<WarcraftLogs>>, clock: Arc<dyn Clock>) -> Ahead {
        let (thread, told) = mpsc::channel();
        let upstream = upstream.clone();
        let options = lock(&upstream).options().clone();
        std::thread::spawn(move || answer(&upstream, &told));
        Ahead { thread, options, requests: AtomicU64::new(0), clock }
    }

    /// Waits until everything that was sent is answered and in the stand-in's books.
    pub(super) fn settle(&self) {
        let (settled, wait) = mpsc::channel();
        if self.thread.send(Told::Settle(settled)).is_ok() {
            // A thread that is gone has nothing left to answer.
            let _ = wait.recv();
        }
    }
}

/// Until nobody can ask any more.
fn answer(upstream: &Mutex<WarcraftLogs>, told: &Receiver<Told>) {
    while let Ok(told) = told.recv() {
        // Who gave up has been answered and charged all the same.
        let _ = match told {
            Told::Answer(asked) => {
                let Asked { now, request, reply } = *asked;
                reply.send(lock(upstream).handle(now, &request)).map_err(drop)
            }
            Told::Settle(settled) => settled.send(()).map_err(drop),
        };
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
        let asked = Told::Answer(Box::new(Asked { now: self.clock.now(), request, reply }));
        self.thread.send(asked).map_err(|_| lost("the stand-in is gone"))?;
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
