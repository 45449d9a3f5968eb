//! Reads the pages of one due rule and merges whom it finds into `discovers`.
//!
//! # What may happen between any two lines
//! * *Dies after a page is read, or after its players are merged:* the page is read again, and merging the same
//!   players again changes nothing.
//! * *Dies after progress is kept:* the next discovery goes on behind that page, once the lease is over.
//! * *Dies after the last page, before the rule is finished:* the next discovery finds nothing left and finishes it.
//! * *Is only thought dead:* its lease number is old, so keeping progress answers `false` and it stops.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use futures::lock::Mutex;
use futures::stream;
use serde::Serialize;
use stint_core::clock::{after, before};
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::discovery::{Found, PlayerSource, SourceError};
use crate::model::RaidsToScrap;
use crate::store::{Claim, Discovered, Discovers, Pass, Rest, Rules};

/// Chunks read side by side: the number that the site puts up with, by the source document's experience.
const CHUNKS_AT_ONCE: usize = 5;

/// A discovery that keeps no progress for this long is taken for dead.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// With less time left no further page is begun. Most take a second.
const PAGE_TIME: Duration = Duration::from_secs(45);

/// What is left when a page is given up that takes longer, since the site fails and is asked again: enough to give the rule
/// back.
const CLOSING_TIME: Duration = Duration::from_secs(5);

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
    /// How long a rule rests after the site has turned us away.
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
        let due_before = before(invocation.now(), self.settings.delay);
        let Some(claim) = self.rules.claim_due(due_before, LEASE).await? else {
            return Ok(Outcome::report(Report { stopped: Some("no rule is due".into()), ..Report::default() }));
        };
        let report = discover(&claim, &*self.rules, &*self.discovers, &*self.source, self.settings, invocation).await?;
        Ok(Outcome::report(report))
    }
}

/// Where all chunks of a pass meet: progress is one document.
struct Progress {
    pass: Pass,
    report: Report,
    stop: Option<Stopped>,
}

/// Why a pass ends before its last page.
enum Stopped {
    /// Out of time, or the host is stopping.
    Time,
    /// Another discovery has the rule.
    Fenced,
    /// The source did not answer.
    Source(SourceError),
}

async fn discover(
    claim: &Claim,
    rules: &dyn Rules,
    discovers: &dyn Discovers,
    source: &dyn PlayerSource,
    settings: DiscoverSettings,
    invocation: &Invocation,
) -> Result<Report, WorkerError> {
    let resumed = claim.pass.clone();
    let pass = resumed.unwrap_or_else(|| Pass::begin(&claim.rule, settings.pages_per_chunk, invocation.now()));
    let chunks = pass.chunks.len();
    let report = Report { rule: Some(claim.rule.id.clone()), ..Report::default() };
    let progress = Mutex::new(Progress { pass, report, stop: None });
    let workers =
        stream::iter(0..chunks).map(|chunk| read_chunk(chunk, claim, rules, discovers, source, invocation, &progress));
    let results: Vec<Result<(), WorkerError>> = workers.buffer_unordered(CHUNKS_AT_ONCE).collect().await;
    results.into_iter().collect::<Result<(), _>>()?;
    close(progress.into_inner(), claim, rules, settings, invocation).await
}

/// Reads a chunk page by page, until it is done, the rule ends, or somebody has reason to stop.
async fn read_chunk(
    chunk: usize,
    claim: &Claim,
    rules: &dyn Rules,
    discovers: &dyn Discovers,
    source: &dyn PlayerSource,
    invocation: &Invocation,
    progress: &Mutex<Progress>,
) -> Result<(), WorkerError> {
    loop {
        let (page, pass) = {
            let mut shared = progress.lock().await;
            if !invocation.has_time_for(PAGE_TIME) {
                shared.stop.get_or_insert(Stopped::Time);
            }
            let position = shared.pass.chunks[chunk];
            let ended = shared.pass.end.is_some_and(|end| position.next >= end);
            if shared.stop.is_some() || position.is_done() || ended {
                return Ok(());
            }
            (position.next, shared.pass.clone())
        };
        let Some(found) = in_time(source.page(claim, &pass, page), invocation).await else {
            progress.lock().await.stop.get_or_insert(Stopped::Time);
            return Ok(());
        };
        if let Ok(Found::Players(players)) = &found {
            let raids = RaidsToScrap::one(claim.rule.raid, claim.rule.difficulty);
            let seen = players.iter().map(|id| Discovered { id: *id, raids_to_scrap: raids.clone() });
            discovers.merge(&seen.collect::<Vec<_>>()).await?;
        }
        let mut shared = progress.lock().await;
        match found {
            Ok(Found::Players(players)) => {
                shared.pass.chunks[chunk].next = page + 1;
                shared.report.pages += 1;
                shared.report.players += players.len() as u64;
            }
            Ok(Found::PastTheEnd) => shared.pass.end = Some(shared.pass.end.map_or(page, |end| end.min(page))),
            Err(error) => {
                shared.stop.get_or_insert(Stopped::Source(error));
                return Ok(());
            }
        }
        if !rules.keep(claim, &shared.pass, LEASE).await? {
            shared.stop.get_or_insert(Stopped::Fenced);
        }
    }
}

/// What `reading` brings, or `None` when there is time for nothing but closing. Points that it holds then come back by
/// themselves.
async fn in_time<T>(reading: impl Future<Output = T>, invocation: &Invocation) -> Option<T> {
    let rest = invocation.remaining().saturating_sub(CLOSING_TIME);
    match select(Box::pin(reading), invocation.clock().sleep(rest)).await {
        Either::Left((read, _)) => Some(read),
        Either::Right(_) => None,
    }
}

/// Finishes the rule if everything was read; else gives it back with its progress, to rest if the source says so.
async fn close(
    progress: Progress,
    claim: &Claim,
    rules: &dyn Rules,
    settings: DiscoverSettings,
    invocation: &Invocation,
) -> Result<Report, WorkerError> {
    let Progress { pass, mut report, stop } = progress;
    let now = invocation.now();
    if pass.is_done() {
        report.finished = rules.finish(claim, &pass, now).await?;
        return Ok(report);
    }
    let rest = match stop {
        Some(Stopped::Fenced) => {
            report.stopped = Some("another discovery has the rule".into());
            return Ok(report);
        }
        Some(Stopped::Time) | None => {
            report.stopped = Some("out of time; the next discovery goes on".into());
            None
        }
        Some(Stopped::Source(error)) => {
            tracing::warn!(rule = claim.rule.id, %error, "discovery of rule {} stopped: {error}", claim.rule.id);
            report.stopped = Some(error.to_string());
            let until = match &error {
                SourceError::TurnedAway(_) => Some(after(now, settings.rest)),
                SourceError::NoPoints { until } => Some(*until),
                SourceError::Failed { .. } => None,
            };
            until.map(|until| Rest { until, reason: error.to_string() })
        }
    };
    rules.give_back(claim, rest).await?;
    Ok(report)
}
