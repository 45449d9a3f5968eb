//! Sends discovered players who are due to the queue, once all rules of the day are done.
//!
//! Only then is it known in which raids and difficulties a player takes part, and one message can ask for all. With
//! more players than points the queue would grow from day to day with the same players, and its order would decide who
//! is refreshed. So players stay in `discovers` until they are due, the queue holds no more than the keys can pay for
//! in a while, and who comes first is decided here, as late as that.
//!
//! A run that queues no player looks at the queue as well. Once nothing is left in it, the databases are generated: one time for
//! all players who were queued since the last time, and not more often than `LUA_MIN_INTERVAL_MINUTES` says.
//!
//! # What may happen between any two lines
//! * *Dies before a batch is sent:* its players are still in `discovers`, and due.
//! * *Dies after a batch is sent, before it is handed over:* the next run sends those players again. Fetching a player
//!   twice costs points and loses nobody.
//! * *A player is fetched between send and hand-over:* it was queued at an instant before the send, so it does not
//!   count as waiting for a message that is done.
//! * *A player is discovered anew between look and hand-over:* its document has changed, so it is not deleted. It waits
//!   until the message is fetched, and is due again if that did not cover it.
//! * *The message is lost, or dies in the dead letters:* the player counts as waiting until no queue can have the
//!   message any more, and is due then.
//! * *A raid is known to be frozen between look and send:* what was fetched since is left out of the message. A player of whom
//!   nothing is left then stays, and is fresh.
//! * *Two run at once:* both send the same players, who are fetched twice. The local host never runs two; neither does
//!   Lambda, with the reserved concurrency that `infra/` gives it.
//! * *Exits after the hand-over, before it is kept that everybody was looked at:* the next discovery wakes it again, and it
//!   finds no player who is due.
//! * *Is out of time before it has looked at everybody, or sent all it chose:* that it looked is not kept, so the next discovery
//!   wakes it again.
//! * *Exits after it is kept that players are queued, before the first batch is sent:* the databases are generated once more.
//! * *Exits before the database generator is woken:* the next run wakes it, since the databases are older than the queue.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{after, before, between};
use stint_core::ledger::KeyState;
use stint_core::points::Points;
use stint_core::ports::{Counts, KeyPool, MAX_BATCH, NewMessage, PortResult, Queue};
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::config::QueueOrder;
use crate::handover::{GENERATE, Handover, LAST_IN_FLIGHT};
use crate::message::PlayerMessage;
use crate::model::PlayerId;
use crate::store::{Damaged, Discovered, Discovers, Due, Freshness, Milestone, RuleStatus, Rules};

/// Players looked at in one round trip, 24 bytes each.
const PAGE: usize = 10_000;

/// Players read, sent and handed over at a time: what is in memory, however many are sent.
const CHUNK: usize = 1_000;

/// Batches sent side by side.
const SENDS_AT_ONCE: usize = 16;

/// What a chunk may take: with less time left no further one is begun.
const CHUNK_TIME: Duration = Duration::from_secs(20);

/// With less time left the search ends, so that those who were found are sent: a collection that takes longer to read
/// than an invocation may last is queued in part, run by run.
const SENDING_TIME: Duration = Duration::from_secs(5 * 60);

/// Messages that the queue may hold whatever the keys have: enough to begin with, while they were never read.
const LEAST_QUEUED: u64 = 10_000;

/// The clocks of two machines differ by less. A player who is fetched at once by a machine whose clock is behind would
/// count as waiting for weeks otherwise.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Between two looks at a queue whose last messages are in flight: as long as it has been empty otherwise, within these.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 60));

/// Moves discovered players to the queue.
pub struct Aggregator {
    rules: Arc<dyn Rules>,
    discovers: Arc<dyn Discovers>,
    queue: Arc<dyn Queue>,
    pool: Arc<dyn KeyPool>,
    handover: Handover,
    settings: AggregatorSettings,
}

/// Who is queued, when, and how many.
#[derive(Clone, Copy, Debug)]
pub struct AggregatorSettings {
    /// A rule is due again this long after its last run.
    pub delay: Duration,
    /// A player is due again this long after it was fetched.
    pub refresh_after: Duration,
    /// Who goes first when there is no room for all.
    pub order: QueueOrder,
    /// The queue holds about as many messages as the keys can pay for in this time. `None`: everybody goes at once.
    pub queue_time: Option<Duration>,
    /// How long a key's window is.
    pub window: Duration,
    /// The most points that a message of average size may cost.
    pub message_cost: Points,
    /// The databases are generated no more often than this.
    pub databases_every: Duration,
}

