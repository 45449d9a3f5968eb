//! Rate-limit headers, and the pacer that obeys them. Whatever some answers say, correct answers restore the pace
//! within an hour, or when the `Retry-After` of a refusal is over. From then on no request is refused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, after, between};
use stint_http::{
    Body, Client, HttpError, LimitOptions, RequestLimits, RetryPolicy, StoredPace, Transport, TransportError,
};
use stint_testkit::drive;

use crate::upstream::{answer, clock, status, with_header};

/// The true limit: this many requests in any period of this many seconds.
const HITS: usize = 10;
const PERIOD: u64 = 5;

/// False answers: fewer than the limit, so that they alone cannot use it up.
const MOST_FALSE_ANSWERS: usize = 6;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The waits of one request with its retries, and a margin beyond an hour.
const SLACK: Duration = Duration::from_secs(5 * 60);

#[derive(Arbitrary, Debug)]
struct FalseAnswer<'a> {
    status: u8,
    policy: Option<&'a [u8]>,
    rules: Option<&'a [u8]>,
    limit: Text<'a>,
    state: Text<'a>,
    retry_after: Option<u16>,
    /// The process restarts with its stored state.
    restarts: bool,
    seconds: u8,
}

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Raw(&'a [u8]),
    Numbers(Vec<[u32; 3]>),
}

impl Text<'_> {
    fn value(&self) -> Vec<u8> {
        match self {
            Text::Raw(bytes) => bytes.to_vec(),
            Text::Numbers(windows) => {
                let windows = windows.iter().map(|[one, two, three]| format!("{one}:{two}:{three}"));
                windows.collect::<Vec<_>>().join(",").into_bytes()
            }
        }
    }
}

pub(crate) fn run(input: &[u8]) {
    let Ok(false_answers) = Vec::<FalseAnswer<'_>>::arbitrary(&mut Unstructured::new(input)) else { return };
    let clock = clock();
    let upstream = Arc::new(Upstream { clock: clock.clone(), state: Mutex::default() });
    let start = || Client::with_limits(upstream.clone(), Arc::new(clock.clone()), LimitOptions::default());
    let mut client = start();
    let mut asked_for = Duration::ZERO;
    for false_answer in false_answers.iter().take(MOST_FALSE_ANSWERS) {
        upstream.lock().false_answer = Some(to_response(false_answer));
        asked_for = asked_for.max(Duration::from_secs(false_answer.retry_after.unwrap_or_default().into()));
        // The outcome does not matter.
        let _ = send(&clock, &client);
        clock.advance(Duration::from_secs(false_answer.seconds.into()));
        if false_answer.restarts || matches!(send(&clock, &client), Err(HttpError::StoppedForClientErrors { .. })) {
            client = restarted(&client, start());
        }
    }
    upstream.lock().false_answer = None;
    let began = clock.now();
    let answered = send(&clock, &client);
    if matches!(answered, Err(HttpError::StoppedForClientErrors { .. })) {
        // Too many consecutive 4xx answers stop the process until an operator restarts it.
        client = restarted(&client, start());
    }
    let refused = upstream.lock().refused;
    (0..=HITS).for_each(|_| _ = send(&clock, &client));
    let waited = between(began, clock.now());
    assert!(waited <= HOUR.max(asked_for) + SLACK, "correct answers did not restore the pace within {waited:?}");
    let began = clock.now();
    for _ in 0..HITS * 4 {
        assert!(send(&clock, &client).is_ok(), "a correct answer");
    }
    let paced = between(began, clock.now());
    assert!(paced <= Duration::from_secs(PERIOD * 20), "{paced:?} for {} requests", HITS * 4);
    assert_eq!(upstream.lock().refused, refused, "more requests were sent than the limit allows");
}

fn send(clock: &ManualClock, client: &Client) -> Result<u16, HttpError> {
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static("https://upstream.example/pages");
    drive(clock, client.send(request, &RetryPolicy::PAGE)).map(|answer| answer.status.as_u16())
}

/// Returns a process that takes over the stored state of another one.
fn restarted(client: &Client, new: Client) -> Client {
    if let (Some(old), Some(limits)) = (client.limits(), new.limits()) {
        let kept = serde_json::to_string(&old.memory()).expect("the state can be serialised");
        let memory: StoredPace = serde_json::from_str(&kept).expect("the state can be parsed");
        limits.restore(&memory);
    }
    new
}

fn to_response(answered: &FalseAnswer<'_>) -> http::Response<Bytes> {
    let mut response = answer(status(answered.status), b"");
    with_header(&mut response, "x-rate-limit-policy", answered.policy.unwrap_or(b"pages"));
    with_header(&mut response, "x-rate-limit-rules", answered.rules.unwrap_or(b"Ip"));
    with_header(&mut response, "x-rate-limit-ip", &answered.limit.value());
    with_header(&mut response, "x-rate-limit-ip-state", &answered.state.value());
    if let Some(seconds) = answered.retry_after {
        with_header(&mut response, "retry-after", seconds.to_string().as_bytes());
    }
    response
}

/// An upstream that enforces its limit, and occasionally returns a false answer.
struct Upstream {
    clock: ManualClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    false_answer: Option<http::Response<Bytes>>,
    hits: VecDeque<Timestamp>,
    refused: u64,
}

impl Upstream {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Upstream {
    async fn open(&self, _: http::Request<Bytes>, _: RequestLimits) -> Result<http::Response<Body>, TransportError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.hits.push_back(now);
        while state.hits.front().is_some_and(|hit| after(*hit, Duration::from_secs(PERIOD)) <= now) {
            state.hits.pop_front();
        }
        if let Some(answer) = state.false_answer.clone() {
            return Ok(answer.map(Body::whole));
        }
        let refused = state.hits.len() > HITS;
        state.refused += u64::from(refused);
        let mut right = answer(if refused { 429 } else { 200 }, b"");
        with_header(&mut right, "x-rate-limit-policy", b"pages");
        with_header(&mut right, "x-rate-limit-rules", b"Ip");
        with_header(&mut right, "x-rate-limit-ip", format!("{HITS}:{PERIOD}:10").as_bytes());
        with_header(&mut right, "x-rate-limit-ip-state", format!("{}:{PERIOD}:0", state.hits.len()).as_bytes());
        Ok(right.map(Body::whole))
    }
}
