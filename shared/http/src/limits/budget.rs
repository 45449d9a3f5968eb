//! Which request counts with which others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::halt::{ClientErrors, Halt};
use super::headers::{RULES, RateHeaderError, RateLimits, RateRule};
use super::lane::{Headroom, Hit, Lane, LaneMemory};

/// How a client keeps to the limits that it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitOptions {
    /// When a hit is left unused.
    pub headroom: Headroom,
    /// This many answers of 4xx in a row, refusals for haste included, end the requests that count together, whatever
    /// others are answered; in a row of all requests they end everything. Each counts towards a ban, and what was
    /// wrong five times will be wrong the sixth.
    pub most_client_errors: u32,
    /// How long a lane rests after each answer as long as none has named a limit that could be read: what an upstream
    /// asks for may be lost on the way. Nothing rests for zero. An endpoint that is asked for the first time does not.
    pub unannounced_interval: Duration,
}

/// Slow for an upstream that permits two, and no flood for one that permits less than is known.
const UNANNOUNCED_INTERVAL: Duration = Duration::from_secs(1);

/// So many answers may come without a limit before it is said that requests wait for one: two who ask at the same time
/// for what is asked seldom, as a token is, are no news.
const SILENT_ANSWERS: u64 = 3;

impl Default for LimitOptions {
    fn default() -> LimitOptions {
        LimitOptions {
            headroom: Headroom::WhenUnsure,
            most_client_errors: 5,
            unannounced_interval: UNANNOUNCED_INTERVAL,
        }
    }
}

/// What has been sent so far, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitCounts {
    /// Requests sent.
    pub requests: u64,
    /// Answers of 4xx, refusals for haste included.
    pub client_errors: u64,
    /// Answers of 429.
    pub refusals: u64,
    /// How often a request had to wait for its turn.
    pub waits: u64,
    /// How long all together.
    pub waited: Duration,
    /// Headers that could not be read.
    pub problems: u64,
}

/// What a client knows of its limits, to be kept where it survives the process.
///
/// Keep it in the same write that says what is asked for next, before that is asked for: then at the most one request
/// has been sent that it does not know of, and [`Pacer::restore`](super::Pacer::restore) takes that one for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceMemory {
    /// By the name of the policy, or by the endpoint where there is none.
    lanes: BTreeMap<String, LaneMemory>,
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
    /// The last one that was logged.
    problem: Option<RateHeaderError>,
    /// The lanes of which was logged that they name no limits.
    silent: BTreeSet<String>,
    pub(super) counts: LimitCounts,
}

impl Budget {
    pub(super) fn new(options: LimitOptions) -> Budget {
        let (lanes, endpoints, counts) = (BTreeMap::new(), BTreeMap::new(), LimitCounts::default());
        let client_errors = ClientErrors::new(options.most_client_errors);
        Budget { options, lanes, endpoints, client_errors, problem: None, silent: BTreeSet::new(), counts }
    }

    /// Why nothing more is sent in `lane`.
    pub(super) fn halt(&self, lane: &str) -> Option<&Halt> {
        self.client_errors.halt(lane)
    }

    /// The lane that requests to `endpoint` are in, as far as is known.
    pub(super) fn lane_of(&self, endpoint: &str) -> &str {
        self.endpoints.get(endpoint).map_or(UNKNOWN, String::as_str)
    }

    /// The rules of a lane, none as long as none have been told.
    pub(super) fn rules(&self, lane: &str) -> Vec<RateRule> {
        self.lanes.get(lane).map(|lane| lane.rules().to_vec()).unwrap_or_default()
    }

    pub(super) fn lane(&mut self, name: &str) -> &mut Lane {
        let headroom = self.options.headroom;
        self.lanes.entry(name.to_owned()).or_insert_with(|| Lane::new(headroom))
    }

    /// The lanes that a request in `lane` may turn out to be counted in, in a fixed order.
    pub(super) fn lanes_of(&self, lane: &str) -> Vec<String> {
        let known = self.lanes.keys().filter(|name| lane == UNKNOWN && *name != UNKNOWN).cloned();
        std::iter::once(lane.to_owned()).chain(known).collect()
    }

