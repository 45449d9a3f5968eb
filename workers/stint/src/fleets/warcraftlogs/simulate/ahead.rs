//! The stand-in on a thread of its own: while an answer is on its way in virtual time, it is made beside the workers.
//! Where many simulations run side by side every core has work anyway, and each answers its own requests.

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

/// The thread looks for the next request this often before it sleeps, some 100 µs: longer than it takes the workers to
/// send one. To wake a sleeping thread costs a virtual machine more than to answer.
const LOOKS: u32 = 4_000;

/// Where requests are answered.
enum Place {
    Beside(Sender<Told>),
    Here(Arc<Mutex<WarcraftLogs>>),
}

/// Hands requests to the stand-in in the order in which they are sent, so that a run is the same each time, and takes
/// the answers when their latency is over.
pub(super) struct Ahead {
    place: Place,
    options: Options,
    requests: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Ahead {
    /// A way to `upstream`, which nobody else may ask anything. A simulation that is `alone` has a core to spare.
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

    /// Where the answer to a request will be.
    fn ask(&self, request: http::Request<Bytes>) -> Receiver<Reply> {
        let (reply, answer) = mpsc::channel();
        let asked = Asked { now: self.clock.now(), request, reply };
        match &self.place {
            Place::Here(upstream) => asked.answer(upstream),
            // Without the thread there is no answer, which whoever waits for it notices.
            Place::Beside(thread) => drop(thread.send(Told::Answer(Box::new(asked)))),
        }
        answer
    }

    /// Waits until everything that was sent is answered and in the stand-in's books.
    pub(super) fn settle(&self) {
        let Place::Beside(thread) = &self.place else { return };
        let (settled, wait) = mpsc::channel();
        if thread.send(Told::Settle(settled)).is_ok() {
            // A thread that is gone has nothing left to answer.
            let _ = wait.recv();
        }
    }
}

/// Until nobody can ask any more.
fn answer(upstream: &Mutex<WarcraftLogs>, told: &Receiver<Told>) {
    while let Some(told) = next(told) {
        match told {
            Told::Answer(asked) => asked.answer(upstream),
            // Whoever asked waits for nothing else.
            Told::Settle(settled) => drop(settled.send(())),
        }
    }
}

/// What is told next; `None` when nobody is left to tell anything.
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
        // Who gave up has been answered and charged all the same.
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
        // Its time has come in the simulation; here it may take some microseconds more.
        let gone = |_| TransportError::Broken { host, reason: "the stand-in is gone".into() };
        let answer = answer.recv().map_err(gone)?;
        Ok(answer.response.map(Body::whole))
    }
}
