//! The client: one upstream address, any number of callers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use stint_core::circuit::Pass;
use stint_core::clock::{Clock, after, between};
use stint_core::telemetry::Metric;

use crate::answer::{Answer, Answered, Streaming};
use crate::body::Body;
use crate::breaker::Breaker;
use crate::challenge::{SEARCHED_BYTES, challenge, is_marked};
use crate::error::{HttpError, RateLimited};
use crate::limits::{Flight, LimitOptions, Pacer};
use crate::pace::{Pace, PaceCounts};
use crate::policy::{Repeat, RetryPolicy, draw};
use crate::redact::{excerpt, host, secrets_of, sensitive};
use crate::retry_after::retry_after;
use crate::token::TokenSource;
use crate::transport::{Transport, TransportError};

/// Up to here a refusal is about the rate of requests and is waited out; beyond, it is about something that a client
/// cannot mend by waiting (for Warcraft Logs: the points of the hour are used up) and the caller decides.
const LONGEST_SHORT_LIMIT: Duration = Duration::from_secs(60);

/// The wait after a 429 that names none: half of what is waited out at the most, since nobody knows what is counted.
const UNSAID_SHORT_LIMIT: Duration = Duration::from_secs(30);

/// `Retry-After` counts whole seconds, so 0 means "less than one", not "at once".
const SHORTEST_SHORT_LIMIT: Duration = Duration::from_secs(1);

/// Sends requests to one upstream: paced, repeated as far as a policy allows, and read with suspicion.
///
/// All clones share one gate. Give every user of an upstream a clone of the same client: its second limit counts the
/// requests of the address, so a 429 to one of them must slow them all.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    /// The budget of requests; `None` where the upstream announces none.
    limits: Option<Pacer>,
    /// Empty where nobody shares what is known of the upstream's health.
    breaker: OnceLock<Arc<Breaker>>,
    /// Whether a 429 without a word of how long has been logged.
    unsaid: AtomicBool,
    /// Jitter comes from the clock's first reading: different in each process, the same in each simulation.
    seed: u64,
    draws: AtomicU64,
}

impl Client {
    /// A client that sends as soon as it is asked to.
    pub fn new(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Client {
        Client::with_interval(transport, clock, Duration::ZERO)
    }

    /// A client that leaves at least `interval` between two requests, out of politeness.
    pub fn with_interval(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, interval: Duration) -> Client {
        Client::build(transport, clock, interval, None)
    }

    /// A client that keeps to the limits that the headers of the answers announce, before it sends: one request at a
    /// time of those that count together, from its turn to the head of its answer.
    pub fn with_limits(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, options: LimitOptions) -> Client {
        let limits = Pacer::new(Arc::clone(&clock), options);
        Client::build(transport, clock, Duration::ZERO, Some(limits))
    }

    fn build(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        limits: Option<Pacer>,
    ) -> Client {
        let seed = clock.now().as_microsecond().cast_unsigned();
        let pace = Pace::new(Arc::clone(&clock), interval);
        let (breaker, unsaid, draws) = (OnceLock::new(), AtomicBool::new(false), AtomicU64::new(0));
        Client { inner: Arc::new(Inner { transport, clock, pace, limits, breaker, unsaid, seed, draws }) }
    }

    /// Puts the client and all its clones behind a breaker, for good: while that is open no request leaves but those of its
    /// one prober, and none is repeated.
    ///
    /// Callers enter the breaker before a call, and report to it how the call ended: only they know what an answer is worth.
    /// The [`Pass`] that they entered with goes with each request, in its extensions; a request without one is ordinary.
    #[must_use]
    pub fn guarded(self, breaker: Arc<Breaker>) -> Client {
        // A second breaker changes nothing: what guards a client does not change while it is in use.
        let _ = self.inner.breaker.set(breaker);
        self
    }

    /// The breaker, if there is one.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.inner.breaker.get()
    }

    /// The budget of requests. `None` unless this is a client [with limits](Client::with_limits).
    pub fn limits(&self) -> Option<&Pacer> {
        self.inner.limits.as_ref()
    }

    /// What the gate of this client has done so far.
    pub fn pace_counts(&self) -> PaceCounts {
        self.inner.pace.counts()
    }

    /// Whether a refusal for haste keeps everybody waiting now.
    pub fn is_held_up(&self) -> bool {
        self.inner.pace.is_closed()
    }

    /// Sends `request` until there is an answer, or no attempt left, or a failure that `policy` does not repeat.
    ///
    /// Short refusals for haste are waited out, by all callers; longer ones are returned, never slept. Dropping the
    /// future abandons the request: whether it was seen is then unknown.
    pub async fn send(&self, request: http::Request<Bytes>, policy: &RetryPolicy) -> Result<Answer, HttpError> {
        self.repeating(policy, pass_of(&request), || self.attempt(&request, policy).boxed()).await
    }

