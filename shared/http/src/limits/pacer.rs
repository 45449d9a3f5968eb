//! The pacer: which requests wait for a turn, and for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::lock::{Mutex as Queue, OwnedMutexGuard};
use http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use stint_core::clock::{Clock, between};

use super::budget::{Budget, LimitCounts, LimitOptions, StoredPace};
use super::halt::StopReason;
use super::headers::AnnouncedLimits;
use super::lane::Hit;
use crate::error::HttpError;
use crate::redact::host;

/// How long an endpoint that has not answered yet, and is waiting itself, may block the endpoints that it may share a
/// budget with.
const LONGEST_LANE_BLOCK: Duration = Duration::from_secs(5);

/// Sends requests at the pace that earlier answers permit, one at a time among those that count together.
///
/// Endpoints (host and path) with the same policy share one budget. An endpoint that has not answered yet may turn out
/// to share any of them: its first request waits until all of them are open, and is sent alone.
pub struct Pacer {
    clock: Arc<dyn Clock>,
    budget: Arc<Mutex<Budget>>,
    /// One flight at a time per lane.
    queues: Mutex<BTreeMap<String, Arc<Queue<()>>>>,
}

impl Pacer {
    pub(crate) fn new(clock: Arc<dyn Clock>, options: LimitOptions) -> Pacer {
        Pacer { clock, budget: Arc::new(Mutex::new(Budget::new(options))), queues: Mutex::default() }
    }

    /// Returns what was sent so far.
    pub fn counts(&self) -> LimitCounts {
        lock(&self.budget).counts
    }

    /// Returns the earliest time at which the next request to `uri` may be sent; an instant in the past if it may be
    /// sent now. `None` if that depends on a request that is still in flight. Does not take a turn.
    pub fn opens_at(&self, uri: &Uri) -> Option<Timestamp> {
        let budget = lock(&self.budget);
        budget.opens_at(budget.lane_of(&endpoint(uri)))
    }

    /// Returns the limits of `uri` as last announced, or `None` before that.
    pub fn limits_of(&self, uri: &Uri) -> Option<AnnouncedLimits> {
        let budget = lock(&self.budget);
        let policy = budget.lane_of(&endpoint(uri)).to_owned();
        let rules = budget.rules(&policy);
        (!rules.is_empty()).then(|| AnnouncedLimits { policy: Some(policy), rules, ..AnnouncedLimits::default() })
    }

    /// Returns all that is known about limits, to be stored together with what is requested next.
    pub fn memory(&self) -> StoredPace {
        lock(&self.budget).memory(self.clock.now())
    }

    /// Merges a stored memory, before the first request or at any time. A request that was sent after the memory was
    /// stored is assumed to be counted now at the latest. What is known already changes nothing.
    pub fn restore(&self, memory: &StoredPace) {
        lock(&self.budget).restore(memory, self.clock.now());
    }

    /// Completes when a request to `uri` may be sent, which must then happen at once. Nothing else of its lane is sent
    /// while the flight lasts. Fails if its lane sends no more requests.
    pub(crate) async fn turn(&self, uri: &Uri) -> Result<InFlightRequest, HttpError> {
        let endpoint = endpoint(uri);
        let asked = self.clock.now();
        loop {
            let (lane, lanes) = self.lanes(&endpoint);
            let mut turns = Vec::with_capacity(lanes.len());
            for lane in &lanes {
                turns.push(self.queue(lane).lock_owned().await);
            }
            // While this caller queued, an answer may have assigned the endpoint to a lane, or added lanes.
            if self.lanes(&endpoint) != (lane.clone(), lanes) {
                continue;
            }
            match self.try_send(uri, &lane, asked)? {
                Ok(hit) => {
                    let (clock, budget) = (Arc::clone(&self.clock), Arc::clone(&self.budget));
                    return Ok(InFlightRequest { clock, budget, endpoint, lane, hit: Some(hit), _turns: turns });
                }
                Err(opens_at) => {
                    if turns.len() > 1 && between(self.clock.now(), opens_at) > LONGEST_LANE_BLOCK {
                        turns.clear();
                    }
                    // Checked again afterwards: a memory that is restored meanwhile may know more.
                    self.clock.sleep_until(opens_at).await;
                }
            }
        }
    }

    /// Returns the lane of `endpoint`, and the lanes that it may turn out to be counted in.
    fn lanes(&self, endpoint: &str) -> (String, Vec<String>) {
        let budget = lock(&self.budget);
        let lane = budget.lane_of(endpoint);
        (lane.to_owned(), budget.lanes_of(lane))
    }

    /// Returns the hit if the lane is open, and otherwise the time at which it opens.
    fn try_send(&self, uri: &Uri, lane: &str, asked: Timestamp) -> Result<Result<Hit, Timestamp>, HttpError> {
        let mut budget = lock(&self.budget);
        if let Some(StopReason { client_errors, status, endpoint }) = budget.halt(lane).cloned() {
            return Err(HttpError::StoppedForClientErrors { host: host(uri), client_errors, status, endpoint });
        }
        let now = self.clock.now();
        budget.set_back_to(lane, now);
        // There is one flight per lane, so nothing of this lane is in flight.
        let opens_at = budget.opens_at(lane).unwrap_or(now);
        if opens_at > now {
            budget.report_missing_limits(lane, now);
            return Ok(Err(opens_at));
        }
        let waited = between(asked, now);
        budget.counts.waits += u64::from(!waited.is_zero());
        budget.counts.waited = budget.counts.waited.saturating_add(waited);
        Ok(Ok(budget.sent(lane, now)))
    }

    fn queue(&self, lane: &str) -> Arc<Queue<()>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(queues.entry(lane.to_owned()).or_default())
    }
}

/// A request in flight. If it is dropped without a report, it is assumed to be counted a little later than now.
pub(crate) struct InFlightRequest {
    clock: Arc<dyn Clock>,
    budget: Arc<Mutex<Budget>>,
    endpoint: String,
    lane: String,
    hit: Option<Hit>,
    /// Released when the flight ends.
    _turns: Vec<OwnedMutexGuard<()>>,
}

impl InFlightRequest {
    /// Records that the head of the answer has arrived.
    pub(crate) fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        let now = self.clock.now();
        if let Some(hit) = self.hit.take() {
            let limits = AnnouncedLimits::from_headers(headers, now);
            lock(&self.budget).answered((&self.lane, hit), &self.endpoint, now, status, &limits);
        }
    }

    /// Records that the upstream cannot have seen the request.
    pub(crate) fn not_sent(mut self) {
        if let Some(hit) = self.hit.take() {
            lock(&self.budget).lane(&self.lane).remove(hit);
        }
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if let Some(hit) = self.hit.take() {
            lock(&self.budget).lane(&self.lane).abandon(hit, self.clock.now());
        }
    }
}

fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the endpoint that a limit may belong to. The query does not matter.
fn endpoint(uri: &Uri) -> String {
    format!("{}{}", host(uri), uri.path())
}
