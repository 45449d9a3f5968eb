//! The client of one upstream, shared by any number of callers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use stint_core::circuit::Pass;
use stint_core::clock::{Clock, after, between};
use stint_core::telemetry::Metric;

use crate::answer::{HttpResponse, StreamingResponse};
use crate::body::Body;
use crate::breaker::Breaker;
use crate::challenge::{SEARCHED_BYTES, challenge, is_marked};
use crate::error::{HttpError, RateLimited};
use crate::limits::{InFlightRequest, LimitOptions, Pacer};
use crate::pace::{Pace, PaceCounts};
use crate::policy::{Repeat, RetryPolicy, draw};
use crate::redact::{excerpt, host, secrets_of};
use crate::retry_after::retry_after;
use crate::transport::{Transport, TransportError};

/// Up to this delay, a refusal is about the rate of requests and the client waits it out. A longer delay has a cause
/// that a client cannot fix by waiting (for Warcraft Logs: the points of the hour are spent), so the caller decides.
const LONGEST_RATE_LIMIT_WAIT: Duration = Duration::from_secs(60);

/// The wait after a 429 without a `Retry-After`: half of [`LONGEST_RATE_LIMIT_WAIT`], because it is unknown what the
/// upstream counts.
const DEFAULT_RATE_LIMIT_WAIT: Duration = Duration::from_secs(30);

/// `Retry-After` counts whole seconds, so 0 means "less than one second", not "at once".
const SHORTEST_RATE_LIMIT_WAIT: Duration = Duration::from_secs(1);

/// Sends requests to one upstream: paces them, repeats them as far as a policy allows, and checks the answers.
///
/// All clones share one gate. Give every user of an upstream a clone of the same client: the upstream's second limit
/// counts the requests of the address, so a 429 to one user must slow all of them.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    /// The request budget. `None` if the upstream announces no limits.
    limits: Option<Pacer>,
    /// Not set if what is known of the upstream's health is not shared with other callers.
    breaker: OnceLock<Arc<Breaker>>,
    /// Whether a 429 without a wait has been logged.
    logged_missing_wait: AtomicBool,
    /// The seed of the jitter: the clock's first reading, which differs in each process and is the same in each
    /// simulation.
    seed: u64,
    draws: AtomicU64,
}

impl Client {
    /// Creates a client that sends each request at once.
    pub fn new(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Client {
        Client::with_interval(transport, clock, Duration::ZERO)
    }

    /// Creates a client that waits at least `interval` between two requests, out of politeness.
    pub fn with_interval(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, interval: Duration) -> Client {
        Client::build(transport, clock, interval, None)
    }

    /// Creates a client that keeps to the limits that the headers of the answers announce. Of the requests that count
    /// together, one at a time is in flight, from its turn to the head of its answer.
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
        Client {
            inner: Arc::new(Inner {
                transport,
                clock,
                pace,
                limits,
                breaker,
                logged_missing_wait: unsaid,
                seed,
                draws,
            }),
        }
    }

    /// Puts the client and all its clones behind a breaker permanently. While the breaker is open, only requests of the
    /// one caller that probes are sent, and none is repeated.
    ///
    /// Callers enter the breaker before a call and report to it how the call ended, because only they know whether an
    /// answer is useful. They put the [`Pass`] that they entered with into the extensions of each request; a request
    /// without one is ordinary.
    #[must_use]
    pub fn guarded(self, breaker: Arc<Breaker>) -> Client {
        // A second breaker has no effect: the breaker of a client does not change while it is in use.
        let _ = self.inner.breaker.set(breaker);
        self
    }

