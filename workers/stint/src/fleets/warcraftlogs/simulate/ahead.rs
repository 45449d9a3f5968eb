//! Runs the stand-in on its own thread, so that a response is computed in parallel with the workers while it is in
//! flight in virtual time. If many simulations run side by side, every core is busy anyway, and each simulation answers
//! its own requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_http::{Body, Limits, Transport, TransportError};
use stint_standins::warcraftlogs::Options;
use stint_standins::{Reply, Upstream, WarcraftLogs};

/// A command to the stand-in's thread.
enum Told {
    Answer(Box<Asked>),
    /// Report back when all earlier requests are answered.
    Settle(Sender<()>),
}

/// A request, its arrival time, and the channel for the response.
struct Asked {
    now: Timestamp,
    request: http::Request<Bytes>,
    reply: Sender<Reply>,
}

/// The thread checks for the next request this often before it blocks, for about 100 µs, which is longer than the
/// workers take to send one. On a virtual machine, waking a blocked thread costs more than answering a request.
const LOOKS: u32 = 4_000;

/// Where requests are answered.
enum Place {
    Beside(Sender<Told>),
    Here(Arc<Mutex<WarcraftLogs>>),
}

/// Passes requests to the stand-in in the order in which they are sent, so that every run is the same, and delivers
/// each response once its latency has passed.
pub(super) struct Ahead {
    place: Place,
    options: Options,
    requests: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Ahead {
    /// Creates a connection to `upstream`, which must not be used by anything else. A simulation that is `alone` has a
    /// core to spare.
    pub(super) fn new(upstream: &Arc<Mutex<WarcraftLogs>>, alone: bool, clock: Arc<dyn Clock>) -> Ahead {
        let options = lock(upstream).options().clone();
        let place = if alone { Ahead::beside(upstream.clone()) } else { Place::Here(upstream.clone()) };
        Ahead { place, options, requests: AtomicU64::new(0), clock }
    }

    fn beside(upstream: Arc<Mutex<WarcraftLogs>>) -> Place {
        let (thread, told) = mpsc::channel();
        std::thread::spawn(move || answer(&upstream, &told));
        Place::Beside(thread)
    }

    /// Sends a request and returns the channel on which its response will arrive.
    fn ask(&self, request: http::Request<Bytes>) -> Receiver<Reply> {
        let (reply, answer) = mpsc::channel();
        let asked = Asked { now: self.clock.now(), request, reply };
        match &self.place {
            Place::Here(upstream) => asked.answer(upstream),
            // If the thread has ended, no response is sent, which the receiver notices.
            Place::Beside(thread) => drop(thread.send(Told::Answer(Box::new(asked)))),
        }
        answer
    }

    /// Waits until every request sent so far is answered and recorded by the stand-in.
    pub(super) fn settle(&self) {
        let Place::Beside(thread) = &self.place else { return };
        let (settled, wait) = mpsc::channel();
        if thread.send(Told::Settle(settled)).is_ok() {
            // If the thread has ended, there is nothing left to answer.
            let _ = wait.recv();
        }
    }
}

/// Handles requests until every sender is dropped.
fn answer(upstream: &Mutex<WarcraftLogs>, told: &Receiver<Told>) {
    while let Some(told) = next(told) {
        match told {
            Told::Answer(asked) => asked.answer(upstream),
            // The sender waits for nothing else.
            Told::Settle(settled) => drop(settled.send(())),
        }
    }
}

/// Returns the next command, or `None` once every sender is dropped.
fn next(told: &Receiver<Told>) -> Option<Told> {
    for _ in 0..LOOKS {
        match told.try_recv() {
            Ok(told) => return Some(told),
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    told.recv().ok()
}

impl Asked {
    fn answer(self, upstream: &Mutex<WarcraftLogs>) {
        // If the caller gave up, the request was answered and charged nevertheless.
        drop(self.reply.send(lock(upstream).handle(self.now, &self.request)));
    }
}

fn lock(upstream: &Mutex<WarcraftLogs>) -> std::sync::MutexGuard<'_, WarcraftLogs> {
    upstream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transport for Ahead {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, TransportError> {
        let latency = WarcraftLogs::latency_of(&self.options, self.requests.fetch_add(1, Ordering::Relaxed));
        let host = request.uri().host().unwrap_or("stand-in").to_owned();
        let answer = self.ask(request);
        if latency > limits.timeout {
            self.clock.sleep(limits.timeout).await;
            return Err(TransportError::TimedOut { host, timeout: limits.timeout });
        }
        self.clock.sleep(latency).await;
        // The latency has passed in virtual time; in real time the response may take a few more microseconds.
        let gone = |_| TransportError::Broken { host, reason: "the stand-in is gone".into() };
        let answer = answer.recv().map_err(gone)?;
        Ok(answer.response.map(Body::whole))
    }
}
