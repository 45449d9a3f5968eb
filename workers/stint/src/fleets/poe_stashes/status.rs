//! The state of the `poe-stashes` fleet.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::Counts;
use stint_poe_stashes::FLEET;
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};
use stint_poe_stashes::lag::{Lag, measure};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{ChainStatus, GivenUp, HeadSamples, IndexCounts, Progress, Sample, Stopped, Totals};

use super::stores::{Stores, breakers, index_counts};
use crate::escape::one_line;
use crate::fleets::fleet::FleetStatus;
use crate::format::{count, number};
use crate::time_format::format_time;
use crate::views::breakers::{BreakerView, write_upstreams};
use crate::views::schedules::{ScheduleView, schedule_hints, write_schedules};
use crate::wiring::Backends;

#[derive(Serialize)]
struct PoeStatus {
    fleet: &'static str,
    chain: ChainView,
    /// Totals since the chain was first started.
    totals: Totals,
    queues: Vec<QueueCounts>,
    /// The upstreams, and whether each is considered down.
    upstreams: Vec<BreakerView>,
    /// What the indexer has stored, if it ever ran here.
    index: Option<IndexCounts>,
    /// The schedules of functions.
    schedules: Vec<ScheduleView>,
    /// What the operator should do, if something is wrong.
    hints: Vec<String>,
}

#[derive(Serialize)]
struct ChainView {
    realm: &'static str,
    position: Option<ChangeId>,
    /// When the position became known.
    since: Option<Timestamp>,
    /// The end of the follower's lease on the chain, if there is one.
    followed_until: Option<Timestamp>,
    at_tail: bool,
    /// The head of the river when it was last read.
    head: Option<Sample>,
    /// Why the head is not read for a day.
    head_refused: Option<Stopped>,
    lag: Option<Lag>,
    /// Whether the lag exceeds POE_LAG_ALARM_SECONDS.
    alarm: bool,
    /// Pages that were requested and are not stored yet.
    open: Vec<ChangeId>,
    /// The most recent of the pages that were given up.
    lost: Vec<GivenUp>,
    stopped: Option<Stopped>,
}

#[derive(Serialize)]
struct QueueCounts {
    queue: String,
    #[serde(flatten)]
    counts: Counts,
}

/// Returns the state of the fleet, read from its stores, or `None` if it was never started.
pub(super) async fn read_status(
    settings: &Settings,
    backends: &Backends,
    now: Timestamp,
) -> anyhow::Result<Option<FleetStatus>> {
    let Some(status) = PoeStatus::read(settings, backends, now).await? else { return Ok(None) };
    FleetStatus::new(&status, true, |status, text| status.write(text, now)).map(Some)
}

impl PoeStatus {
    async fn read(settings: &Settings, backends: &Backends, now: Timestamp) -> anyhow::Result<Option<PoeStatus>> {
        let Some(stores) = Stores::existing(settings, backends)? else { return Ok(None) };
        let calls_functions = !backends.is_hosted_here();
        let mut schedules = if calls_functions { backends.schedules().await? } else { Vec::new() };
        schedules.retain(|schedule| schedule.worker.fleet == FLEET);
        let schedules: Vec<ScheduleView> =
            schedules.into_iter().map(|schedule| ScheduleView { schedule, last_done: None }).collect();
        let status = match stores.chain.read().await? {
            Some(status) => status,
            // The functions are deployed, and the watcher has not started the chain yet.
            None if !schedules.is_empty() => ChainStatus { progress: Progress::default(), leased_until: None },
            None => return Ok(None),
        };
        let mut queues = Vec::new();
        for queue in [&stores.chain_queue, &stores.stored] {
            queues.push(QueueCounts { queue: queue.name().to_owned(), counts: queue.counts().await? });
        }
        let head = stores.heads.read().await?;
        let totals = status.progress.totals;
        let followed_until = status.leased_until.filter(|until| *until > now);
        let chain = ChainView::new(status.progress, followed_until, head, settings, now);
        let mut hints = hints(&chain, &queues, settings, calls_functions);
        if calls_functions {
            hints.extend(schedule_hints(&schedules));
        }
        let upstreams = BreakerView::read(&*breakers(settings, backends)?, &[PAGES_UPSTREAM, HEAD_UPSTREAM]).await?;
        let index = index_counts(backends).await?;
        Ok(Some(PoeStatus { fleet: FLEET, chain, totals, queues, upstreams, index, schedules, hints }))
    }

