//! Sends discovered players who are due to the queue, once all rules of the day are done.
//!
//! Only then are all raids and difficulties of a player known, so one message can ask for all of them. When there are
//! more players than points, a queue that takes every player would grow from day to day with the same players, and its
//! order would decide who is refreshed. So players stay in `discovers` until they are due, the queue holds no more than
//! the keys can pay for in a while, and the order is decided here, as late as possible.
//!
//! A run that queues no player also checks the queue. Once nothing is left in it, the aggregator wakes the database
//! generator: one time for all players queued since the last time, and at most once in `LUA_MIN_INTERVAL_MINUTES`.
//!
//! # What may happen between any two lines
//! * *The process exits before a batch is sent:* its players are still in `discovers`, and due.
//! * *The process exits after a batch is sent, before its players are marked as sent (deleted from `discovers`):* the next
//!   run sends those players again. The second message costs no points if the first one was done before it is received,
//!   since the ranks are fresh then. Two fetchers that receive both at once fetch the player twice.
//! * *A player is fetched between sending and marking:* it was marked as queued at an instant before the send, so it
//!   does not count as waiting for a message that is done.
//! * *A player is discovered again between reading and marking:* its document has changed, so it is not deleted. It
//!   waits until the message is fetched, and is due again if that message did not cover it.
//! * *The message is lost, or ends in the dead-letter queue:* the player counts as waiting until no queue can still
//!   have the message, and is due then.
//! * *A raid becomes known as frozen between read and send:* raids and difficulties fetched since then are left out of
//!   the message. A player with nothing left to fetch stays in `discovers`, and counts as fresh.
//! * *Two runs overlap:* both send the same players, with the same effect. The local host never runs two at once;
//!   Lambda does not either, with the reserved concurrency that `infra/` sets.
//! * *The process exits after the marking, before it records that every player was read:* the next discovery wakes
//!   the aggregator again, and it finds no player who is due.
//! * *Time runs out before every player was read, or before every chosen player was sent:* the run is not recorded as
//!   complete, so the next discovery wakes the aggregator again.
//! * *The process exits after it records that players are queued, before the first batch is sent:* the databases are
//!   generated once more.
//! * *The process exits before the database generator is woken:* the next run wakes it, since the databases are older
//!   than the queue.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{after, before, between};
use stint_core::ledger::KeyState;
use stint_core::points::Points;
use stint_core::ports::{Counts, KeyPool, MAX_BATCH, NewMessage, PortResult, Queue};
use stint_core::schedule::Every;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use crate::budget::TYPICAL_UNITS;
use crate::config::Settings;
use crate::due_selection::{DueSelection, QueueOrder};
use crate::message::PlayerMessage;
use crate::model::PlayerId;
use crate::next_worker::{GENERATE, LAST_IN_FLIGHT, NextWorker};
use crate::store::{Damaged, Discovered, Discovers, Freshness, Milestone, RuleStatus, Rules};

/// Players read in one round trip, 24 bytes each.
const PAGE: usize = 10_000;

/// Players read, sent and marked at a time. It bounds memory, however many players are sent.
const CHUNK: usize = 1_000;

/// Batches sent in parallel.
const SENDS_AT_ONCE: usize = 16;

/// Time that a chunk may take. With less time left, no further chunk is started.
const CHUNK_TIME: Duration = Duration::from_secs(20);

/// With less time left, the search ends and the players found so far are sent. A collection that takes longer to read
/// than an invocation may last is so queued in parts, run by run.
const SENDING_TIME: Duration = Duration::from_secs(5 * 60);

/// Messages that the queue may hold whatever the keys have: enough to start with while no key's counter has been read.
const LEAST_QUEUED: u64 = 10_000;

/// Upper bound on the difference between the clocks of two machines. Without it, a player who is fetched at once by a
/// machine whose clock is behind would count as waiting for weeks.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Wait before the queue is checked again while its last messages are in flight: as long as the queue has been empty
/// otherwise, within these two limits.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 60));

/// Moves discovered players to the queue.
pub struct Aggregator {
    rules: Arc<dyn Rules>,
    discovers: Arc<dyn Discovers>,
    queue: Arc<dyn Queue>,
    pool: Arc<dyn KeyPool>,
    next_worker: NextWorker,
    settings: AggregatorSettings,
}

/// Which players are queued, when, and how many.
#[derive(Clone, Copy, Debug)]
pub struct AggregatorSettings {
    /// A rule is due again this long after its last run.
    pub delay: Duration,
    /// A player is due again this long after it was fetched.
    pub refresh_after: Duration,
    /// Which players go first when there is no room for all.
    pub order: QueueOrder,
    /// The queue holds about as many messages as the keys can pay for in this time. `None`: all players are queued at
    /// once.
    pub queue_time: Option<Duration>,
    /// Length of a key's window.
    pub window: Duration,
    /// The most points that a message of average size may cost.
    pub message_cost: Points,
    /// The databases are generated no more often than this.
    pub databases_every: Duration,
}