    /// Returns the breaker, if there is one.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.inner.breaker.get()
    }

    /// Returns the request budget, or `None` unless this is a client [with limits](Client::with_limits).
    pub fn limits(&self) -> Option<&Pacer> {
        self.inner.limits.as_ref()
    }

    /// Returns what the gate of this client has done so far.
    pub fn pace_counts(&self) -> PaceCounts {
        self.inner.pace.counts()
    }

    /// Returns whether a rate-limit refusal makes all callers wait now.
    pub fn is_rate_limited(&self) -> bool {
        self.inner.pace.is_closed()
    }

    /// Sends `request` until there is an answer, no attempt is left, or the failure is one that `policy` does not
    /// repeat.
    ///
    /// Short rate-limit refusals are waited out, by all callers. Longer ones are returned without waiting. Dropping the
    /// future abandons the request; whether the upstream has seen it is then unknown.
    pub async fn send(&self, request: http::Request<Bytes>, policy: &RetryPolicy) -> Result<HttpResponse, HttpError> {
        self.send_again(&request, policy).await
    }

    /// Like [`send`](Client::send), for a caller that keeps the request to send it again.
    pub(crate) async fn send_again(
        &self,
        request: &http::Request<Bytes>,
        policy: &RetryPolicy,
    ) -> Result<HttpResponse, HttpError> {
        self.repeating(policy, pass_of(request), || self.attempt(request, policy).boxed()).await
    }

    /// Like [`send`](Client::send), but returns once the head of the answer has arrived; the next request may be sent
    /// from then on. The body streams. If it breaks, it is up to the caller to repeat the request.
    pub async fn open(
        &self,
        request: http::Request<Bytes>,
        policy: &RetryPolicy,
    ) -> Result<StreamingResponse, HttpError> {
        self.open_again(&request, policy).await
    }

    /// Like [`open`](Client::open), for a caller that keeps the request to send it again.
    pub(crate) async fn open_again(
        &self,
        request: &http::Request<Bytes>,
        policy: &RetryPolicy,
    ) -> Result<StreamingResponse, HttpError> {
        self.repeating(policy, pass_of(request), || self.attempt_open(request, policy).boxed()).await
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

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    async fn attempt(&self, request: &http::Request<Bytes>, policy: &RetryPolicy) -> Result<HttpResponse, HttpError> {
        Ok(self.attempt_open(request, policy).await?.whole().await?)
    }

    async fn attempt_open(
        &self,
        request: &http::Request<Bytes>,
        policy: &RetryPolicy,
    ) -> Result<StreamingResponse, HttpError> {
        let flight = self.turn(request).await?;
        let response = report_to_flight(flight, self.inner.transport.open(request.clone(), policy.limits).await)?;
        let (head, body) = response.into_parts();
        if head.status.is_success() && !is_marked(&head.headers) {
            return Ok(StreamingResponse::new(host(request.uri()), head, body, String::new()));
        }
        // The head decides what the answer is, whatever becomes of the body: a refusal that breaks off is still a
        // refusal.
        let body = body.beginning(SEARCHED_BYTES).await;
        self.classify(request, http::Response::from_parts(head, body))
    }

    /// Waits for the turn of `request`, if the breaker still admits it. `None` if no limits are announced.
    async fn turn(&self, request: &http::Request<Bytes>) -> Result<Option<InFlightRequest>, HttpError> {
        self.admit(request)?;
        let Some(limits) = &self.inner.limits else { return Ok(None) };
        let flight = limits.turn(request.uri()).await?;
        match self.admit(request) {
            Ok(()) => Ok(Some(flight)),
            Err(down) => {
                flight.not_sent();
                Err(down)
            }
        }
    }

    /// Returns how long the request budget keeps requests like `request` waiting from now on.
    fn closed_for(&self, request: &http::Request<Bytes>) -> Option<Duration> {
        let opens_at = self.inner.limits.as_ref()?.opens_at(request.uri())?;
        Some(between(self.inner.clock.now(), opens_at))
    }

    /// Classifies a response that is not a success: as an answer, or as one of the errors that a policy decides about.
    fn classify(
        &self,
        request: &http::Request<Bytes>,
        response: http::Response<Bytes>,
    ) -> Result<StreamingResponse, HttpError> {
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
        Ok(StreamingResponse::new(host, head, Body::whole(body), excerpt))
    }

    /// Checks that the breaker still admits `request`, which has waited for its turn.
    fn admit(&self, request: &http::Request<Bytes>) -> Result<(), HttpError> {
        let Some(breaker) = self.inner.breaker.get() else { return Ok(()) };
        breaker.admits(pass_of(request)).map_err(|wait| HttpError::BreakerOpen {
            upstream: breaker.upstream().to_owned(),
            since: wait.outage.since,
            until: wait.until,
            reason: wait.outage.reason,
        })
    }

    /// Reports a failure that will be repeated to the breaker, for policies with [`Repeat::Unseen`]. Many queries run
    /// at once, and each would otherwise be sent several times before its caller learns of the first failure.
    async fn note(&self, policy: &RetryPolicy, error: &HttpError) {
        if let Some(breaker) = self.inner.breaker.get().filter(|_| policy.repeat == Repeat::Unseen) {
            breaker.report(Pass::Free, &error.health()).await;
        }
    }

    /// Returns whether a request of a call with this `pass` may be repeated. A probe is a single request.
    pub(crate) fn repeats(&self, pass: Pass) -> bool {
        pass == Pass::Free && self.inner.breaker.get().is_none_or(|breaker| breaker.is_closed())
    }

    /// Counts a refusal that does not say how long to wait, and logs the first one.
    fn note_missing_wait(&self, host: &str) {
        let name = self.inner.breaker.get().map_or(host, |breaker| breaker.upstream());
        Metric::UnspecifiedRetryAfter.record(name, 1.0);
        if !self.inner.logged_missing_wait.swap(true, Ordering::Relaxed) {
            let seconds = DEFAULT_RATE_LIMIT_WAIT.as_secs();
            tracing::warn!(
                upstream.host = host,
                "{host} refuses requests (429) without a Retry-After; each such refusal is waited out for {seconds} s"
            );
        }
    }

    /// Closes the gate for a short refusal. Returns `false` for a long one, which the client does not wait out.
    fn slow_down(&self, limited: &RateLimited) -> bool {
        if limited.retry_after.is_none() {
            self.note_missing_wait(&limited.host);
        }
        let delay = limited.retry_after.unwrap_or(DEFAULT_RATE_LIMIT_WAIT).max(SHORTEST_RATE_LIMIT_WAIT);
        if delay > LONGEST_RATE_LIMIT_WAIT {
            return false;
        }
        let delay_ms = delay.as_millis();
        tracing::debug!(upstream.host = limited.host, delay_ms, "slowing down: too many requests from this address");
        // With announced limits, the headers of the refusal close the lane of the requests that count together.
        if self.inner.limits.is_none() {
            self.inner.pace.close_until(after(self.inner.clock.now(), delay));
        }
        true
    }

    /// Returns the wait before the next attempt, or `None` if there is to be none.
    fn delay_after(&self, error: &HttpError, failures: u32, policy: &RetryPolicy, pass: Pass) -> Option<Duration> {
        if failures >= policy.attempts || !policy.repeats(error) || !self.repeats(pass) {
            return None;
        }
        let draws = self.inner.draws.fetch_add(1, Ordering::Relaxed);
        let delay = policy.delay(failures, draw(self.inner.seed, draws));
        match error {
            HttpError::Status { retry_after: Some(asked), .. } if *asked > LONGEST_RATE_LIMIT_WAIT => None,
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

/// Reports the outcome to `flight`, as far as the request budget needs it.
fn report_to_flight<B>(
    flight: Option<InFlightRequest>,
    outcome: Result<http::Response<B>, TransportError>,
) -> Result<http::Response<B>, TransportError> {
    match (flight, &outcome) {
        (Some(flight), Ok(response)) => flight.answered(response.status(), response.headers()),
        (Some(flight), Err(TransportError::Unreachable { .. })) => flight.not_sent(),
        // The flight is dropped: the upstream may have seen the request.
        (Some(_), Err(_)) | (None, _) => {}
    }
    outcome
}

/// Returns the pass with which the caller of `request` has entered the breaker.
pub(crate) fn pass_of(request: &http::Request<Bytes>) -> Pass {
    request.extensions().get().copied().unwrap_or(Pass::Free)
}