/// What an invocation did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Report {
    /// Players who were found to be due.
    due: u64,
    /// Those of them who were sent; there was no room, or no time, for the others.
    queued: u64,
    /// Documents that cannot be read.
    damaged: u64,
    waits_for: Option<String>,
    /// When the databases are generated, now that nothing is left in the queue.
    databases_at: Option<Timestamp>,
}

/// How much of its work a run has come to before its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Part,
}

impl Aggregator {
    /// An aggregator that fills `queue` as far as the keys of `pool` can pay for.
    pub fn new(
        rules: Arc<dyn Rules>,
        discovers: Arc<dyn Discovers>,
        queue: Arc<dyn Queue>,
        pool: Arc<dyn KeyPool>,
        handover: Handover,
        settings: AggregatorSettings,
    ) -> Aggregator {
        Aggregator { rules, discovers, queue, pool, handover, settings }
    }
}

impl Worker for Aggregator {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "aggregator",
        summary: "sends discovered players who are due to the queue, once every discovery rule is fresh",
        triggers: &[Trigger::Every { period: Duration::from_secs(3 * 60 * 60) }, Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let rules = self.rules.list().await?;
        for damaged in &rules.damaged {
            tracing::warn!(rule = damaged.id, "discovery rule {} is passed over: {}", damaged.id, damaged.reason);
        }
        let begun = invocation.now();
        let waits_for = unfinished(&rules.documents, before(begun, self.settings.delay), begun);
        let mut report = Report { waits_for, ..Report::default() };
        if report.waits_for.is_none() {
            let (chosen, looked) = self.choose(invocation, &mut report).await?;
            let sent = self.queue(&chosen, invocation, &mut report).await?;
            // Otherwise the next discovery starts another run.
            if (looked, sent) == (Extent::Whole, Extent::Whole) {
                self.handover.milestones.pass(Milestone::Aggregated, begun).await?;
            }
        }
        if report.queued == 0 {
            report.databases_at = self.hand_over(invocation.now(), &event).await?;
        }
        Ok(Outcome::report(report))
    }
}

/// The first rule that is not done for the day, in words: what an aggregator waits for, at `now`.
pub fn unfinished(rules: &[RuleStatus], due_before: Timestamp, now: Timestamp) -> Option<String> {
    rules.iter().find_map(|status| {
        let crate::store::Rule { raid, difficulty, last_run, .. } = &status.rule;
        let fresh = last_run.is_some_and(|last_run| last_run > due_before);
        let runs = status.leased_until.is_some_and(|until| until > now) || status.pass.is_some();
        // A rest that is over is forgotten by the next discovery only.
        let resting = status.resting.as_ref().filter(|rest| rest.until > now);
        match (resting, fresh, runs) {
            // Only a person can change that, and everybody else is not to wait for it.
            (Some(rest), ..) if rest.is_until_changed() => None,
            (Some(rest), false, _) => {
                Some(format!("raid {raid} in difficulty {difficulty} rests until {}: {}", rest.until, rest.reason))
            }
            (_, _, true) => Some(format!("raid {raid} in difficulty {difficulty} is being discovered")),
            (_, false, _) => Some(format!("raid {raid} in difficulty {difficulty} is due for discovery")),
            (_, true, false) => None,
        }
    })
}

impl Aggregator {
    /// Looks at everybody who is due, as far as there is time, and returns as many as there is room for, first come first.
    async fn choose(&self, invocation: &Invocation, report: &mut Report) -> PortResult<(Vec<PlayerId>, Extent)> {
        let freshness = Freshness::at(invocation.now(), self.settings.refresh_after);
        let mut choice = Choice { order: self.settings.order, room: self.room().await?, chosen: BinaryHeap::new() };
        let mut after = None;
        while invocation.has_time_for(SENDING_TIME) {
            let page = self.discovers.due(after, PAGE, &freshness).await?;
            report.due += page.documents.len() as u64;
            report.damaged += page.damaged.len() as u64;
            pass_over(&page.damaged);
            page.documents.into_iter().for_each(|due| choice.offer(due));
            after = page.next;
            if after.is_none() {
                return Ok((choice.in_order(), Extent::Whole));
            }
        }
        Ok((choice.in_order(), Extent::Part))
    }