    fn write(&self, text: &mut String, now: Timestamp) -> std::fmt::Result {
        let PoeStatus { chain, totals, queues, upstreams, index, schedules, hints, .. } = self;
        let position = chain.position.map_or_else(|| "not started".to_owned(), |id| id.to_string());
        let since = chain.since.map(|at| format!(", reached {}", format_time(at, now))).unwrap_or_default();
        writeln!(text, "chain       {} {position}{since}", chain.realm)?;
        writeln!(text, "            {}", chain.to_text())?;
        let (fetched, stored) = (number(totals.fetched), number(totals.stored));
        let (open, lost) = (number(chain.open.len() as u64), number(totals.lost));
        writeln!(text, "pages       {fetched} fetched, {stored} stored, {open} open, {lost} lost")?;
        for GivenUp { id, at, reason } in &chain.lost {
            writeln!(text, "            lost {id} {}: {}", format_time(*at, now), one_line(reason))?;
        }
        let (requests, errors, cut) = (number(totals.requests), number(totals.client_errors), number(totals.cut));
        writeln!(text, "requests    {requests}, {errors} client errors, {cut} incomplete bodies")?;
        let Totals { header, peek, body, disagreements, .. } = totals;
        let [header, peek, body, disagreements] = [header, peek, body, disagreements].map(|count| number(*count));
        writeln!(
            text,
            "look-ahead  {header} by header, {peek} by first bytes, {body} by body, {disagreements} disagreed"
        )?;
        for QueueCounts { queue, counts } in queues {
            let [visible, in_flight, delayed] = [counts.visible, counts.in_flight, counts.delayed].map(number);
            let dead = count(counts.dead_letters, "dead letter", "dead letters");
            writeln!(text, "queue       {queue}: {visible} visible, {in_flight} in flight, {delayed} delayed, {dead}")?;
        }
        if let Some(IndexCounts { stashes, items }) = index {
            writeln!(text, "index       {} stashes listed, {} items in them", number(*stashes), number(*items))?;
        }
        write_upstreams(text, upstreams, now)?;
        write_schedules(text, schedules, now)?;
        if !hints.is_empty() {
            writeln!(text, "\nto do:")?;
        }
        hints.iter().try_for_each(|hint| writeln!(text, "  {hint}"))
    }
}

impl ChainView {
    fn new(
        progress: Progress,
        followed_until: Option<Timestamp>,
        head: HeadSamples,
        settings: &Settings,
        now: Timestamp,
    ) -> ChainView {
        let lag = progress.position.and_then(|position| measure(&head.samples, position, now));
        let seconds = lag.and_then(|lag| lag.seconds);
        ChainView {
            realm: settings.poe_realm.name(),
            position: progress.position,
            since: progress.since,
            followed_until,
            at_tail: progress.at_tail,
            head: head.samples.last().copied(),
            head_refused: head.refused,
            lag,
            alarm: seconds.is_some_and(|seconds| seconds > settings.lag_alarm().as_secs_f64()),
            open: progress.open.iter().map(|open| open.id).collect(),
            lost: progress.lost,
            stopped: progress.stopped,
        }
    }

    fn to_text(&self) -> String {
        let led = match (&self.stopped, self.followed_until) {
            (Some(stopped), _) => format!("STOPPED: {}", one_line(&stopped.reason)),
            (None, Some(_)) => "a follower is at work".to_owned(),
            (None, None) => "no follower is at work".to_owned(),
        };
        let place = if self.at_tail { "; at the end of the river" } else { "" };
        let Some(Lag { shards, seconds: Some(seconds) }) = self.lag else {
            return format!("{led}{place}; its lag is unknown");
        };
        let shards = shards.map(|lag| lag.map_or_else(|| "?".to_owned(), |seconds| format!("{seconds:.0}")));
        let alarm = if self.alarm { ", FALLING BEHIND" } else { "" };
        format!("{led}{place}; {seconds:.0} s behind ({} s by shard){alarm}", shards.join(", "))
    }
}

fn hints(chain: &ChainView, queues: &[QueueCounts], settings: &Settings, calls_functions: bool) -> Vec<String> {
    let mut hints = Vec::new();
    let start = if calls_functions { "invoke the function of `follower`" } else { "run `stint up poe-stashes`" };
    if let Some(stopped) = &chain.stopped {
        let reason = one_line(&stopped.reason);
        hints.push(format!("the chain was stopped ({reason}): fix the cause, then {start}"));
    } else if chain.followed_until.is_none() && calls_functions {
        hints.push("no follower is at work on the chain: the watcher starts one at its next run".to_owned());
    } else if chain.followed_until.is_none() {
        hints.push(format!("no follower is at work on the chain: is `stint up {FLEET}` running?"));
    }
    if let Some(refused) = &chain.head_refused {
        let reason = one_line(&refused.reason);
        hints.push(format!("the request for the head was refused ({reason}): the lag is unknown until tomorrow"));
    }
    if !chain.lost.is_empty() {
        let most = settings.poe_max_body;
        hints.push(format!("pages were lost; if they were too large, raise POE_MAX_BODY, which is {most}"));
    }
    for QueueCounts { queue, counts } in queues.iter().filter(|view| view.counts.dead_letters > 0) {
        let dead = count(counts.dead_letters, "dead letter", "dead letters");
        hints.push(format!("{dead} of {queue}: see why with `stint queue peek {queue} --dead`"));
    }
    hints
}