impl From<&Settings> for AggregatorSettings {
    fn from(settings: &Settings) -> AggregatorSettings {
        AggregatorSettings {
            delay: settings.discovery_delay(),
            refresh_after: settings.refresh_after(),
            order: settings.queue_order,
            queue_time: settings.queue_time(),
            window: Duration::from_secs(settings.wcl_window_seconds),
            message_cost: settings.unit().saturating_mul(TYPICAL_UNITS),
            databases_every: Duration::from_secs(u64::from(settings.lua_min_interval_minutes) * 60),
        }
    }
}

/// Counts of one invocation.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct AggregatorReport {
    /// Players found to be due.
    due: u64,
    /// Due players that were sent; there was no room, or no time, for the others.
    queued: u64,
    /// Documents that cannot be decoded.
    damaged: u64,
    waits_for: Option<String>,
    /// When the databases are generated, if nothing is left in the queue.
    databases_at: Option<Timestamp>,
}

/// How much of its work a run did before its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completeness {
    Complete,
    Partial,
}

impl Aggregator {
    /// An aggregator that fills `queue` as far as the keys of `pool` can pay for.
    pub fn new(
        rules: Arc<dyn Rules>,
        discovers: Arc<dyn Discovers>,
        queue: Arc<dyn Queue>,
        pool: Arc<dyn KeyPool>,
        next_worker: NextWorker,
        settings: AggregatorSettings,
    ) -> Aggregator {
        Aggregator { rules, discovers, queue, pool, next_worker, settings }
    }
}

impl Worker for Aggregator {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "aggregator",
        summary: "sends discovered players who are due to the queue, once every discovery rule is fresh",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(3 * 60 * 60))), Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let rules = self.rules.list().await?;
        for damaged in &rules.damaged {
            tracing::warn!(rule = damaged.id, "discovery rule {} is skipped: {}", damaged.id, damaged.reason);
        }
        let begun = invocation.now();
        let waits_for = unfinished(&rules.documents, before(begun, self.settings.delay), begun);
        let mut report = AggregatorReport { waits_for, ..AggregatorReport::default() };
        if report.waits_for.is_none() {
            let (chosen, looked) = self.choose(invocation, &mut report).await?;
            let sent = self.queue(&chosen, invocation, &mut report).await?;
            // Otherwise the next discovery starts another run.
            if (looked, sent) == (Completeness::Complete, Completeness::Complete) {
                self.next_worker.milestones.pass(Milestone::Aggregated, begun).await?;
            }
        }
        if report.queued == 0 {
            report.databases_at = self.wake_next(invocation.now(), &event).await?;
        }
        Ok(Outcome::report(report))
    }
}

/// Returns the first rule that is not done for the day at `now`, in words: the reason why the aggregator waits.
pub fn unfinished(rules: &[RuleStatus], due_before: Timestamp, now: Timestamp) -> Option<String> {
    rules.iter().find_map(|status| {
        let crate::store::Rule { raid, difficulty, last_run, .. } = &status.rule;
        let fresh = last_run.is_some_and(|last_run| last_run > due_before);
        let runs = status.leased_until.is_some_and(|until| until > now) || status.pass.is_some();
        // A pause that is over is only removed by the next discovery.
        let paused = status.pause.as_ref().filter(|pause| pause.until > now);
        match (paused, fresh, runs) {
            // Only a person can end this pause, and the other rules must not wait for it.
            (Some(pause), ..) if pause.is_until_changed() => None,
            (Some(pause), false, _) => Some(format!(
                "raid {raid} in difficulty {difficulty} is paused until {}: {}",
                pause.until, pause.reason
            )),
            (_, _, true) => Some(format!("raid {raid} in difficulty {difficulty} is being discovered")),
            (_, false, _) => Some(format!("raid {raid} in difficulty {difficulty} is due for discovery")),
            (_, true, false) => None,
        }
    })
}

impl Aggregator {
    /// Reads all players who are due, as far as there is time, and returns as many as there is room for, in queue
    /// order.
    async fn choose(
        &self,
        invocation: &Invocation,
        report: &mut AggregatorReport,
    ) -> PortResult<(Vec<PlayerId>, Completeness)> {
        let freshness = Freshness::at(invocation.now(), self.settings.refresh_after);
        let mut selection = DueSelection::new(self.settings.order, self.room().await?);
        let mut after = None;
        while invocation.has_time_for(SENDING_TIME) {
            let page = self.discovers.due(after, PAGE, &freshness).await?;
            report.due += page.documents.len() as u64;
            report.damaged += page.damaged.len() as u64;
            log_skipped(&page.damaged);
            page.documents.into_iter().for_each(|due| selection.offer(due));
            after = page.next;
            if after.is_none() {
                return Ok((selection.in_order(), Completeness::Complete));
            }
        }
        Ok((selection.in_order(), Completeness::Partial))
    }

