//! A simulated upstream behind a network. It counts requests, restricts, and says so in headers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, after, before, between};
use stint_http::{Body, Client, LimitOptions, RequestLimits, RetryPolicy, StoredPace, Transport, TransportError};

use crate::scripted::{run, start};

/// One `max_hits:period:restriction`, in hits and seconds.
pub(crate) type Limit = (u32, u64, u64);

/// How long it takes until request number n is counted, and from then until its answer arrives. Derived from n by a
/// pseudo-random draw.
pub(crate) type Network = fn(u64) -> (Duration, Duration);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Counting {
    Sliding,
    Fixed,
    /// Sliding, and a hit stays half a period longer than the header says.
    Longer,
}

/// The state of the upstream.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) limits: Vec<Limit>,
    /// When each counted request was counted.
    pub(crate) hits: VecDeque<Timestamp>,
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    restricted_until: Option<Timestamp>,
    /// The number of requests in flight, and the highest such number.
    under_way: u32,
    pub(crate) most_under_way: u32,
    /// The statuses of the next answers, regardless of the limits.
    pub(crate) script: VecDeque<u16>,
    /// Headers to send instead of the true ones.
    pub(crate) headers: Option<Vec<(&'static str, &'static str)>>,
}

pub(crate) struct Upstream {
    pub(crate) clock: ManualClock,
    network: Network,
    counting: Counting,
    pub(crate) state: Mutex<State>,
}

/// A clock that wakes late by a fixed duration.
struct LateClock(ManualClock, Duration);

impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let late = if deadline > self.0.now() { after(deadline, self.1) } else { deadline };
        self.0.sleep_until(late)
    }
}

impl Upstream {
    pub(crate) fn new(limits: &[Limit], network: Network, counting: Counting) -> Arc<Upstream> {
        let state = State { limits: limits.to_vec(), ..State::default() };
        Arc::new(Upstream { clock: ManualClock::new(start()), network, counting, state: Mutex::new(state) })
    }

    pub(crate) fn client(self: &Arc<Upstream>, options: LimitOptions) -> Client {
        Client::with_limits(Arc::<Upstream>::clone(self), Arc::new(self.clock.clone()), options)
    }

    /// Returns a client whose clock wakes it a little late each time, as every real clock does.
    pub(crate) fn late_client(self: &Arc<Upstream>, late: Duration, options: LimitOptions) -> Client {
        Client::with_limits(Arc::<Upstream>::clone(self), Arc::new(LateClock(self.clock.clone(), late)), options)
    }

    /// Sends `count` requests, each as soon as permitted. Returns the time from the first to the last.
    pub(crate) fn send(self: &Arc<Upstream>, client: &Client, count: u64) -> Duration {
        let (client, began) = (client.clone(), self.clock.now());
        run(&self.clock, async move {
            for _ in 0..count {
                client.send(request("/pages?id=1"), &RetryPolicy::PAGE).await.expect("an answer");
            }
        });
        between(began, self.clock.now())
    }

    /// Counts a request of another program at the same address.
    pub(crate) fn hit_from_elsewhere(&self) {
        self.state.lock().expect("lock").hits.push_back(self.clock.steady().now());
    }

    pub(crate) fn refused(&self) -> u64 {
        self.state.lock().expect("lock").refused
    }

    pub(crate) fn most_under_way(&self) -> u32 {
        self.state.lock().expect("lock").most_under_way
    }

    /// Counts a request now. Returns its status and the headers of its answer.
    fn count(&self) -> http::response::Builder {
        let now = self.clock.steady().now();
        let mut state = self.state.lock().expect("lock");
        state.hits.push_back(now);
        let mut states = Vec::new();
        let mut restriction = None;
        for (max_hits, period, restricted) in state.limits.clone() {
            let hits = self.hits(&state.hits, now, Duration::from_secs(period));
            states.push(format!("{hits}:{period}:0"));
            restriction = restriction.max((hits > max_hits).then_some(restricted));
        }
        if let Some(seconds) = restriction {
            state.restricted_until = Some(after(now, Duration::from_secs(seconds)));
        }
        let wait = state.restricted_until.map(|until| between(now, until)).filter(|wait| !wait.is_zero());
        state.refused += u64::from(wait.is_some());
        let status = state.script.pop_front().unwrap_or(if wait.is_some() { 429 } else { 200 });
        let mut answer = http::Response::builder().status(status);
        if let Some(wait) = wait {
            answer = answer.header("Retry-After", wait.as_secs().to_string());
        }
        let limits = state.limits.iter().map(|(hits, period, restricted)| format!("{hits}:{period}:{restricted}"));
        let limits = limits.collect::<Vec<String>>().join(",");
        match &state.headers {
            Some(headers) => headers.iter().fold(answer, |answer, (name, value)| answer.header(*name, *value)),
            None => (answer.header("X-Rate-Limit-Policy", "pages").header("X-Rate-Limit-Rules", "Ip"))
                .header("X-Rate-Limit-Ip", limits)
                .header("X-Rate-Limit-Ip-State", states.join(",")),
        }
    }

    fn hits(&self, hits: &VecDeque<Timestamp>, now: Timestamp, period: Duration) -> u32 {
        let opened = match self.counting {
            Counting::Sliding => before(now, period),
            Counting::Longer => before(now, period * 3 / 2),
            Counting::Fixed => {
                let passed = between(start(), now).as_nanos() % period.as_nanos();
                before(now, Duration::from_nanos(u64::try_from(passed).expect("short")) + Duration::from_nanos(1))
            }
        };
        let counted = hits.iter().rev().take_while(|hit| **hit > opened).count();
        u32::try_from(counted).expect("few")
    }
}

#[async_trait]
impl Transport for Upstream {
    async fn open(&self, _: http::Request<Bytes>, _: RequestLimits) -> Result<http::Response<Body>, TransportError> {
        let (out, back) = {
            let mut state = self.state.lock().expect("lock");
            state.requests += 1;
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            (self.network)(state.requests)
        };
        self.clock.sleep(out).await;
        let answer = self.count();
        self.clock.sleep(back).await;
        self.state.lock().expect("lock").under_way -= 1;
        Ok(answer.body(Body::whole(Bytes::new())).expect("an answer"))
    }
}

pub(crate) fn request(path: &str) -> http::Request<Bytes> {
    http::Request::get(format!("https://upstream.example{path}")).body(Bytes::new()).expect("request")
}

/// Returns a pseudo-random number below `bound` that is the same on every run.
pub(crate) fn pseudo_random(number: u64, salt: u64, bound: u64) -> u64 {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)) % bound
}

/// Returns a client's memory after a round trip through its stored form.
pub(crate) fn kept(client: &Client) -> StoredPace {
    let memory = client.limits().expect("limits").memory();
    serde_json::from_str(&serde_json::to_string(&memory).expect("JSON")).expect("a memory")
}
