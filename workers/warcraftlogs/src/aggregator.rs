//! Sends everybody who was discovered to the queue, once all rules of the day are done.
//!
//! Only then is it known in which raids and difficulties a player takes part, and one message can ask for all.
//!
//! # What may happen between any two lines
//! * *Dies before a batch is sent:* its players are still in `discovers`.
//! * *Dies after a batch is sent, before it is deleted:* the next run sends those players again. Fetching a player
//!   twice costs points and loses nobody.
//! * *A player is discovered anew between send and delete:* its document has changed, so it is not deleted.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::before;
use stint_core::ports::{MAX_BATCH, NewMessage, PortResult, Queue};
use stint_core::worker::{Event, Invocation, Outcome, Spec, Trigger, Worker, WorkerError};

use crate::message::PlayerMessage;
use crate::store::{Discovered, Discovers, RuleStatus, Rules};

/// Players read at a time: what is in memory, whatever the collection's size.
const PAGE: usize = 1_000;

/// Batches sent side by side.
const SENDS_AT_ONCE: usize = 16;

/// What a page may take: with less time left no further one is begun.
const PAGE_TIME: Duration = Duration::from_secs(20);

/// Moves discovered players to the queue.
pub struct Aggregator {
    rules: Arc<dyn Rules>,
    discovers: Arc<dyn Discovers>,
    queue: Arc<dyn Queue>,
    delay: Duration,
}

/// What an invocation did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Report {
    queued: u64,
    damaged: u64,
    waits_for: Option<String>,
}

impl Aggregator {
    /// An aggregator for rules that are due again after `delay`.
    pub fn new(
        rules: Arc<dyn Rules>,
        discovers: Arc<dyn Discovers>,
        queue: Arc<dyn Queue>,
        delay: Duration,
    ) -> Aggregator {
        Aggregator { rules, discovers, queue, delay }
    }
}

impl Worker for Aggregator {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "aggregator",
        summary: "sends discovered players to the queue, once every discovery rule is fresh",
        triggers: &[Trigger::Every { period: Duration::from_secs(3 * 60 * 60) }],
        concurrency: 1,
        timeout: Duration::from_secs(15 * 60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let rules = self.rules.list().await?;
        for damaged in &rules.damaged {
            tracing::warn!(rule = damaged.id, "discovery rule {} is passed over: {}", damaged.id, damaged.reason);
        }
        if let Some(reason) = unfinished(&rules.documents, before(invocation.now(), self.delay), invocation.now()) {
            return Ok(Outcome::report(Report { waits_for: Some(reason), ..Report::default() }));
        }
        Ok(Outcome::report(aggregate(&*self.discovers, &*self.queue, invocation).await?))
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
            (Some(rest), false, _) => {
                Some(format!("raid {raid} in difficulty {difficulty} rests until {}: {}", rest.until, rest.reason))
            }
            (_, _, true) => Some(format!("raid {raid} in difficulty {difficulty} is being discovered")),
            (_, false, _) => Some(format!("raid {raid} in difficulty {difficulty} is due for discovery")),
            (_, true, false) => None,
        }
    })
}

async fn aggregate(discovers: &dyn Discovers, queue: &dyn Queue, invocation: &Invocation) -> PortResult<Report> {
    let mut report = Report::default();
    let mut after = None;
    while invocation.has_time_for(PAGE_TIME) {
        let page = discovers.page(after, PAGE).await?;
        for damaged in &page.damaged {
            tracing::warn!(player = damaged.id, "discovered player {} is passed over: {}", damaged.id, damaged.reason);
        }
        send(queue, &page.documents).await?;
        discovers.delete_unchanged(&page.documents).await?;
        report.queued += page.documents.len() as u64;
        report.damaged += page.damaged.len() as u64;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(report)
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
