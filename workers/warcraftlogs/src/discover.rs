//! Reads the pages of one due rule and merges whom it finds into `discovers`.
//!
//! # What may happen between any two lines
//! * *Dies after a page is read, or after its players are merged:* the page is read again, and merging the same
//!   players again changes nothing.
//! * *Dies after progress is kept:* the next discovery goes on behind that page, once the lease is over.
//! * *Dies after the last page, before the rule is finished:* the next discovery finds nothing left and finishes it.
//! * *Is only thought dead:* its lease number is old, so keeping progress answers `false` and it stops.
//! * *Dies after an upstream has turned it away, before that is recorded:* the next discovery asks once more, is turned away,
//!   and records it. Recorded, it stops every discovery in every process before its next page.
//! * *Dies after a page that makes no sense, before that is recorded:* its players are merged, its progress is not kept, and
//!   the next discovery reads it again. Recorded, it is one change with the rest and the progress.
//! * *An operator accepts a doubt meanwhile:* a discovery that was begun before may doubt again, and is accepted again.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::before;
use stint_core::ports::PortResult;
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::discovery::PlayerSource;
use crate::store::{Discovers, Rest, Rules};
use reading::discover;

/// A discovery that keeps no progress for this long is taken for dead.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// Discovers the players of one rule.
pub struct Discover {
    rules: Arc<dyn Rules>,
    discovers: Arc<dyn Discovers>,
    source: Arc<dyn PlayerSource>,
    settings: DiscoverSettings,
}

/// How discovery goes about it.
#[derive(Clone, Copy, Debug)]
pub struct DiscoverSettings {
    /// A rule is due again this long after its last run.
    pub delay: Duration,
    /// Pages to a chunk.
    pub pages_per_chunk: u32,
    /// How long an upstream rests that has turned us away, and a rule whose pages make no sense.
    pub rest: Duration,
}

/// What an invocation did.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Report {
    rule: Option<String>,
    pages: u64,
    players: u64,
    finished: bool,
    stopped: Option<String>,
}

impl Discover {
    /// A discovery from `source`.
    pub fn new(
        rules: Arc<dyn Rules>,
        discovers: Arc<dyn Discovers>,
        source: Arc<dyn PlayerSource>,
        settings: DiscoverSettings,
    ) -> Discover {
        Discover { rules, discovers, source, settings }
    }
}

impl Worker for Discover {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "discover",
        summary: "reads the ranking pages of one due rule and merges the players it finds",
        triggers: &[Trigger::Every { period: Duration::from_secs(30 * 60) }],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        if let Some(rest) = resting(&*self.rules, &*self.source, invocation.now()).await? {
            let stopped = Some(format!("{} rests until {}: {}", self.source.upstream(), rest.until, rest.reason));
            return Ok(Outcome::report(Report { stopped, ..Report::default() }));
        }
        let due_before = before(invocation.now(), self.settings.delay);
        let Some(claim) = self.rules.claim_due(due_before, LEASE).await? else {
            return Ok(Outcome::report(Report { stopped: Some("no rule is due".into()), ..Report::default() }));
        };
        let report = discover(&claim, &*self.rules, &*self.discovers, &*self.source, self.settings, invocation).await?;
        Ok(Outcome::report(report))
    }
}

/// The rest of the source's upstream, if it is not over.
async fn resting(rules: &dyn Rules, source: &dyn PlayerSource, now: Timestamp) -> PortResult<Option<Rest>> {
    let upstream = source.upstream();
    let mut rests = rules.upstreams().await?.into_iter();
    Ok(rests.find(|rest| rest.upstream == upstream && rest.rest.until > now).map(|rest| rest.rest))
}
