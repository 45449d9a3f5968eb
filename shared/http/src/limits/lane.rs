//! A lane: the requests that an upstream counts together, and when the next one may be sent.
//!
//! A request is assumed to be counted in every window of every rule. A window allows `max_hits` requests per `period`.
//! The next request may be sent once the `max_hits`-th most recent one has left the window: one period after its
//! answer, less the proved [`Lag`]. This is correct for sliding windows, and for fixed windows too, because a fixed
//! window is one position of a sliding one.
//!
//! One hit is left unused while the model may be wrong ([`Headroom::WhenUnsure`]): while the lag is being proved, and
//! while the lane is *wary*. A lane is wary at first, after a refusal, and after the upstream has counted more than was
//! sent from here, because another program may use the same address, or hits may count for longer than the header says.
//! The surplus is added to the lane's own hits, with the latest time at which it can have been counted. Each answer
//! that shows a hit gone when it should be reduces the wariness by one step.
//!
//! With [`Headroom::Always`] the next request may be sent one period after the `max_hits - 1`-th most recent one was
//! *sent*. The unused hit makes up for the unknown moment of counting.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::{after, before, between};

use super::headers::{AnnouncedLimits, RateRule, RateWindow};
use super::lag::Lag;
use crate::retry_after::LONGEST_RETRY_AFTER;

/// When one hit of each window is left unused, if the window has more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headroom {
    /// While it is uncertain whether the upstream counts exactly what was sent from here.
    #[default]
    WhenUnsure,
    /// Always. Halves the pace of a limit of two.
    Always,
}

/// The number of answers that must show a hit gone in time before the upstream is trusted to count as it says.
const FIRST_PROOFS: u32 = 8;

/// The same number after it was seen to count more.
const NEXT_PROOFS: u32 = 100;

/// A hit that is gone is a proof only if it should have left no longer ago than this fraction of the period.
const RECENT_FRACTION: u32 = 10;

/// A request that no caller waits for any more may still be in flight, and be counted this much later.
const LONGEST_TRANSIT: Duration = Duration::from_secs(1);

/// How much a number of seconds in a header may be rounded down.
const ROUNDING: Duration = Duration::from_secs(1);

/// The most hits of other programs that are recorded after one answer: more than any limit seen so far permits, and few
/// enough to store, whatever an upstream says.
const MOST_OTHERS: usize = 10_000;

/// However long the announced limits keep a lane closed, one request is sent after this long, and its answer brings the
/// current limits. No answer therefore closes a lane for longer, and a limit stricter than this still receives one
/// request an hour.
pub(super) const LONGEST_CLOSURE: Duration = Duration::from_secs(60 * 60);

/// The wait after a refusal without a `Retry-After`, if the limit states no restriction: enough for limits in seconds.
const DEFAULT_REFUSAL_WAIT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct Lane {
    headroom: Headroom,
    rules: Vec<RateRule>,
    /// In the order in which they were sent.
    hits: VecDeque<Hit>,
    closed_until: Timestamp,
    lag: Lag,
    /// The number of proofs that are still needed before all hits may be used.
    wary: u32,
    answers: u64,
}

/// A request that was counted, or will be, at some moment between `sent` and `answered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hit {
    /// Its number in this process; 0 for a request of another process.
    #[serde(skip)]
    pub(super) number: u64,
    pub(super) sent: Timestamp,
    /// `None` while it is in flight.
    pub(super) answered: Option<Timestamp>,
}

impl Hit {
    /// Creates a hit that was counted at an unknown moment up to `now`.
    pub(super) fn until(now: Timestamp) -> Hit {
        Hit { number: 0, sent: now, answered: Some(now) }
    }
}

/// What is stored of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredLane {
    pub(super) rules: Vec<RateRule>,
    pub(super) hits: Vec<Hit>,
    pub(super) closed_until: Timestamp,
}

impl Lane {
    pub(super) fn new(headroom: Headroom) -> Lane {
        let lag = if headroom == Headroom::Always { Lag::off() } else { Lag::unknown() };
        Lane {
            headroom,
            rules: Vec::new(),
            hits: VecDeque::new(),
            closed_until: Timestamp::MIN,
            lag,
            wary: FIRST_PROOFS,
            answers: 0,
        }
    }

    pub(super) fn rules(&self) -> &[RateRule] {
        &self.rules
    }

