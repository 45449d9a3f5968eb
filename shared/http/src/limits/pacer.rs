//! Who waits for a turn, and for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::lock::{Mutex as Queue, OwnedMutexGuard};
use http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use stint_core::clock::{Clock, between};

use super::budget::{Budget, LimitCounts, LimitOptions, PaceMemory};
use super::halt::Halt;
use super::headers::RateLimits;
use super::lane::Hit;
use crate::error::HttpError;
use crate::redact::host;

/// An endpoint that has not answered yet keeps those that it may share a budget with waiting for no longer than this,
/// while it waits itself.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Lets requests go as the limits permit that the answers before have told, one at a time of those that count
/// together.
///
/// Endpoints (host and path) with one policy share one budget. One that has not answered yet may turn out to share
/// any: its first request waits until all of them are open, and goes alone.
pub struct Pacer {
    clock: Arc<dyn Clock>,
    budget: Arc<Mutex<Budget>>,
    /// One flight for each lane.
    queues: Mutex<BTreeMap<String, Arc<Queue<()>>>>,
}

impl Pacer {
    pub(crate) fn new(clock: Arc<dyn Clock>, options: LimitOptions) -> Pacer {
        Pacer { clock, budget: Arc::new(Mutex::new(Budget::new(options))), queues: Mutex::default() }
    }

    /// What has been sent so far.
    pub fn counts(&self) -> LimitCounts {
        lock(&self.budget).counts
    }

    /// When the next request to `uri` may go, at the earliest; an instant of the past when it may go now. `None`
    /// before the answer to one that is under way. Asking takes no turn.
    pub fn opens_at(&self, uri: &Uri) -> Option<Timestamp> {
        let budget = lock(&self.budget);
        budget.opens_at(budget.lane_of(&endpoint(uri)))
    }

    /// The limits of `uri` as they were last told; `None` before.
    pub fn limits_of(&self, uri: &Uri) -> Option<RateLimits> {
        let budget = lock(&self.budget);
        let policy = budget.lane_of(&endpoint(uri)).to_owned();
        let rules = budget.rules(&policy);
        (!rules.is_empty()).then(|| RateLimits { policy: Some(policy), rules, ..RateLimits::default() })
    }

    /// All that is known about limits, to be kept beside what is asked for next.
    pub fn memory(&self) -> PaceMemory {
        lock(&self.budget).memory(self.clock.now())
    }

    /// Takes in what was kept, before the first request or at any time. A request that was sent after it was kept
    /// is presumed to be counted now at the latest. What is known already changes nothing.
    pub fn restore(&self, memory: &PaceMemory) {
        lock(&self.budget).restore(memory, self.clock.now());
    }

    /// Completes when a request to `uri` may be sent, at once; nothing else of its lane is sent while the flight
    /// lasts. Fails when nothing of its lane may be sent any more.
    pub(crate) async fn turn(&self, uri: &Uri) -> Result<Flight, HttpError> {
        let endpoint = endpoint(uri);
        let asked = self.clock.now();
        loop {
            let (lane, lanes) = self.lanes(&endpoint);
            let mut turns = Vec::with_capacity(lanes.len());
            for lane in &lanes {
                turns.push(self.queue(lane).lock_owned().await);
            }
            // While this one queued, an answer may have told the lane, or of another one.
            if self.lanes(&endpoint) != (lane.clone(), lanes) {
                continue;
            }
            match self.depart(uri, &lane, asked)? {
                Ok(hit) => {
                    let (clock, budget) = (Arc::clone(&self.clock), Arc::clone(&self.budget));
                    return Ok(Flight { clock, budget, endpoint, lane, hit: Some(hit), _turns: turns });
                }
                Err(opens_at) => {
                    if turns.len() > 1 && between(self.clock.now(), opens_at) > LONGEST_HOLD {
                        turns.clear();
                    }
                    // Asked again afterwards: a memory that is restored meanwhile may know more.
                    self.clock.sleep_until(opens_at).await;
                }
            }
        }
    }

    /// The lane of `endpoint`, and those that it may turn out to be counted in.
    fn lanes(&self, endpoint: &str) -> (String, Vec<String>) {
        let budget = lock(&self.budget);
        let lane = budget.lane_of(endpoint);
        (lane.to_owned(), budget.lanes_of(lane))
    }

    /// The hit, when the lane is open; else when it will be.
    fn depart(&self, uri: &Uri, lane: &str, asked: Timestamp) -> Result<Result<Hit, Timestamp>, HttpError> {
        let mut budget = lock(&self.budget);
        if let Some(Halt { client_errors, status, endpoint }) = budget.halt(lane).cloned() {
            return Err(HttpError::Halted { host: host(uri), client_errors, status, endpoint });
        }
        let now = self.clock.now();
        budget.set_back_to(lane, now);
        // With one flight for each lane, nothing of this one is under way.
        let opens_at = budget.opens_at(lane).unwrap_or(now);
        if opens_at > now {
            budget.report_silence(lane, now);
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

/// A request that is under way. Dropped without a word, it is taken to be counted a little later than now.
pub(crate) struct Flight {
    clock: Arc<dyn Clock>,
    budget: Arc<Mutex<Budget>>,
    endpoint: String,
    lane: String,
    hit: Option<Hit>,
    /// Released with the flight.
    _turns: Vec<OwnedMutexGuard<()>>,
}

impl Flight {
    /// The head of the answer is there.
    pub(crate) fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        let now = self.clock.now();
        if let Some(hit) = self.hit.take() {
            let limits = RateLimits::from_headers(headers, now);
            lock(&self.budget).answered((&self.lane, hit), &self.endpoint, now, status, &limits);
        }
    }

    /// The upstream cannot have seen it.
    pub(crate) fn unseen(mut self) {
        if let Some(hit) = self.hit.take() {
            lock(&self.budget).lane(&self.lane).remove(hit);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(hit) = self.hit.take() {
            lock(&self.budget).lane(&self.lane).lost(hit, self.clock.now());
        }
    }
}

fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a limit may belong to: the query does not matter.
fn endpoint(uri: &Uri) -> String {
    format!("{}{}", host(uri), uri.path())
}