    /// When the next request in `lane` may go, at the earliest. `None` before an answer that is under way.
    pub(super) fn opens_at(&self, lane: &str) -> Option<Timestamp> {
        let lanes = self.lanes_of(lane);
        let lanes = lanes.iter().filter_map(|name| self.lanes.get(name));
        let rests_until = self.unannounced_until(lane)?;
        lanes.map(Lane::opens_at).try_fold(rests_until, |latest, opens_at| Some(latest.max(opens_at?)))
    }

    /// Takes back what a clock that was ahead has noted in the lanes that a request in `lane` may be counted in.
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

    /// Says, once for each lane, that its requests wait because nobody has told its limits. Called when one waits.
    pub(super) fn report_silence(&mut self, lane: &str, now: Timestamp) {
        let rests = self.unannounced_until(lane).is_some_and(|until| until > now);
        let answers = self.lanes.get(lane).map_or(0, Lane::answers);
        if rests && lane != UNKNOWN && answers >= SILENT_ANSWERS && self.silent.insert(lane.to_owned()) {
            let seconds = self.options.unannounced_interval.as_secs_f64();
            tracing::warn!(
                "{lane} names no limits: the header {RULES}, or the one of each rule that it names, is missing or cannot \
                 be read; it is asked once in {seconds} s until they come through"
            );
        }
    }

    /// Notes that a request goes now.
    pub(super) fn sent(&mut self, lane: &str, now: Timestamp) -> Hit {
        self.counts.requests += 1;
        let hit = Hit { number: self.counts.requests, sent: now, answered: None };
        self.lane(lane).adopt(hit);
        hit
    }

    /// Takes in an answer to `hit`, which was sent to `endpoint` in `lane`.
    pub(super) fn answered(
        &mut self,
        (lane, hit): (&str, Hit),
        endpoint: &str,
        now: Timestamp,
        status: StatusCode,
        limits: &RateLimits,
    ) {
        let told = self.told(lane, endpoint, status, limits);
        if told != lane {
            self.lane(lane).remove(hit);
            self.lane(&told).adopt(hit);
            self.endpoints.insert(endpoint.to_owned(), told.clone());
            self.client_errors.moved(lane, &told);
        }
        self.lane(&told).answered(hit, now, status, limits);
        self.client_errors.answered(&told, endpoint, status);
        self.counts.client_errors += u64::from(status.is_client_error());
        self.counts.refusals += u64::from(status == StatusCode::TOO_MANY_REQUESTS);
        self.report(limits);
    }

    pub(super) fn memory(&self, now: Timestamp) -> PaceMemory {
        let lanes = self.lanes.iter().filter(|(name, _)| *name != UNKNOWN);
        let lanes = lanes.map(|(name, lane)| (name.clone(), lane.memory(now))).collect();
        PaceMemory { lanes, endpoints: self.endpoints.clone() }
    }

    pub(super) fn restore(&mut self, memory: &PaceMemory, now: Timestamp) {
        for (name, lane) in &memory.lanes {
            self.lane(name).restore(lane, now);
        }
        for (endpoint, lane) in &memory.endpoints {
            self.endpoints.entry(endpoint.clone()).or_insert_with(|| lane.clone());
        }
    }

    /// The lane that the answer names. One without a name belongs to its endpoint, if it comes from there: a fault of
    /// some server in between says nothing.
    fn told(&self, lane: &str, endpoint: &str, status: StatusCode, limits: &RateLimits) -> String {
        match &limits.policy {
            Some(policy) => policy.clone(),
            None if lane == UNKNOWN && !status.is_server_error() => endpoint.to_owned(),
            None => lane.to_owned(),
        }
    }

    /// An upstream that has changed its headers says so in each answer, so it is logged once.
    fn report(&mut self, limits: &RateLimits) {
        self.counts.problems += limits.problems.len() as u64;
        if let Some(problem) = limits.problems.last()
            && self.problem.as_ref() != Some(problem)
        {
            tracing::warn!(%problem, "cannot read a rate-limit header; the last limits that could be read stay");
            self.problem = Some(problem.clone());
        }
    }
}
