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

use super::{Discover, DiscoverSettings, LEASE, Report, resting};
use crate::discovery::{Found, Listing, Oddity, PlayerSource, SourceError, of_page, of_pass};
use crate::model::{PlayerId, RaidsToScrap};
use crate::store::{Claim, Discovered, Discovers, Doubt, Pass, Rest, Rule, Rules, UpstreamRest};

/// Chunks read in parallel: the number that the site tolerates, in the experience of the source document.
const CHUNKS_AT_ONCE: usize = 5;

/// For this long a discovery does not check again whether another discovery was refused.
const RESTS_GOOD_FOR: Duration = Duration::from_secs(10);

/// With less time left, no further page is started. Most take a second.
const PAGE_TIME: Duration = Duration::from_secs(45);

/// Time that is left when a page that takes longer is abandoned (the site fails, and the page is requested again):
/// enough to give the rule back.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// Shared by all chunks of a pass: progress is one document.
struct Progress {
    pass: Pass,
    report: Report,
    stop: Option<Stopped>,
    /// Outline of what the site shows in place of the page at which the pages end.
    end_sample: Option<String>,
    /// When the pauses of upstreams were last read.
    rests_read: Timestamp,
    /// Tells the chunks that wait for a page that costs nothing to stop waiting.
    turn_back: Option<oneshot::Sender<()>>,
}

/// Why a pass ends before its last page.
enum Stopped {
    /// Out of time, or the host is stopping.
    Time,
    /// Another discovery has the rule.
    Fenced,
    /// The source returned an error.
    Source(SourceError),
    /// The upstream refused another discovery.
    Resting(Rest),
    /// The pages are implausible.
    Doubted(Doubt),
}

/// State shared by the chunks of a pass.
struct Reading<'a> {
    claim: &'a Claim,
    rules: &'a dyn Rules,
    discovers: &'a dyn Discovers,
    source: &'a dyn PlayerSource,
    settings: DiscoverSettings,
    invocation: &'a Invocation,
    progress: Mutex<Progress>,
    turned_back: Shared<oneshot::Receiver<()>>,
}

/// Reads what is left of the claimed rule, as far as time and the source allow.
pub(super) async fn discover(
    claim: &Claim,
    rules: &dyn Rules,
    discovers: &dyn Discovers,
    source: &dyn PlayerSource,
    settings: DiscoverSettings,
    invocation: &Invocation,
) -> Result<Report, WorkerError> {
    let resumed = claim.pass.clone();
    let mut pass = resumed.unwrap_or_else(|| Pass::begin(&claim.rule, settings.pages_per_chunk, invocation.now()));
    pass.seen.span = source.span(claim, &pass).map(|span| span.as_secs());
    let chunks = pass.chunks.len();
    let report = Report { rule: Some(claim.rule.id.clone()), ..Report::default() };
    let (turn_back, turned_back) = oneshot::channel();
    // The worker has just read them.
    let rests_read = invocation.now();
    let progress = Progress { pass, report, stop: None, end_sample: None, rests_read, turn_back: Some(turn_back) };
    let (progress, turned_back) = (Mutex::new(progress), turned_back.shared());
    let reading = Reading { claim, rules, discovers, source, settings, invocation, progress, turned_back };
    let chunks = stream::iter(0..chunks).map(|chunk| reading.chunk(chunk));
    let results: Vec<Result<(), WorkerError>> = chunks.buffer_unordered(CHUNKS_AT_ONCE).collect().await;
    results.into_iter().collect::<Result<(), _>>()?;
    reading.close().await
}