    /// How many more messages the queue may hold.
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

    /// Sends these players and hands them over, a chunk at a time, as far as there is time. That some are queued is kept before
    /// the first is sent: the rank fetcher that fetches the last of them must see that the databases are out of date.
    async fn queue(&self, ids: &[PlayerId], invocation: &Invocation, report: &mut Report) -> PortResult<Extent> {
        for ids in ids.chunks(CHUNK) {
            if !invocation.has_time_for(CHUNK_TIME) {
                return Ok(Extent::Part);
            }
            let players = self.discovers.get(ids).await?;
            pass_over(&players.damaged);
            let queued_at = before(invocation.now(), CLOCK_SKEW);
            let wanted = self.discovers.still_wanted(&players.documents).await?;
            let pairs = players.documents.into_iter().zip(wanted);
            let (players, wanted): (Vec<_>, Vec<_>) =
                pairs.filter(|(_, wanted)| !wanted.raids_to_scrap.is_empty()).unzip();
            if report.queued == 0 && !wanted.is_empty() {
                self.handover.milestones.pass(Milestone::Queued, invocation.now()).await?;
            }
            send(&*self.queue, &wanted).await?;
            self.discovers.hand_over(&players, queued_at).await?;
            report.queued += players.len() as u64;
        }
        Ok(Extent::Whole)
    }
}

impl Aggregator {
    /// Starts the database generator once nothing is left to fetch, if anything was since it last ran. Returns when it runs.
    async fn hand_over(&self, now: Timestamp, event: &Event) -> PortResult<Option<Timestamp>> {
        let Handover { milestones, .. } = &self.handover;
        let parked = self.pool.count_parked(self.queue.name()).await?;
        let Counts { visible, delayed, in_flight, .. } = self.queue.counts().await?;
        if visible + delayed + parked > 0 {
            // A rank fetcher finds the end of these.
            milestones.pass(Milestone::Queued, now).await?;
            return Ok(None);
        }
        let reached = milestones.reached().await?.as_of(now);
        if in_flight > 0 {
            let (soonest, latest) = LOOK_AGAIN;
            let pause = reached.emptied.map_or(latest, |emptied| between(emptied, now));
            let at = after(now, pause.clamp(soonest, latest));
            self.handover.start_from(event, LAST_IN_FLIGHT, at).await?;
            return Ok(None);
        }
        if !reached.is_unwritten() {
            return Ok(None);
        }
        let allowed = reached.generated.map(|generated| after(generated, self.settings.databases_every));
        let at = allowed.map_or(now, |allowed| allowed.max(now));
        self.handover.start(GENERATE, at).await?;
        Ok(Some(at))
    }
}

/// The first `room` of those who are offered, whatever their number: 16 bytes for each who is chosen.
struct Choice {
    order: QueueOrder,
    room: usize,
    /// By place in the queue, the last on top.
    chosen: BinaryHeap<(i64, PlayerId)>,
}

impl Choice {
    fn offer(&mut self, due: Due) {
        let place = match self.order {
            // Who was never fetched comes before everybody else.
            QueueOrder::Stalest => due.fetched_at.map_or(i64::MIN, Timestamp::as_millisecond),
            QueueOrder::Discovered => 0,
        };
        let offered = (place, due.id);
        if self.chosen.len() < self.room {
            self.chosen.push(offered);
        } else if let Some(mut last) = self.chosen.peek_mut().filter(|last| **last > offered) {
            *last = offered;
        }
    }

    fn in_order(self) -> Vec<PlayerId> {
        self.chosen.into_sorted_vec().into_iter().map(|(_, id)| id).collect()
    }
}

fn pass_over(damaged: &[Damaged]) {
    for damaged in damaged {
        tracing::warn!(player = damaged.id, "discovered player {} is passed over: {}", damaged.id, damaged.reason);
    }
}

/// Sends one message per player; the last batch goes out whether it is full or not.
async fn send(queue: &dyn Queue, players: &[Discovered]) -> PortResult<()> {
    let batches = players.chunks(MAX_BATCH).map(|batch| {
        let message = |player: &Discovered| NewMessage::new(PlayerMessage::from(player).to_body());
        batch.iter().map(message).collect::<Vec<_>>()
    });
    let sends = stream::iter(batches.collect::<Vec<_>>()).map(|batch| async move { queue.send(&batch).await });
    sends.buffer_unordered(SENDS_AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
}
