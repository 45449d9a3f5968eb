//! The measured operations of the budget: calls, windows that end, points held, changes of the throttle.
//!
//! # What may happen between any two lines
//! * *The process exits after the pool has changed, before the change is measured:* one measurement is missing. The
//!   pool has the accounts, and `stint wcl keys --windows` reads them there.

use std::future::Future;

use stint_core::ledger::{CallEnd, KeyId, KeyStatus, WindowRecord};
use stint_core::points::Points;
use stint_core::ports::PortResult;
use stint_core::telemetry::{CALL, Metric, TRACES};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use crate::budget::{Budget, RANK_FETCHER};
use crate::client::{CallError, CharacterOutcome, CharacterRequest};
use crate::worker;

/// Makes one call to the upstream, counted and traced. The trace has the key's id and how the call ended, and nothing
/// of the request or the response.
pub(crate) async fn call<T>(
    operation: &'static str,
    key: &KeyId,
    held: Points,
    call: impl Future<Output = T>,
    ended: impl FnOnce(&T) -> &'static str,
) -> T {
    Metric::Calls.record(&key.0, 1.0);
    let span = info_span!(
        target: TRACES, CALL, operation, key = key.0.as_str(), held = held.to_float(), status = Empty
    );
    let answer = call.instrument(span.clone()).await;
    span.record("status", ended(&answer));
    answer
}

/// How a call ended, in a word.
pub(crate) fn status(end: &CallEnd) -> &'static str {
    match end {
        CallEnd::Answered(_) => "answered",
        CallEnd::Unpriced => "unpriced",
        CallEnd::Lost => "lost",
        CallEnd::NotBilled => "not-billed",
        CallEnd::Refused { .. } => "refused",
    }
}

impl Budget {
    /// Requests ranks, for which `held` points are held.
    pub(crate) async fn ranks(
        &self,
        key: &KeyId,
        held: Points,
        asked: &[CharacterRequest],
    ) -> (CallEnd, Result<Vec<CharacterOutcome>, CallError>) {
        let ended = |(end, _): &(CallEnd, Result<Vec<CharacterOutcome>, CallError>)| status(end);
        let rank_queries = self.rank_queries.known();
        let (end, answer) = call("ranks", key, held, self.api.ranks(key, asked, &rank_queries), ended).await;
        if let (CallEnd::Refused { .. }, Err(error)) = (&end, &answer)
            && self.outage().await.is_none()
        {
            tracing::warn!(key = %key, %error, "key {key} is refused: {error}");
        }
        (end, answer)
    }

    /// Sets the concurrency of the throttled worker.
    pub(crate) async fn set_concurrency(&self, concurrency: u32) -> PortResult<()> {
        self.throttle.set(&self.worker, concurrency).await?;
        let worker = self.worker.to_string();
        Metric::ThrottleChanges.record(&worker, 1.0);
        Metric::Concurrency.record(&worker, f64::from(concurrency));
        Ok(())
    }
}

/// Records the points held.
pub(crate) fn record_held(keys: &[KeyStatus]) {
    for key in keys {
        Metric::PointsHeld.record(&key.key.0, key.held.to_float());
    }
}

/// Only this process learns of the window's end, so only this process records it.
pub(crate) fn record_window(key: &KeyId, closed: Option<&WindowRecord>) {
    let Some(window) = closed else { return };
    Metric::PointsSpent.record(&key.0, window.spent.to_float());
    Metric::PointsExpired.record(&key.0, window.expired.to_float());
    Metric::PointsOverspent.record(&key.0, window.overspent.to_float());
    Metric::PointsUnused.record(&worker(RANK_FETCHER).to_string(), window.expired.to_float());
}
