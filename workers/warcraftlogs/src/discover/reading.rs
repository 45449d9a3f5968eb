//! Reads the pages of one rule: chunks in parallel, whose progress is one document.

use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, Shared, select};
use futures::lock::Mutex;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::telemetry::Metric;
use stint_core::worker::{Invocation, Worker, WorkerError};

use super::{Discover, DiscoverReport, DiscoverSettings, LEASE, paused};
use crate::discovery::{Implausibility, PageResult, PageRows, PlayerSource, SourceError, of_page, of_pass};
use crate::model::{PlayerId, RaidsToScrap};
use crate::store::{Claim, Discovered, Discovers, Pass, Pause, Rule, RuleDoubt, Rules, UpstreamPause};

/// Chunks read in parallel: the number that the site tolerates, in the experience of the source document.
const CHUNKS_AT_ONCE: usize = 5;

/// For this long a discovery does not check again whether another discovery was refused.
const PAUSES_VALID_FOR: Duration = Duration::from_secs(10);

/// With less time left, no further page is started. Most take a second.
const PAGE_TIME: Duration = Duration::from_secs(45);

/// Time that is left when a page that takes longer is abandoned (the site fails, and the page is requested again):
/// enough to give the rule back.
const RELEASE_TIME: Duration = Duration::from_secs(5);

/// Shared by all chunks of a pass: progress is one document.
struct Progress {
    pass: Pass,
    report: DiscoverReport,
    stop: Option<StopReason>,
    /// Outline of what the site shows in place of the page at which the pages end.
    end_sample: Option<String>,
    /// When the pauses of upstreams were last read.
    pauses_read: Timestamp,
    /// Tells the chunks that wait for a page that costs nothing to stop waiting.
    cancel: Option<oneshot::Sender<()>>,
}

/// Why a pass ends before its last page.
enum StopReason {
    /// Out of time, or the host is stopping.
    Time,
    /// Another discovery has the rule.
    LeaseLost,
    /// The source returned an error.
    SourceFailed(SourceError),
    /// The upstream refused another discovery.
    Paused(Pause),
    /// The pages are implausible.
    Implausible(RuleDoubt),
}

/// State shared by the chunks of a pass.
struct PassReader<'a> {
    claim: &'a Claim,
    rules: &'a dyn Rules,
    discovers: &'a dyn Discovers,
    source: &'a dyn PlayerSource,
    settings: DiscoverSettings,
    invocation: &'a Invocation,
    progress: Mutex<Progress>,
    cancelled: Shared<oneshot::Receiver<()>>,
}

/// Reads what is left of the claimed rule, as far as time and the source allow.
pub(super) async fn discover(
    claim: &Claim,
    rules: &dyn Rules,
    discovers: &dyn Discovers,
    source: &dyn PlayerSource,
    settings: DiscoverSettings,
    invocation: &Invocation,
) -> Result<DiscoverReport, WorkerError> {
    let resumed = claim.pass.clone();
    let mut pass = resumed.unwrap_or_else(|| Pass::begin(&claim.rule, settings.pages_per_chunk, invocation.now()));
    pass.seen.span = source.span(claim, &pass).map(|span| span.as_secs());
    let chunks = pass.chunks.len();
    let report = DiscoverReport { rule: Some(claim.rule.id.clone()), ..DiscoverReport::default() };
    let (cancel, cancelled) = oneshot::channel();
    // The worker has just read them.
    let pauses_read = invocation.now();
    let progress = Progress { pass, report, stop: None, end_sample: None, pauses_read, cancel: Some(cancel) };
    let (progress, cancelled) = (Mutex::new(progress), cancelled.shared());
    let reading = PassReader { claim, rules, discovers, source, settings, invocation, progress, cancelled };
    let chunks = stream::iter(0..chunks).map(|chunk| reading.chunk(chunk));
    let results: Vec<Result<(), WorkerError>> = chunks.buffer_unordered(CHUNKS_AT_ONCE).collect().await;
    results.into_iter().collect::<Result<(), _>>()?;
    reading.release().await
}

