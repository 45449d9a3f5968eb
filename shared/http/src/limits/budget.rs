//! The request budget: which requests count together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::halt::{ClientErrors, StopReason};
use super::headers::{AnnouncedLimits, RULES, RateHeaderError, RateRule};
use super::lane::{Headroom, Hit, Lane, StoredLane};

/// How a client keeps to announced limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitOptions {
    /// When a hit is left unused.
    pub headroom: Headroom,
    /// The number of 4xx answers in a row, rate-limit refusals included, after which a lane sends no more requests,
    /// whatever other lanes receive. The same number in a row over all lanes stops everything. Each such answer counts
    /// towards a ban, and a request that was wrong five times will be wrong the sixth time.
    pub most_client_errors: u32,
    /// How long a lane waits after each answer until a limit that could be read is announced: the upstream's headers
    /// may be lost on the way. Zero means no wait. The first request to an endpoint does not wait.
    pub unannounced_interval: Duration,
}

/// Slow for an upstream that permits two requests a second, and no flood for one whose limit is stricter than known.
const UNANNOUNCED_INTERVAL: Duration = Duration::from_secs(1);

/// The number of answers without a limit after which waiting requests are logged. If two callers happen to request
/// something rare at the same time, such as a token, that is not worth a warning.
const ANSWERS_BEFORE_WARNING: u64 = 3;

impl Default for LimitOptions {
    fn default() -> LimitOptions {
        LimitOptions {
            headroom: Headroom::WhenUnsure,
            most_client_errors: 5,
            unannounced_interval: UNANNOUNCED_INTERVAL,
        }
    }
}

/// What was sent so far, and with which results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitCounts {
    /// Requests sent.
    pub requests: u64,
    /// 4xx answers, rate-limit refusals included.
    pub client_errors: u64,
    /// 429 answers.
    pub refusals: u64,
    /// How often a request had to wait for its turn.
    pub waits: u64,
    /// The sum of those waits.
    pub waited: Duration,
    /// Headers that could not be read.
    pub problems: u64,
}

/// What a client knows about its limits, to be stored so that it survives the process.
///
/// Store it in the same write that records what is requested next, before that request is sent. Then at most one
/// request was sent that the memory does not contain, and [`Pacer::restore`](super::Pacer::restore) assumes that it
/// was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPace {
    /// By the name of the policy, or by the endpoint if the policy has no name.
    lanes: BTreeMap<String, StoredLane>,
    /// The lane of each endpoint.
    endpoints: BTreeMap<String, String>,
}

/// The lane of all endpoints that have not answered yet. Each may turn out to belong to any other lane.
const UNKNOWN: &str = "";

#[derive(Debug)]
pub(super) struct Budget {
    options: LimitOptions,
    lanes: BTreeMap<String, Lane>,
    endpoints: BTreeMap<String, String>,
    client_errors: ClientErrors,
    /// The last problem that was logged.
    problem: Option<RateHeaderError>,
    /// The lanes for which missing limits were logged.
    logged_missing_limits: BTreeSet<String>,
    pub(super) counts: LimitCounts,
}

impl Budget {
    pub(super) fn new(options: LimitOptions) -> Budget {
        let (lanes, endpoints, counts) = (BTreeMap::new(), BTreeMap::new(), LimitCounts::default());
        let client_errors = ClientErrors::new(options.most_client_errors);
        Budget {
            options,
            lanes,
            endpoints,
            client_errors,
            problem: None,
            logged_missing_limits: BTreeSet::new(),
            counts,
        }
    }

    /// Returns why no more requests are sent in `lane`.
    pub(super) fn halt(&self, lane: &str) -> Option<&StopReason> {
        self.client_errors.halt(lane)
    }

    /// Returns the lane of requests to `endpoint`, as far as known.
    pub(super) fn lane_of(&self, endpoint: &str) -> &str {
        self.endpoints.get(endpoint).map_or(UNKNOWN, String::as_str)
    }

    /// Returns the rules of a lane. Empty until the upstream has announced some.
    pub(super) fn rules(&self, lane: &str) -> Vec<RateRule> {
        self.lanes.get(lane).map(|lane| lane.rules().to_vec()).unwrap_or_default()
    }

    pub(super) fn lane(&mut self, name: &str) -> &mut Lane {
        let headroom = self.options.headroom;
        self.lanes.entry(name.to_owned()).or_insert_with(|| Lane::new(headroom))
    }

    /// Returns the lanes that a request in `lane` may turn out to be counted in, in a fixed order.
    pub(super) fn lanes_of(&self, lane: &str) -> Vec<String> {
        let known = self.lanes.keys().filter(|name| lane == UNKNOWN && *name != UNKNOWN).cloned();
        std::iter::once(lane.to_owned()).chain(known).collect()
    }

