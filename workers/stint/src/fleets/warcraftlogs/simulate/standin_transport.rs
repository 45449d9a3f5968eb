//! Runs the stand-in on its own thread, so that a response is computed in parallel with the workers while it is in
//! flight in virtual time. If many simulations run side by side, every core is busy anyway, and each simulation responds to
//! its own requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_standins::warcraftlogs::Options;
use stint_standins::{Reply, Upstream, WarcraftLogs};

/// A command to the stand-in's thread.
enum Command {
    Respond(Box<PendingRequest>),
    /// Report back when all earlier requests are answered.
    WaitUntilIdle(Sender<()>),
}

/// A request, its arrival time, and the channel for the response.
struct PendingRequest {
    now: Timestamp,
    request: http::Request<Bytes>,
    reply: Sender<Reply>,
}

/// The thread checks for the next request this often before it blocks, for about 100 µs, which is longer than the
/// workers take to send one. On a virtual machine, waking a blocked thread costs more than answering a request.
const SPIN_COUNT: u32 = 4_000;

/// Where requests are answered.
enum Location {
    Thread(Sender<Command>),
    Inline(Arc<Mutex<WarcraftLogs>>),
}

/// Passes requests to the stand-in in the order in which they are sent, so that every run is the same, and delivers
/// each response once its latency has passed.
pub(super) struct StandinTransport {
    location: Location,
    options: Options,
    requests: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl StandinTransport {
    /// Creates a connection to `upstream`, which must not be used by anything else. A simulation that is `exclusive` has a
    /// core to spare.
    pub(super) fn new(upstream: &Arc<Mutex<WarcraftLogs>>, exclusive: bool, clock: Arc<dyn Clock>) -> StandinTransport {
        let options = lock(upstream).options().clone();
        let location = if exclusive {
            StandinTransport::start_thread(upstream.clone())
        } else {
            Location::Inline(upstream.clone())
        };
        StandinTransport { location, options, requests: AtomicU64::new(0), clock }
    }

    fn start_thread(upstream: Arc<Mutex<WarcraftLogs>>) -> Location {
        let (thread, commands) = mpsc::channel();
        std::thread::spawn(move || respond_all(&upstream, &commands));
        Location::Thread(thread)
    }

    /// Sends a request and returns the channel on which its response will arrive.
    fn send(&self, request: http::Request<Bytes>) -> Receiver<Reply> {
        let (reply, response) = mpsc::channel();
        let pending = PendingRequest { now: self.clock.now(), request, reply };
        match &self.location {
            Location::Inline(upstream) => pending.respond(upstream),
            // If the thread has ended, no response is sent, which the receiver notices.
            Location::Thread(thread) => drop(thread.send(Command::Respond(Box::new(pending)))),
        }
        response
    }

    /// Waits until every request sent so far is answered and recorded by the stand-in.
    pub(super) fn wait_until_idle(&self) {
        let Location::Thread(thread) = &self.location else { return };
        let (idle, wait) = mpsc::channel();
        if thread.send(Command::WaitUntilIdle(idle)).is_ok() {
            // If the thread has ended, there is nothing left to respond to.
            let _ = wait.recv();
        }
    }
}

/// Handles requests until every sender is dropped.
fn respond_all(upstream: &Mutex<WarcraftLogs>, commands: &Receiver<Command>) {
    while let Some(command) = next(commands) {
        match command {
            Command::Respond(pending) => pending.respond(upstream),
            // The sender waits for nothing else.
            Command::WaitUntilIdle(idle) => drop(idle.send(())),
        }
    }
}

/// Returns the next command, or `None` once every sender is dropped.
fn next(commands: &Receiver<Command>) -> Option<Command> {
    for _ in 0..SPIN_COUNT {
        match commands.try_recv() {
            Ok(command) => return Some(command),
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
    commands.recv().ok()
}

impl PendingRequest {
    fn respond(self, upstream: &Mutex<WarcraftLogs>) {
        // If the caller gave up, the request was answered and charged nevertheless.
        drop(self.reply.send(lock(upstream).handle(self.now, &self.request)));
    }
}

fn lock(upstream: &Mutex<WarcraftLogs>) -> std::sync::MutexGuard<'_, WarcraftLogs> {
    upstream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transport for StandinTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let latency = WarcraftLogs::latency_of(&self.options, self.requests.fetch_add(1, Ordering::Relaxed));
        let host = request.uri().host().unwrap_or("stand-in").to_owned();
        let response = self.send(request);
        if latency > limits.timeout {
            self.clock.sleep(limits.timeout).await;
            return Err(TransportError::TimedOut { host, timeout: limits.timeout });
        }
        self.clock.sleep(latency).await;
        // The latency has passed in virtual time; in real time the response may take a few more microseconds.
        let gone = |_| TransportError::Broken { host, reason: "the stand-in is gone".into() };
        let reply = response.recv().map_err(gone)?;
        Ok(reply.response.map(Body::whole))
    }
}