impl PassReader<'_> {
    /// Reads a chunk page by page, until it is done, the rule ends, or there is a reason to stop.
    async fn chunk(&self, chunk: usize) -> Result<(), WorkerError> {
        while let Some((page, pass)) = self.next(chunk).await? {
            let Some(found) = self.page(page, &pass).await else { return Ok(()) };
            match found {
                Ok(PageResult::Part { players, error }) => {
                    self.merge(&players).await?;
                    return self.fail(error).await;
                }
                Ok(found) => {
                    self.merge(found.named()).await?;
                    self.take(chunk, page, found).await?;
                }
                Err(error) => return self.fail(error).await,
            }
        }
        Ok(())
    }

    /// Returns the next page of a chunk, and the pass so far.
    async fn next(&self, chunk: usize) -> Result<Option<(u32, Pass)>, WorkerError> {
        let pause = if self.progress.lock().await.pauses_are_stale(self.invocation.now()) {
            paused(self.rules, self.source, self.invocation.now()).await?
        } else {
            None
        };
        let mut shared = self.progress.lock().await;
        if let Some(pause) = pause {
            shared.stop.get_or_insert(StopReason::Paused(pause));
        }
        if !self.invocation.has_time_for(PAGE_TIME) {
            shared.stop.get_or_insert(StopReason::Time);
        }
        let position = shared.pass.chunks[chunk];
        let ended = shared.pass.end.is_some_and(|end| position.next >= end);
        let over = shared.stop.is_some() || position.is_done() || ended;
        Ok((!over).then(|| (position.next, shared.pass.clone())))
    }

    /// Reads a page from the source. Returns `None`, with the reason recorded, when there is only time left to give the
    /// rule back, or no point in waiting: points that it holds come back by themselves.
    async fn page(&self, page: u32, pass: &Pass) -> Option<Result<PageResult, SourceError>> {
        let time = self.invocation.remaining().saturating_sub(RELEASE_TIME);
        let reading = self.source.page(self.claim, pass, page);
        // A page that is paid for is waited for.
        let cancelled = async {
            match pass.seen.span {
                None => drop(self.cancelled.clone().await),
                Some(_) => std::future::pending().await,
            }
        };
        let patience = select(self.invocation.clock().sleep(time), Box::pin(cancelled));
        match select(reading, patience).await {
            Either::Left((found, _)) => Some(found),
            Either::Right(_) => {
                self.progress.lock().await.stop.get_or_insert(StopReason::Time);
                None
            }
        }
    }

    async fn merge(&self, players: &[PlayerId]) -> Result<(), WorkerError> {
        let Rule { raid, difficulty, .. } = self.claim.rule;
        let raids = RaidsToScrap::one(raid, difficulty);
        let seen = players.iter().map(|id| Discovered { id: *id, raids_to_scrap: raids.clone() });
        Ok(self.discovers.merge(&seen.collect::<Vec<_>>()).await?)
    }

    /// Adds a page to the pass, unless it is implausible.
    async fn take(&self, chunk: usize, page: u32, found: PageResult) -> Result<(), WorkerError> {
        let mut shared = self.progress.lock().await;
        let now = self.invocation.now();
        match (of_page(self.claim, &shared.pass, page, &found), found) {
            (
                implausibility @ (None | Some(Implausibility::Gap { .. } | Implausibility::Announced { .. })),
                PageResult::Rows(rows),
            ) => {
                shared.advance(chunk, page, &rows);
                if let Some(implausibility) = implausibility {
                    let sample = shared.end_sample.take();
                    shared.doubt(&implausibility, sample, now);
                }
            }
            (Some(implausibility), PageResult::PastTheEnd { sample } | PageResult::Unreadable { sample, .. }) => {
                shared.doubt(&implausibility, sample, now);
            }
            (Some(implausibility), PageResult::Rows(_) | PageResult::Part { .. }) => {
                shared.doubt(&implausibility, None, now)
            }
            // An operator has accepted it.
            (None, PageResult::Unreadable { players, .. }) => {
                shared.advance(chunk, page, &PageRows { players, more: false });
            }
            // The site also shows other pages without rows that should have some.
            (None, PageResult::PastTheEnd { .. }) if shared.is_implausible() => {}
            (None, PageResult::PastTheEnd { sample }) => {
                shared.end_sample = sample;
                shared.pass.end = Some(shared.pass.end.map_or(page, |end| end.min(page)));
            }
            (None, PageResult::Part { .. }) => {}
        }
        if !self.rules.store_progress(self.claim, &shared.pass, LEASE).await? {
            shared.stop = Some(StopReason::LeaseLost);
        }
        Ok(())
    }

    /// Ends the pass for now. From here on, no discovery calls an upstream that refused one.
    async fn fail(&self, error: SourceError) -> Result<(), WorkerError> {
        let is_refused = matches!(error, SourceError::Refused(_));
        if is_refused {
            let until = after(self.invocation.now(), self.settings.pause);
            let pause = Pause { until, reason: error.to_string() };
            self.rules.pause_upstream(&UpstreamPause { upstream: self.source.upstream(), pause }).await?;
        }
        let mut shared = self.progress.lock().await;
        shared.stop.get_or_insert(StopReason::SourceFailed(error));
        if is_refused && let Some(cancel) = shared.cancel.take() {
            // When no chunk waits any more, there is no receiver.
            let _ = cancel.send(());
        }
        Ok(())
    }

    /// Finishes the rule if everything was read and is plausible; otherwise gives it back with its progress, paused if
    /// necessary.
    async fn release(self) -> Result<DiscoverReport, WorkerError> {
        let PassReader { claim, rules, settings, invocation, progress, .. } = self;
        let Progress { pass, mut report, stop, .. } = progress.into_inner();
        let now = invocation.now();
        let lease_lost = "another discovery has the rule";
        let implausible = of_pass(claim, &pass).filter(|_| pass.is_done());
        let doubt = match stop {
            // Pages that were read before stay read.
            Some(StopReason::Implausible(ref doubt)) => Some((Some(&pass), doubt.clone())),
            _ => implausible
                .map(|implausibility| (None, RuleDoubt { at: now, reason: implausibility.to_string(), sample: None })),
        };
        if let Some((pass, doubt)) = doubt {
            let until = after(now, settings.pause);
            let stored = rules.doubt(claim, pass, &doubt, until).await?;
            if stored {
                alarm_and_log(&claim.rule, &doubt, until);
            }
            report.stopped = Some(if stored { doubt.reason } else { lease_lost.into() });
            return Ok(report);
        }
        if pass.is_done() {
            report.finished = rules.finish(claim, &pass, now).await?;
            return Ok(report);
        }
        let pause = match stop {
            Some(StopReason::LeaseLost) => {
                report.stopped = Some(lease_lost.into());
                return Ok(report);
            }
            Some(StopReason::Paused(pause)) => {
                report.stopped =
                    Some(format!("{} is paused until {}: {}", self.source.upstream(), pause.until, pause.reason));
                None
            }
            Some(StopReason::SourceFailed(error)) => {
                // An outage is reported once, by its breaker.
                if !matches!(error, SourceError::Down { .. }) {
                    tracing::warn!(rule = claim.rule.id, %error, "discovery of rule {} stopped: {error}", claim.rule.id);
                }
                report.stopped = Some(error.to_string());
                match error {
                    SourceError::Refused(_) => {
                        Metric::DiscoveryStops.record(&Discover::SPEC.id().to_string(), 1.0);
                        None
                    }
                    SourceError::NoPoints { until } | SourceError::Down { until, .. } => {
                        Some(Pause { until, reason: error.to_string() })
                    }
                    SourceError::UnsupportedRule(_) => {
                        Some(Pause { until: after(now, settings.pause), reason: error.to_string() })
                    }
                    SourceError::Failed { .. } => None,
                }
            }
            Some(StopReason::Time | StopReason::Implausible(_)) | None => {
                report.stopped = Some("out of time; the next discovery continues".into());
                None
            }
        };
        rules.give_back(claim, pause).await?;
        Ok(report)
    }
}