    /// Returns how many more messages the queue may hold.
    async fn room(&self) -> PortResult<usize> {
        let Some(queue_time) = self.settings.queue_time else { return Ok(usize::MAX) };
        let keys = self.pool.keys().await?;
        let in_use = keys.iter().filter(|key| key.state != KeyState::Retired);
        let points: Points = in_use.map(|key| key.limit).sum();
        let windows = queue_time.as_secs_f64() / self.settings.window.as_secs_f64();
        let payable = (points.times(self.settings.message_cost) as f64 * windows) as u64;
        let unfinished = self.queue.counts().await?.unfinished() + self.pool.count_parked(self.queue.name()).await?;
        let room = payable.max(LEAST_QUEUED).saturating_sub(unfinished);
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Sends these players and marks them as sent, a chunk at a time, as far as there is time. The fact that players are
    /// queued is recorded before the first message is sent: the rank fetcher that fetches the last of them must see
    /// that the databases are out of date.
    async fn queue(
        &self,
        ids: &[PlayerId],
        invocation: &Invocation,
        report: &mut AggregatorReport,
    ) -> PortResult<Completeness> {
        for ids in ids.chunks(CHUNK) {
            if !invocation.has_time_for(CHUNK_TIME) {
                return Ok(Completeness::Partial);
            }
            let players = self.discovers.get(ids).await?;
            log_skipped(&players.damaged);
            let queued_at = before(invocation.now(), CLOCK_SKEW);
            let wanted = self.discovers.still_wanted(&players.documents).await?;
            let pairs = players.documents.into_iter().zip(wanted);
            let (players, wanted): (Vec<_>, Vec<_>) =
                pairs.filter(|(_, wanted)| !wanted.raids_to_scrap.is_empty()).unzip();
            if report.queued == 0 && !wanted.is_empty() {
                self.next_worker.milestones.pass(Milestone::Queued, invocation.now()).await?;
            }
            send(&*self.queue, &wanted).await?;
            self.discovers.mark_sent(&players, queued_at).await?;
            report.queued += players.len() as u64;
        }
        Ok(Completeness::Complete)
    }
}

impl Aggregator {
    /// Wakes the database generator once nothing is left to fetch, if anything was fetched since it last ran. Returns
    /// when it will run.
    async fn wake_next(&self, now: Timestamp, event: &Event) -> PortResult<Option<Timestamp>> {
        let NextWorker { milestones, .. } = &self.next_worker;
        let parked = self.pool.count_parked(self.queue.name()).await?;
        let Counts { visible, delayed, in_flight, .. } = self.queue.counts().await?;
        if visible + delayed + parked > 0 {
            // A rank fetcher detects when these have been fetched.
            milestones.pass(Milestone::Queued, now).await?;
            return Ok(None);
        }
        let reached = milestones.reached().await?.as_of(now);
        if in_flight > 0 {
            let (soonest, latest) = LOOK_AGAIN;
            let pause = reached.emptied.map_or(latest, |emptied| between(emptied, now));
            let at = after(now, pause.clamp(soonest, latest));
            self.next_worker.start_from(event, LAST_IN_FLIGHT, at).await?;
            return Ok(None);
        }
        if !reached.databases_out_of_date() {
            return Ok(None);
        }
        let allowed = reached.generated.map(|generated| after(generated, self.settings.databases_every));
        let at = allowed.map_or(now, |allowed| allowed.max(now));
        self.next_worker.start(GENERATE, at).await?;
        Ok(Some(at))
    }
}

fn log_skipped(damaged: &[Damaged]) {
    for damaged in damaged {
        tracing::warn!(player = damaged.id, "discovered player {} is skipped: {}", damaged.id, damaged.reason);
    }
}

/// Sends one message per player. The last batch is sent even if it is not full.
async fn send(queue: &dyn Queue, players: &[Discovered]) -> PortResult<()> {
    let batches = players.chunks(MAX_BATCH).map(|batch| {
        let message = |player: &Discovered| NewMessage::new(PlayerMessage::from(player).to_body());
        batch.iter().map(message).collect::<Vec<_>>()
    });
    let sends = stream::iter(batches.collect::<Vec<_>>()).map(|batch| async move { queue.send(&batch).await });
    sends.buffer_unordered(SENDS_AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
}
