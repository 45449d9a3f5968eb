//! Reads the pages of one due rule and merges the players found into `discovers`.
//!
//! # What may happen between any two lines
//! * *The process exits after a page is read, or after its players are merged:* the page is read again, and merging the
//!   same players again changes nothing.
//! * *The process exits after progress is stored:* the next discovery continues after that page, once the lease has
//!   expired.
//! * *The process exits after the last page, before the rule is finished:* the next discovery finds nothing left to
//!   read and finishes it.
//! * *The process exits before a rule of a frozen raid is finished unread:* the rule is claimed again, and finished.
//! * *The process is only slow, and its lease has expired:* its lease number is old, so storing progress returns
//!   `false` and it stops.
//! * *The process exits after an upstream has refused it, before that is recorded:* the next discovery sends one more
//!   request, is refused, and records it. Once recorded, the refusal stops every discovery in every process within ten
//!   seconds.
//! * *The process exits after an implausible page, before that is recorded:* its players are merged, its progress is
//!   not stored, and the next discovery reads it again. The doubt, the pause and the progress are recorded in one
//!   change.
//! * *An operator accepts a doubt meanwhile:* a discovery that started earlier may raise it again, and the operator has
//!   to accept it again.
//! * *The process exits after the rule is finished, before the next worker is woken:* the next tick reads the next
//!   rule. It also wakes the aggregator if that has not run since the last rule was finished.
//! * *The process exits between the two wake-ups:* the same.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{after, before};
use stint_core::ports::PortResult;
use stint_core::schedule::Every;
use stint_core::telemetry::Metric;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use crate::aggregator::unfinished;
use crate::discovery::PlayerSource;
use crate::next_worker::{ALL_FRESH, NEXT_DUE, NEXT_RULE, NextWorker, next_claim, overdue};
use crate::store::{Claim, Discovers, Pass, Pause, Rules};
use reading::discover;

/// Lease of a discovery. A discovery that stores no progress for this long is taken to have crashed.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// Wait before a rule is tried again after a pass that read nothing: the site fails, or there was no time.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// Discovers the players of one rule, and starts the next worker.
pub struct Discover {
    rules: Arc<dyn Rules>,
    discovers: Arc<dyn Discovers>,
    source: Arc<dyn PlayerSource>,
    next_worker: NextWorker,
    settings: DiscoverSettings,
}

/// The settings of discovery.
#[derive(Clone, Copy, Debug)]
pub struct DiscoverSettings {
    /// A rule is due again this long after its last run.
    pub delay: Duration,
    /// Pages in a chunk.
    pub pages_per_chunk: u32,
    /// How long discovery pauses at an upstream that refused it, or at a rule whose pages are implausible.
    pub pause: Duration,
}

/// Summary of one invocation.
#[derive(Debug, Default, PartialEq, Serialize)]
struct DiscoverReport {
    rule: Option<String>,
    pages: u64,
    players: u64,
    finished: bool,
    stopped: Option<String>,
}

impl Discover {
    /// A discovery that reads from `source`.
    pub fn new(
        rules: Arc<dyn Rules>,
        discovers: Arc<dyn Discovers>,
        source: Arc<dyn PlayerSource>,
        next_worker: NextWorker,
        settings: DiscoverSettings,
    ) -> Discover {
        Discover { rules, discovers, source, next_worker, settings }
    }

    /// Measures how long rules have waited, and starts the next discovery when a rule can be claimed, and the aggregator if all rules are fresh and it has not
    /// run since. `read` is the rule that was just read. A rule that is already due is claimed at `earliest`, and none
    /// while the upstream is paused.
    async fn measure_and_wake_next(
        &self,
        read: Option<&str>,
        earliest: Timestamp,
        now: Timestamp,
        event: &Event,
    ) -> PortResult<()> {
        let rules = self.rules.list().await?.documents;
        let overdue = overdue(&rules, self.settings.delay, now);
        Metric::DiscoveryOverdue.record(&Discover::SPEC.id().to_string(), overdue.as_secs_f64());
        if let Some(next) = next_claim(&rules, self.settings.delay) {
            let wakeup = read.map_or_else(|| NEXT_DUE.to_owned(), |rule| format!("{NEXT_RULE}{rule}"));
            let pause = paused(&*self.rules, &*self.source, now).await?;
            let pause_over = pause.map_or(Timestamp::MIN, |pause| pause.until);
            let at = if next > now { next } else { earliest }.max(pause_over);
            self.next_worker.start_from(event, &wakeup, at).await?;
        }
        let newest = rules.iter().filter_map(|status| status.rule.last_run).max();
        let all_fresh = unfinished(&rules, before(now, self.settings.delay), now).is_none();
        if all_fresh && newest > self.next_worker.milestones.reached().await?.as_of(now).aggregated {
            self.next_worker.start(ALL_FRESH, now).await?;
        }
        Ok(())
    }
}

impl Worker for Discover {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "discover",
        summary: "reads the ranking pages of one due rule and merges the players it finds",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(30 * 60))), Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        if let Some(pause) = paused(&*self.rules, &*self.source, invocation.now()).await? {
            self.measure_and_wake_next(None, pause.until, invocation.now(), &event).await?;
            let stopped = Some(format!("{} is paused until {}: {}", self.source.upstream(), pause.until, pause.reason));
            return Ok(Outcome::report(DiscoverReport { stopped, ..DiscoverReport::default() }));
        }
        let due_before = before(invocation.now(), self.settings.delay);
        let Some(claim) = self.rules.claim_due(due_before, LEASE).await? else {
            let now = invocation.now();
            self.measure_and_wake_next(None, after(now, PAUSE), now, &event).await?;
            return Ok(Outcome::report(DiscoverReport {
                stopped: Some("no rule is due".into()),
                ..DiscoverReport::default()
            }));
        };
        let report = if claim.is_settled() {
            finish_frozen(&claim, &*self.rules, invocation).await?
        } else {
            discover(&claim, &*self.rules, &*self.discovers, &*self.source, self.settings, invocation).await?
        };
        let now = invocation.now();
        let earliest = if report.finished || report.pages > 0 { now } else { after(now, PAUSE) };
        self.measure_and_wake_next(Some(&claim.rule.id), earliest, now, &event).await?;
        Ok(Outcome::report(report))
    }
}

/// Returns the pause of the source's upstream, if it is not over.
async fn paused(rules: &dyn Rules, source: &dyn PlayerSource, now: Timestamp) -> PortResult<Option<Pause>> {
    let upstream = source.upstream();
    let mut pauses = rules.upstreams().await?.into_iter();
    Ok(pauses.find(|pause| pause.upstream == upstream && pause.pause.until > now).map(|pause| pause.pause))
}

/// Finishes a rule of a frozen raid that was read after the freeze: its pages show no new players. The last pass
/// remains the reference for judging the next one.
async fn finish_frozen(
    claim: &Claim,
    rules: &dyn Rules,
    invocation: &Invocation,
) -> Result<DiscoverReport, WorkerError> {
    let seen = claim.last.unwrap_or_default();
    let nothing = Pass { started_at: invocation.now(), chunks: Vec::new(), end: None, seen };
    let finished = rules.finish(claim, &nothing, invocation.now()).await?;
    let stopped = Some(format!("raid {} is frozen and already read", claim.rule.raid));
    Ok(DiscoverReport { rule: Some(claim.rule.id.clone()), finished, stopped, ..DiscoverReport::default() })
}