    /// Like [`send`](Client::send), but returns when the head of the answer is there, and with it whatever may be
    /// asked next. The body streams; what breaks within it is the caller's to repeat.
    pub async fn open(&self, request: http::Request<Bytes>, policy: &RetryPolicy) -> Result<Streaming, HttpError> {
        self.repeating(policy, pass_of(&request), || self.attempt_open(&request, policy).boxed()).await
    }

    /// Sends `request` with an access token of `tokens`. A 401 renews the token once and repeats the request once:
    /// a request that was refused so was not done, and not billed. A second 401 is an error that names the key.
    pub async fn authorized(
        &self,
        request: http::Request<Bytes>,
        tokens: &TokenSource,
        policy: &RetryPolicy,
    ) -> Result<Answer, HttpError> {
        self.renewing(request, tokens, |request| self.send(request, policy).boxed()).await
    }

    /// [`open`](Client::open) with an access token of `tokens`, renewed as [`authorized`](Client::authorized) does.
    pub async fn open_authorized(
        &self,
        request: http::Request<Bytes>,
        tokens: &TokenSource,
        policy: &RetryPolicy,
    ) -> Result<Streaming, HttpError> {
        self.renewing(request, tokens, |request| self.open(request, policy).boxed()).await
    }

    async fn repeating<'a, T>(
        &'a self,
        policy: &RetryPolicy,
        pass: Pass,
        attempt: impl Fn() -> BoxFuture<'a, Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let mut failures = 0;
        let mut rate_limits = 0;
        loop {
            self.inner.pace.turn().await;
            let error = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let HttpError::RateLimited(limited) = &error {
                rate_limits += 1;
                if !self.slow_down(limited) || rate_limits > policy.rate_limit_waits || !self.repeats(pass) {
                    return Err(error);
                }
            } else {
                failures += 1;
                let Some(delay) = self.delay_after(&error, failures, policy, pass) else { return Err(error) };
                self.note(policy, &error).await;
                let delay_ms = delay.as_millis();
                tracing::debug!(operation = policy.operation, failures, delay_ms, %error, "repeating a request");
                self.inner.clock.sleep(delay).await;
            }
        }
    }

    async fn renewing<'a, T: Answered>(
        &self,
        request: http::Request<Bytes>,
        tokens: &TokenSource,
        send: impl Fn(http::Request<Bytes>) -> BoxFuture<'a, Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let pass = pass_of(&request);
        let token = tokens.token_for(pass).await?;
        let answer = send(with_bearer(request.clone(), &token)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        tracing::debug!(key.id = tokens.key_id(), upstream.host = answer.host(), "renewing a refused access token");
        tokens.invalidate(&token).await;
        if !self.repeats(pass) {
            return Err(HttpError::Unauthorized { host: answer.host().to_owned(), key_id: tokens.key_id().to_owned() });
        }
        let token = tokens.token_for(pass).await?;
        let answer = send(with_bearer(request, &token)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        Err(HttpError::Unauthorized { host: answer.host().to_owned(), key_id: tokens.key_id().to_owned() })
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    async fn attempt(&self, request: &http::Request<Bytes>, policy: &RetryPolicy) -> Result<Answer, HttpError> {
        Ok(self.attempt_open(request, policy).await?.whole().await?)
    }

    async fn attempt_open(&self, request: &http::Request<Bytes>, policy: &RetryPolicy) -> Result<Streaming, HttpError> {
        let flight = self.turn(request).await?;
        let response = landed(flight, self.inner.transport.open(request.clone(), policy.limits).await)?;
        let (head, body) = response.into_parts();
        if head.status.is_success() && !is_marked(&head.headers) {
            return Ok(Streaming::new(host(request.uri()), head, body, String::new()));
        }
        // What it is stands in its head, whatever becomes of the rest: a refusal that breaks off is a refusal.
        let body = body.beginning(SEARCHED_BYTES).await;
        self.judge(request, http::Response::from_parts(head, body))
    }

    /// The turn of `request`, if the breaker still lets it go. `None` where no limits are announced.
    async fn turn(&self, request: &http::Request<Bytes>) -> Result<Option<Flight>, HttpError> {
        self.admit(request)?;
        let Some(limits) = &self.inner.limits else { return Ok(None) };
        let flight = limits.turn(request.uri()).await?;
        match self.admit(request) {
            Ok(()) => Ok(Some(flight)),
            Err(down) => {
                flight.unseen();
                Err(down)
            }
        }
    }

    /// How long the budget of requests keeps the likes of `request` waiting now.
    fn closed_for(&self, request: &http::Request<Bytes>) -> Option<Duration> {
        let opens_at = self.inner.limits.as_ref()?.opens_at(request.uri())?;
        Some(between(self.inner.clock.now(), opens_at))
    }

    /// What a response that is no success is: an answer all the same, or one of the errors that a policy decides about.
    fn judge(&self, request: &http::Request<Bytes>, response: http::Response<Bytes>) -> Result<Streaming, HttpError> {
        let host = host(request.uri());
        if let Some(challenge) = challenge(&response) {
            return Err(HttpError::Challenged { host, challenge });
        }
        let (head, body) = response.into_parts();
        let status = head.status;
        let retry_after = retry_after(&head.headers, self.inner.clock.now());
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = retry_after.or_else(|| self.closed_for(request));
            return Err(HttpError::RateLimited(RateLimited { host, retry_after }));
        }
        let excerpt = excerpt(&body, &secrets_of(request));
        if status.is_server_error() {
            return Err(HttpError::Status { host, status, retry_after, excerpt });
        }
        Ok(Streaming::new(host, head, Body::whole(body), excerpt))
    }

    /// Whether the breaker lets `request` leave, which has waited for its turn.
    fn admit(&self, request: &http::Request<Bytes>) -> Result<(), HttpError> {
        let Some(breaker) = self.inner.breaker.get() else { return Ok(()) };
        breaker.admits(pass_of(request)).map_err(|wait| HttpError::Waits {
            upstream: breaker.upstream().to_owned(),
            since: wait.outage.since,
            until: wait.until,
            reason: wait.outage.reason,
        })
    }

    /// Counts a failure that is repeated as one of its own. There are many queries at once: each of them would be sent several
    /// times before its caller hears of the first failure.
    async fn note(&self, policy: &RetryPolicy, error: &HttpError) {
        if let Some(breaker) = self.inner.breaker.get().filter(|_| policy.repeat == Repeat::Unseen) {
            breaker.report(Pass::Free, &error.health()).await;
        }
    }

    /// Whether anything may be repeated of a call that has `pass`: a probe is one request.
    fn repeats(&self, pass: Pass) -> bool {
        pass == Pass::Free && self.inner.breaker.get().is_none_or(|breaker| breaker.is_closed())
    }

    /// Says once, and counts, that a refusal does not tell for how long.
    fn note_unsaid(&self, host: &str) {
        let name = self.inner.breaker.get().map_or(host, |breaker| breaker.upstream());
        Metric::UnsaidLimits.record(name, 1.0);
        if !self.inner.unsaid.swap(true, Ordering::Relaxed) {
            let seconds = UNSAID_SHORT_LIMIT.as_secs();
            tracing::warn!(
                upstream.host = host,
                "{host} refuses requests (429) and does not say for how long; each such refusal is waited out for {seconds} s"
            );
        }
    }

    /// Closes the gate for a short refusal. `false` for a long one, which is not ours to wait out.
    fn slow_down(&self, limited: &RateLimited) -> bool {
        if limited.retry_after.is_none() {
            self.note_unsaid(&limited.host);
        }
        let delay = limited.retry_after.unwrap_or(UNSAID_SHORT_LIMIT).max(SHORTEST_SHORT_LIMIT);
        if delay > LONGEST_SHORT_LIMIT {
            return false;
        }
        let delay_ms = delay.as_millis();
        tracing::debug!(upstream.host = limited.host, delay_ms, "slowing down: too many requests from this address");
        // Where limits are announced, those who count together are closed by the headers of the refusal.
        if self.inner.limits.is_none() {
            self.inner.pace.close_until(after(self.inner.clock.now(), delay));
        }
        true
    }

    /// How long to wait before the next attempt. `None` when there is to be none.
    fn delay_after(&self, error: &HttpError, failures: u32, policy: &RetryPolicy, pass: Pass) -> Option<Duration> {
        if failures >= policy.attempts || !policy.repeats(error) || !self.repeats(pass) {
            return None;
        }
        let draws = self.inner.draws.fetch_add(1, Ordering::Relaxed);
        let delay = policy.delay(failures, draw(self.inner.seed, draws));
        match error {
            HttpError::Status { retry_after: Some(asked), .. } if *asked > LONGEST_SHORT_LIMIT => None,
            HttpError::Status { retry_after: Some(asked), .. } => Some(delay.max(*asked)),
            _ => Some(delay),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("pace_counts", &self.pace_counts()).finish_non_exhaustive()
    }
}

/// Tells `flight` how it ended, as far as the budget of requests wants to know.
fn landed<B>(
    flight: Option<Flight>,
    outcome: Result<http::Response<B>, TransportError>,
) -> Result<http::Response<B>, TransportError> {
    match (flight, &outcome) {
        (Some(flight), Ok(response)) => flight.answered(response.status(), response.headers()),
        (Some(flight), Err(TransportError::Unreachable { .. })) => flight.unseen(),
        // Dropped: it may have been seen.
        (Some(_), Err(_)) | (None, _) => {}
    }
    outcome
}

/// What the caller of `request` has entered the breaker with.
fn pass_of(request: &http::Request<Bytes>) -> Pass {
    request.extensions().get().copied().unwrap_or(Pass::Free)
}

fn with_bearer(mut request: http::Request<Bytes>, token: &SecretString) -> http::Request<Bytes> {
    // A token source hands out only tokens that fit a header.
    if let Some(value) = sensitive(&format!("Bearer {}", token.expose_secret())) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    request
}