    /// Returns the earliest time at which the next request may be sent. `None` if that depends on a request in flight.
    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        let mut opens_at = Timestamp::MIN;
        for window in self.windows() {
            opens_at = opens_at.max(self.window_opens_at(window)?);
        }
        let look_again =
            self.hits.back().and_then(|last| last.answered).map(|answered| after(answered, LONGEST_CLOSURE));
        Some(look_again.map_or(opens_at, |look_again| opens_at.min(look_again)).max(self.closed_until))
    }

    /// Corrects what a clock that was ahead has recorded: nothing was sent later than now, and nothing is closed for
    /// longer than any answer closes it.
    pub(super) fn set_back_to(&mut self, now: Timestamp) {
        for hit in self.hits.iter_mut().rev().take_while(|hit| hit.sent > now || hit.answered > Some(now)) {
            hit.sent = hit.sent.min(now);
            hit.answered = hit.answered.map(|answered| answered.min(after(now, LONGEST_TRANSIT)));
        }
        self.closed_until = self.closed_until.min(after(now, LONGEST_RETRY_AFTER + ROUNDING));
    }

    /// Returns the earliest time of the next request while no limit is known: `interval` after the last answer. `None`
    /// if that depends on a request in flight.
    pub(super) fn unannounced_until(&self, interval: Duration) -> Option<Timestamp> {
        match self.hits.back() {
            Some(last) if self.rules.is_empty() => Some(after(last.answered?, interval)),
            _ => Some(Timestamp::MIN),
        }
    }

    /// Returns how many answers this process has received.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Adds a request that is sent now, or that was sent in another lane.
    pub(super) fn add(&mut self, hit: Hit) {
        self.forget(hit.sent);
        let place = self.hits.partition_point(|other| other.sent <= hit.sent);
        self.hits.insert(place, hit);
    }

    /// Removes a request that the upstream cannot have seen, or that belongs to another lane.
    pub(super) fn remove(&mut self, hit: Hit) {
        if let Some(place) = self.place(hit) {
            self.hits.remove(place);
        }
    }

    /// Records that it will never be known when, or whether, `hit` was counted.
    pub(super) fn abandon(&mut self, hit: Hit, now: Timestamp) {
        self.end(hit, after(now, LONGEST_TRANSIT));
    }

    /// Applies the answer to `hit`.
    pub(super) fn answered(&mut self, hit: Hit, now: Timestamp, status: StatusCode, limits: &AnnouncedLimits) {
        self.end(hit, now);
        self.learn(limits);
        self.measure(hit, now);
        let surprised = self.compare_counts(hit, now, limits);
        let refused = status == StatusCode::TOO_MANY_REQUESTS;
        // What was counted before our first request is no surprise.
        if refused || (surprised && self.answers > 0) {
            self.wary = NEXT_PROOFS;
        }
        if refused {
            self.lag.refused();
        }
        self.answers += 1;
        self.close(now, refused, limits);
    }

    pub(super) fn memory(&self, now: Timestamp) -> StoredLane {
        let longest = self.longest_period();
        let fresh = |hit: &&Hit| hit.answered.is_none_or(|answered| between(answered, now) <= longest);
        let hits = self.hits.iter().filter(fresh).copied().collect();
        StoredLane { rules: self.rules.clone(), hits, closed_until: self.closed_until }
    }

    /// Merges what another process, or an earlier run of this one, knew at some time before `now`. That process may
    /// have sent one request more. If everything is known already, nothing changes, because then that request is known
    /// too.
    pub(super) fn restore(&mut self, memory: &StoredLane, now: Timestamp) {
        // It may outlast the hits that caused it.
        self.closed_until = self.closed_until.max(memory.closed_until);
        self.set_back_to(now);
        let known = |hit: &Hit| self.hits.iter().any(|own| own.sent == hit.sent);
        let news: Vec<Hit> = memory.hits.iter().filter(|hit| !known(hit)).copied().collect();
        if news.is_empty() && self.rules == memory.rules {
            return;
        }
        self.rules.clone_from(&memory.rules);
        for hit in news {
            self.add(Hit { answered: hit.answered.or(Some(now)), ..hit });
        }
        self.add(Hit::until(now));
        self.set_back_to(now);
    }

    fn windows(&self) -> impl Iterator<Item = &RateWindow> {
        self.rules.iter().flat_map(|rule| &rule.windows)
    }

    fn longest_period(&self) -> Duration {
        self.windows().map(|window| window.period).max().unwrap_or_default()
    }

    fn window_opens_at(&self, window: &RateWindow) -> Option<Timestamp> {
        let max_hits = window.max_hits as usize;
        let proving = self.lag.is_being_proved();
        // Without a proof the last hit is safe only at the full period.
        let lag = if proving { Duration::ZERO } else { self.lag.least() };
        let full = self.nth_latest(max_hits).map_or(Some(Timestamp::MIN), |hit| self.leaves_at(hit, window, lag))?;
        if max_hits == 1 {
            return Some(full);
        }
        let spared = match self.nth_latest(max_hits - 1) {
            Some(hit) if self.wary > 0 => self.leaves_at(hit, window, Duration::ZERO),
            Some(hit) if self.headroom == Headroom::Always => Some(after(hit.sent, window.period)),
            Some(hit) if proving => self.leaves_at(hit, window, self.lag.least()),
            _ => Some(Timestamp::MIN),
        };
        Some(full.max(spared?))
    }

    /// Returns the `count`-th most recent hit.
    fn nth_latest(&self, count: usize) -> Option<&Hit> {
        self.hits.len().checked_sub(count).and_then(|place| self.hits.get(place))
    }

    fn leaves_at(&self, hit: &Hit, window: &RateWindow, lag: Duration) -> Option<Timestamp> {
        Some(before(after(hit.answered?, window.period), lag))
    }

    fn place(&self, hit: Hit) -> Option<usize> {
        self.hits.iter().rposition(|other| other.number == hit.number)
    }

    fn end(&mut self, hit: Hit, at: Timestamp) {
        if let Some(hit) = self.place(hit).and_then(|place| self.hits.get_mut(place)) {
            hit.answered = Some(at);
        }
    }

    /// Replaces the rules by those in `limits`. Rules that are named there but could not be read stay as they were.
    fn learn(&mut self, limits: &AnnouncedLimits) {
        if limits.rules.is_empty() {
            return;
        }
        let told = |name: &str| limits.rules.iter().any(|rule| rule.name == name);
        self.rules.retain(|rule| !limits.problems.is_empty() && !told(&rule.name));
        for rule in &limits.rules {
            let windows = rule.windows.iter().map(|window| RateWindow { state: None, ..*window }).collect();
            self.rules.push(RateRule { name: rule.name.clone(), windows });
        }
    }

    fn measure(&mut self, hit: Hit, now: Timestamp) {
        let shortest = self.windows().map(|window| window.period).min();
        if let Some(shortest) = shortest {
            self.lag.measured(between(hit.sent, now), shortest);
        }
    }

    /// Compares what the upstream has counted with what was sent. Returns whether it was more.
    fn compare_counts(&mut self, hit: Hit, now: Timestamp, limits: &AnnouncedLimits) -> bool {
        let mut others = 0;
        let mut proved = false;
        for window in limits.rules.iter().flat_map(|rule| &rule.windows) {
            let Some(state) = window.state else { continue };
            let counted = state.hits.min(window.max_hits.saturating_add(1)) as usize;
            let sent = self.counted_at(hit, window, Duration::ZERO);
            let likely = self.counted_at(hit, window, self.lag.least());
            if counted > sent {
                others = others.max(counted - sent);
            } else if counted > likely {
                self.lag.disproved();
            } else if let Some(gone) = self.last_gone(hit, window) {
                let gone_for = between(gone, hit.sent);
                proved |= gone_for <= window.period / RECENT_FRACTION;
                self.lag.agreed(self.lag.least().saturating_sub(gone_for));
            }
        }
        (0..others.min(MOST_OTHERS)).for_each(|_| self.add(Hit::until(now)));
        self.wary = self.wary.saturating_sub(u32::from(proved && others == 0));
        others > 0
    }

    /// Returns the most hits that can have been in `window` when `hit` was counted.
    fn counted_at(&self, hit: Hit, window: &RateWindow, lag: Duration) -> usize {
        let stays = |other: &&Hit| self.leaves_at(other, window, lag).is_none_or(|leaves| leaves > hit.sent);
        let earlier = self.hits.iter().rev().skip_while(|other| other.sent > hit.sent);
        earlier.filter(stays).count()
    }

    /// Returns when the last hit left that, by the lag, should have left before `hit`.
    fn last_gone(&self, hit: Hit, window: &RateWindow) -> Option<Timestamp> {
        let earlier = self.hits.iter().rev().filter(|other| other.sent < hit.sent);
        let mut leaves = earlier.filter_map(|other| self.leaves_at(other, window, self.lag.least()));
        leaves.find(|leaves| *leaves <= hit.sent)
    }

    fn close(&mut self, now: Timestamp, refused: bool, limits: &AnnouncedLimits) {
        let states = limits.rules.iter().flat_map(|rule| &rule.windows).filter_map(|window| window.state);
        let restricted =
            states.map(|state| state.restricted_for.min(LONGEST_CLOSURE)).max().filter(|wait| !wait.is_zero());
        let asked = limits.retry_after.max(restricted).map(|wait| wait.saturating_add(ROUNDING));
        let default_wait = || {
            self.windows()
                .map(|window| window.restriction.min(LONGEST_CLOSURE))
                .fold(DEFAULT_REFUSAL_WAIT, Duration::max)
        };
        let wait = if refused { asked.unwrap_or_else(default_wait) } else { restricted.unwrap_or_default() };
        if !wait.is_zero() {
            self.closed_until = self.closed_until.max(after(now, wait));
        }
    }

    /// Drops hits that left every window more than a period ago. A hit that has only just left is what proves that hits
    /// leave in time.
    fn forget(&mut self, now: Timestamp) {
        let longest = self.longest_period() * 2;
        let gone = |hit: &Hit| hit.answered.is_some_and(|answered| after(answered, longest) < now);
        while self.hits.front().is_some_and(gone) {
            self.hits.pop_front();
        }
    }
}
