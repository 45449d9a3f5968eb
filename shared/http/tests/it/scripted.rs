//! A transport that answers from a script, and a loop that advances virtual time.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, between};
use stint_http::{Body, Client, RequestLimits, Transport, TransportError};

pub(crate) const HOST: &str = "upstream.example";

type Outcome = Result<http::Response<Bytes>, TransportError>;

/// What the upstream has seen of one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// The time since the start of the world.
    pub(crate) at: Duration,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// One upstream, its client, and their clock.
pub(crate) struct HttpWorld {
    pub(crate) clock: ManualClock,
    pub(crate) client: Client,
    script: Arc<Script>,
}

struct Script {
    clock: ManualClock,
    /// How long each answer takes.
    latency: Duration,
    outcomes: Mutex<VecDeque<Outcome>>,
    seen: Mutex<Vec<Seen>>,
}

impl HttpWorld {
    pub(crate) fn new(outcomes: impl IntoIterator<Item = Outcome>) -> HttpWorld {
        HttpWorld::slow(outcomes, Duration::ZERO, Duration::ZERO)
    }

    /// Creates a world in which each answer takes `latency` and the client leaves `interval` between two requests.
    pub(crate) fn slow(
        outcomes: impl IntoIterator<Item = Outcome>,
        latency: Duration,
        interval: Duration,
    ) -> HttpWorld {
        let clock = ManualClock::new(start());
        let outcomes = Mutex::new(outcomes.into_iter().collect());
        let script = Arc::new(Script { clock: clock.clone(), latency, outcomes, seen: Mutex::default() });
        let client = Client::with_interval(Arc::<Script>::clone(&script), Arc::new(clock.clone()), interval);
        HttpWorld { clock, client, script }
    }

    /// Runs `future` to completion; time jumps from one sleeper to the next.
    pub(crate) fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        run(&self.clock, future)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        between(start(), self.clock.now())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().expect("lock").clone()
    }

    /// Returns when each request was seen, in whole milliseconds.
    pub(crate) fn times(&self) -> Vec<u128> {
        self.seen().iter().map(|seen| seen.at.as_millis()).collect()
    }
}

/// Runs `future` to completion on `clock`; time jumps from one sleeper to the next.
pub(crate) fn run<T: 'static>(clock: &ManualClock, future: impl Future<Output = T> + 'static) -> T {
    let mut pool = LocalPool::new();
    let handle = pool.spawner().spawn_local_with_handle(future).expect("spawn");
    let mut handle = Some(handle);
    loop {
        pool.run_until_stalled();
        if let Some(output) = handle.as_mut().and_then(futures::FutureExt::now_or_never) {
            handle.take();
            return output;
        }
        let next = clock.next_deadline().expect("a sleeping task");
        clock.advance_to(next);
    }
}

#[async_trait]
impl Transport for Script {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        _: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let authorization = request.headers().get(AUTHORIZATION);
        self.seen.lock().expect("lock").push(Seen {
            at: between(start(), self.clock.now()),
            path: request.uri().path().to_owned(),
            authorization: authorization.map(|value| value.to_str().expect("text").to_owned()),
            body: String::from_utf8(request.body().to_vec()).expect("text"),
        });
        let outcome = self.outcomes.lock().expect("lock").pop_front();
        self.clock.sleep(self.latency).await;
        outcome.expect("a request that the script does not know").map(|answer| answer.map(Body::whole))
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().expect("timestamp")
}

pub(crate) fn request(path: &str) -> http::Request<Bytes> {
    http::Request::get(format!("https://{HOST}{path}")).body(Bytes::new()).expect("request")
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Bytes::copy_from_slice(body.as_bytes())).expect("response"))
}

pub(crate) fn ok(body: &str) -> Outcome {
    answer(200, &[], body)
}

pub(crate) fn too_many(retry_after: &str) -> Outcome {
    answer(429, &[("retry-after", retry_after)], r#"{"status":429}"#)
}

pub(crate) fn token(token: &str) -> Outcome {
    ok(&format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#))
}

pub(crate) fn unreachable() -> Outcome {
    Err(TransportError::Unreachable { host: HOST.to_owned(), reason: String::from("connection refused") })
}

pub(crate) fn timed_out() -> Outcome {
    Err(TransportError::TimedOut { host: HOST.to_owned(), timeout: Duration::from_secs(30) })
}

pub(crate) fn broken() -> Outcome {
    Err(TransportError::Broken { host: HOST.to_owned(), reason: String::from("connection reset") })
}