    /// Returns the earliest time at which the next request in `lane` may be sent. `None` if that depends on a request
    /// in flight.
    pub(super) fn opens_at(&self, lane: &str) -> Option<Timestamp> {
        let lanes = self.lanes_of(lane);
        let lanes = lanes.iter().filter_map(|name| self.lanes.get(name));
        let rests_until = self.unannounced_until(lane)?;
        lanes.map(Lane::opens_at).try_fold(rests_until, |latest, opens_at| Some(latest.max(opens_at?)))
    }

    /// Corrects what a clock that was ahead has recorded in the lanes that a request in `lane` may be counted in.
    pub(super) fn set_back_to(&mut self, lane: &str, now: Timestamp) {
        for name in self.lanes_of(lane) {
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.set_back_to(now);
            }
        }
    }

    fn unannounced_until(&self, lane: &str) -> Option<Timestamp> {
        let lane = self.lanes.get(lane);
        lane.map_or(Some(Timestamp::MIN), |lane| lane.unannounced_until(self.options.unannounced_interval))
    }

    /// Logs, once per lane, that its requests wait because its limits are not known. Called when a request waits.
    pub(super) fn report_missing_limits(&mut self, lane: &str, now: Timestamp) {
        let rests = self.unannounced_until(lane).is_some_and(|until| until > now);
        let answers = self.lanes.get(lane).map_or(0, Lane::answers);
        if rests
            && lane != UNKNOWN
            && answers >= ANSWERS_BEFORE_WARNING
            && self.logged_missing_limits.insert(lane.to_owned())
        {
            let seconds = self.options.unannounced_interval.as_secs_f64();
            tracing::warn!(
                "{lane} names no limits: the header {RULES}, or the one of each rule that it names, is missing or cannot \
                 be read; one request is sent every {seconds} s until they arrive"
            );
        }
    }

    /// Records that a request is sent now.
    pub(super) fn sent(&mut self, lane: &str, now: Timestamp) -> Hit {
        self.counts.requests += 1;
        let hit = Hit { number: self.counts.requests, sent: now, answered: None };
        self.lane(lane).add(hit);
        hit
    }

    /// Applies an answer to `hit`, which was sent to `endpoint` in `lane`.
    pub(super) fn answered(
        &mut self,
        (lane, hit): (&str, Hit),
        endpoint: &str,
        now: Timestamp,
        status: StatusCode,
        limits: &AnnouncedLimits,
    ) {
        let told = self.lane_named_by(lane, endpoint, status, limits);
        if told != lane {
            self.lane(lane).remove(hit);
            self.lane(&told).add(hit);
            self.endpoints.insert(endpoint.to_owned(), told.clone());
            self.client_errors.moved(lane, &told);
        }
        self.lane(&told).answered(hit, now, status, limits);
        self.client_errors.answered(&told, endpoint, status);
        self.counts.client_errors += u64::from(status.is_client_error());
        self.counts.refusals += u64::from(status == StatusCode::TOO_MANY_REQUESTS);
        self.report(limits);
    }

    pub(super) fn memory(&self, now: Timestamp) -> StoredPace {
        let lanes = self.lanes.iter().filter(|(name, _)| *name != UNKNOWN);
        let lanes = lanes.map(|(name, lane)| (name.clone(), lane.memory(now))).collect();
        StoredPace { lanes, endpoints: self.endpoints.clone() }
    }

    pub(super) fn restore(&mut self, memory: &StoredPace, now: Timestamp) {
        for (name, lane) in &memory.lanes {
            self.lane(name).restore(lane, now);
        }
        for (endpoint, lane) in &memory.endpoints {
            self.endpoints.entry(endpoint.clone()).or_insert_with(|| lane.clone());
        }
    }

    /// Returns the lane that the answer names. An answer without a name belongs to its endpoint's own lane if it comes
    /// from the upstream; a server error from an intermediary tells nothing.
    fn lane_named_by(&self, lane: &str, endpoint: &str, status: StatusCode, limits: &AnnouncedLimits) -> String {
        match &limits.policy {
            Some(policy) => policy.clone(),
            None if lane == UNKNOWN && !status.is_server_error() => endpoint.to_owned(),
            None => lane.to_owned(),
        }
    }

    /// Logs a new problem once: an upstream that has changed its headers repeats the problem in each answer.
    fn report(&mut self, limits: &AnnouncedLimits) {
        self.counts.problems += limits.problems.len() as u64;
        if let Some(problem) = limits.problems.last()
            && self.problem.as_ref() != Some(problem)
        {
            tracing::warn!(%problem, "cannot read a rate-limit header; keeping the last limits that could be read");
            self.problem = Some(problem.clone());
        }
    }
}