impl Progress {
    /// Whether the pauses were read too long ago; true for one chunk at a time.
    fn pauses_are_stale(&mut self, now: Timestamp) -> bool {
        let is_good = self.pauses_read <= now && now < after(self.pauses_read, PAUSES_VALID_FOR);
        if !is_good {
            self.pauses_read = now;
        }
        !is_good
    }

    fn is_implausible(&self) -> bool {
        matches!(self.stop, Some(StopReason::Implausible(_)))
    }

    /// Records a page that was read.
    fn advance(&mut self, chunk: usize, page: u32, rows: &PageRows) {
        let players = rows.players.len() as u64;
        let seen = &mut self.pass.seen;
        seen.players += players;
        seen.last_page = seen.last_page.max(page);
        seen.last_announced_page = seen.last_announced_page.max(if rows.more { page + 1 } else { 0 });
        self.pass.chunks[chunk].next = page + 1;
        self.report.pages += 1;
        self.report.players += players;
    }

    /// Ends the pass for now, so that the pages in question are read again. They are, whatever else ends the pass: the
    /// recorded end of the pages is cleared.
    fn doubt(&mut self, implausibility: &Implausibility, sample: Option<String>, now: Timestamp) {
        self.pass.end = None;
        if let Implausibility::Announced { page } = implausibility {
            self.pass.read_again_before(*page);
        }
        if !matches!(self.stop, Some(StopReason::LeaseLost)) {
            self.stop =
                Some(StopReason::Implausible(RuleDoubt { at: now, reason: implausibility.to_string(), sample }));
        }
    }
}

/// Reports a doubt to the operator, in the log and as an alarm.
fn alarm_and_log(rule: &Rule, doubt: &RuleDoubt, until: Timestamp) {
    Metric::DiscoveryStops.record(&Discover::SPEC.id().to_string(), 1.0);
    tracing::warn!(
        rule = rule.id,
        "the pages of rule {id} are implausible, and the rule is paused until {until}: {reason}. `stint wcl rules sample \
         {id}` shows the page; if it is correct, run `stint wcl rules accept {id}`",
        id = rule.id,
        reason = doubt.reason
    );
}