impl Reading<'_> {
    /// Reads a chunk page by page, until it is done, the rule ends, or there is a reason to stop.
    async fn chunk(&self, chunk: usize) -> Result<(), WorkerError> {
        while let Some((page, pass)) = self.next(chunk).await? {
            let Some(found) = self.page(page, &pass).await else { return Ok(()) };
            match found {
                Ok(Found::Part { players, error }) => {
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
        let rest = if self.progress.lock().await.must_read_rests(self.invocation.now()) {
            resting(self.rules, self.source, self.invocation.now()).await?
        } else {
            None
        };
        let mut shared = self.progress.lock().await;
        if let Some(rest) = rest {
            shared.stop.get_or_insert(Stopped::Resting(rest));
        }
        if !self.invocation.has_time_for(PAGE_TIME) {
            shared.stop.get_or_insert(Stopped::Time);
        }
        let position = shared.pass.chunks[chunk];
        let ended = shared.pass.end.is_some_and(|end| position.next >= end);
        let over = shared.stop.is_some() || position.is_done() || ended;
        Ok((!over).then(|| (position.next, shared.pass.clone())))
    }

    /// Reads a page from the source. Returns `None`, with the reason recorded, when there is only time left to close,
    /// or no point in waiting: points that it holds come back by themselves.
    async fn page(&self, page: u32, pass: &Pass) -> Option<Result<Found, SourceError>> {
        let rest = self.invocation.remaining().saturating_sub(CLOSING_TIME);
        let reading = self.source.page(self.claim, pass, page);
        // A page that is paid for is waited for.
        let turned_back = async {
            match pass.seen.span {
                None => drop(self.turned_back.clone().await),
                Some(_) => std::future::pending().await,
            }
        };
        let patience = select(self.invocation.clock().sleep(rest), Box::pin(turned_back));
        match select(reading, patience).await {
            Either::Left((found, _)) => Some(found),
            Either::Right(_) => {
                self.progress.lock().await.stop.get_or_insert(Stopped::Time);
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
    async fn take(&self, chunk: usize, page: u32, found: Found) -> Result<(), WorkerError> {
        let mut shared = self.progress.lock().await;
        let now = self.invocation.now();
        match (of_page(self.claim, &shared.pass, page, &found), found) {
            (oddity @ (None | Some(Oddity::Gap { .. } | Oddity::Promised { .. })), Found::Rows(rows)) => {
                shared.advance(chunk, page, &rows);
                if let Some(oddity) = oddity {
                    let sample = shared.end_sample.take();
                    shared.doubt(&oddity, sample, now);
                }
            }
            (Some(oddity), Found::PastTheEnd { sample } | Found::Unreadable { sample, .. }) => {
                shared.doubt(&oddity, sample, now);
            }
            (Some(oddity), Found::Rows(_) | Found::Part { .. }) => shared.doubt(&oddity, None, now),
            // An operator has accepted it.
            (None, Found::Unreadable { players, .. }) => {
                shared.advance(chunk, page, &Listing { players, more: false });
            }
            // The site also shows other pages without rows that should have some.
            (None, Found::PastTheEnd { .. }) if shared.is_doubted() => {}
            (None, Found::PastTheEnd { sample }) => {
                shared.end_sample = sample;
                shared.pass.end = Some(shared.pass.end.map_or(page, |end| end.min(page)));
            }
            (None, Found::Part { .. }) => {}
        }
        if !self.rules.keep(self.claim, &shared.pass, LEASE).await? {
            shared.stop = Some(Stopped::Fenced);
        }
        Ok(())
    }

    /// Ends the pass for now. From here on, no discovery calls an upstream that refused one.
    async fn fail(&self, error: SourceError) -> Result<(), WorkerError> {
        let turned_away = matches!(error, SourceError::TurnedAway(_));
        if turned_away {
            let until = after(self.invocation.now(), self.settings.rest);
            let rest = Rest { until, reason: error.to_string() };
            self.rules.rest_upstream(&UpstreamRest { upstream: self.source.upstream(), rest }).await?;
        }
        let mut shared = self.progress.lock().await;
        shared.stop.get_or_insert(Stopped::Source(error));
        if turned_away && let Some(turn_back) = shared.turn_back.take() {
            // When no chunk waits any more, there is no receiver.
            let _ = turn_back.send(());
        }
        Ok(())
    }

    /// Finishes the rule if everything was read and is plausible; otherwise gives it back with its progress, paused if
    /// necessary.
    async fn close(self) -> Result<Report, WorkerError> {
        let Reading { claim, rules, settings, invocation, progress, .. } = self;
        let Progress { pass, mut report, stop, .. } = progress.into_inner();
        let now = invocation.now();
        let fenced = "another discovery has the rule";
        let unbelieved = of_pass(claim, &pass).filter(|_| pass.is_done());
        let doubt = match stop {
            // Pages that were read before stay read.
            Some(Stopped::Doubted(ref doubt)) => Some((Some(&pass), doubt.clone())),
            _ => unbelieved.map(|oddity| (None, Doubt { at: now, reason: oddity.to_string(), sample: None })),
        };
        if let Some((pass, doubt)) = doubt {
            let until = after(now, settings.rest);
            let kept = rules.doubt(claim, pass, &doubt, until).await?;
            if kept {
                tell(&claim.rule, &doubt, until);
            }
            report.stopped = Some(if kept { doubt.reason } else { fenced.into() });
            return Ok(report);
        }
        if pass.is_done() {
            report.finished = rules.finish(claim, &pass, now).await?;
            return Ok(report);
        }
        let rest = match stop {
            Some(Stopped::Fenced) => {
                report.stopped = Some(fenced.into());
                return Ok(report);
            }
            Some(Stopped::Resting(rest)) => {
                report.stopped =
                    Some(format!("{} rests until {}: {}", self.source.upstream(), rest.until, rest.reason));
                None
            }
            Some(Stopped::Source(error)) => {
                // An outage is reported once, by its breaker.
                if !matches!(error, SourceError::Down { .. }) {
                    tracing::warn!(rule = claim.rule.id, %error, "discovery of rule {} stopped: {error}", claim.rule.id);
                }
                report.stopped = Some(error.to_string());
                match error {
                    SourceError::TurnedAway(_) => {
                        Metric::DiscoveryStops.record(Discover::SPEC.name, 1.0);
                        None
                    }
                    SourceError::NoPoints { until } | SourceError::Down { until, .. } => {
                        Some(Rest { until, reason: error.to_string() })
                    }
                    SourceError::WrongRule(_) => {
                        Some(Rest { until: after(now, settings.rest), reason: error.to_string() })
                    }
                    SourceError::Failed { .. } => None,
                }
            }
            Some(Stopped::Time | Stopped::Doubted(_)) | None => {
                report.stopped = Some("out of time; the next discovery goes on".into());
                None
            }
        };
        rules.give_back(claim, rest).await?;
        Ok(report)
    }
}

impl Progress {
    /// Whether the pauses were read too long ago; true for one chunk at a time.
    fn must_read_rests(&mut self, now: Timestamp) -> bool {
        let is_good = self.rests_read <= now && now < after(self.rests_read, RESTS_GOOD_FOR);
        if !is_good {
            self.rests_read = now;
        }
        !is_good
    }

    fn is_doubted(&self) -> bool {
        matches!(self.stop, Some(Stopped::Doubted(_)))
    }

    /// Records a page that was read.
    fn advance(&mut self, chunk: usize, page: u32, rows: &Listing) {
        let players = rows.players.len() as u64;
        let seen = &mut self.pass.seen;
        seen.players += players;
        seen.last_page = seen.last_page.max(page);
        seen.promised = seen.promised.max(if rows.more { page + 1 } else { 0 });
        self.pass.chunks[chunk].next = page + 1;
        self.report.pages += 1;
        self.report.players += players;
    }

    /// Ends the pass for now, so that the pages in question are read again. They are, whatever else ends the pass: the
    /// recorded end of the pages is cleared.
    fn doubt(&mut self, oddity: &Oddity, sample: Option<String>, now: Timestamp) {
        self.pass.end = None;
        if let Oddity::Promised { page } = oddity {
            self.pass.read_again_before(*page);
        }
        if !matches!(self.stop, Some(Stopped::Fenced)) {
            self.stop = Some(Stopped::Doubted(Doubt { at: now, reason: oddity.to_string(), sample }));
        }
    }
}

/// Reports a doubt to the operator, in the log and as an alarm.
fn tell(rule: &Rule, doubt: &Doubt, until: Timestamp) {
    Metric::DiscoveryStops.record(Discover::SPEC.name, 1.0);
    tracing::warn!(
        rule = rule.id,
        "what discovery found for rule {id} makes no sense, and the rule rests until {until}: {reason}. `stint wcl rules sample \
         {id}` shows the page; if it is right, `stint wcl rules accept {id}` says so",
        id = rule.id,
        reason = doubt.reason
    );
}
