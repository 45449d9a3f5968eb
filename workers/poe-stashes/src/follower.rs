//! Follows the chain of change ids, and stores every page as it was received.
//!
//! One message in the chain's queue keeps the fleet running. The follower that receives it claims the chain, follows it
//! for as long as its invocation may take, and passes it on with another message. The same function runs on one machine
//! and on Lambda. A long invocation keeps its connections and its pace, and costs less than an invocation per page.
//!
//! # What may happen between any two lines
//! * *A crash while it has the chain:* the lease expires, and the watcher sends another message, at exactly that time
//!   if the fleet was restarted meanwhile (`watcher::wake`). The next follower stores the pages that were still open,
//!   and continues from the position.
//! * *A crash after the chain is released, before it is passed on:* the watcher sends another message.
//! * *A crash after it is passed on, before its own message is acknowledged:* the message is received again, finds the
//!   chain claimed, and is done.
//! * *Its lease expires while it still runs:* its claim's number is old, so its writes return `false` and it stops. The
//!   pages that it still stores are the same ones.
//! * *A message is received twice:* one of the two receivers finds the chain claimed, and is done.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stint_core::ports::{Delivery, PortResult, Queue};
use stint_core::worker::{Disposition, Event, Invocation, MessageException, Outcome};
use stint_core::worker::{QueueTrigger, Trigger, Worker, WorkerError, WorkerSpec};

use crate::chain_run::{ChainRun, RunEnd};
use crate::client::{Api, Reaction};
use crate::config::{Settings, Start};
use crate::message::{CHAIN_QUEUE, ContinueChain, message};
use crate::model::ChangeId;
use crate::start::{NotFound, Search};
use crate::store::{Chain, Claim, Pages, Progress, Realm, Stopped};

/// The time limit of one invocation: Lambda's longest.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Follows the chain.
pub struct Follower {
    ports: FollowerPorts,
    settings: FollowerSettings,
}

/// The ports of a follower. Clones share them.
#[derive(Clone)]
pub struct FollowerPorts {
    /// The upstream.
    pub api: Arc<Api>,
    /// The record of the chain.
    pub chain: Arc<dyn Chain>,
    /// The store of pages.
    pub pages: Arc<dyn Pages>,
    /// The chain's own queue, for the continuation message.
    pub chain_queue: Arc<dyn Queue>,
    /// The queue of stored pages.
    pub stored: Arc<dyn Queue>,
}

/// The settings of a follower.
#[derive(Clone, Copy, Debug)]
pub struct FollowerSettings {
    /// The realm of its river.
    pub realm: Realm,
    /// Where a chain without a position starts.
    pub start: Start,
    /// The most bodies that may stream at the same time.
    pub open_pages: usize,
    /// After this time without progress, another follower may take over the chain.
    pub lease: Duration,
}

impl From<&Settings> for FollowerSettings {
    fn from(settings: &Settings) -> FollowerSettings {
        FollowerSettings {
            realm: settings.poe_realm,
            start: settings.poe_start,
            open_pages: settings.poe_open_pages as usize,
            lease: settings.lease(),
        }
    }
}

/// The options of a manual run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManualOptions {
    /// Continue from another position: `head`, `tail`, `beginning` or an id. The pages between are skipped.
    #[serde(default)]
    start: Option<String>,
    /// Stop after this many pages, and do not pass the chain on.
    #[serde(default)]
    pages: Option<u64>,
    /// As in the message.
    #[serde(default)]
    id: Option<ChangeId>,
}

/// The result of an invocation.
#[derive(Debug, Default, PartialEq, Serialize)]
struct FollowerReport {
    fetched: u64,
    stored: u64,
    lost: u64,
    requests: u64,
    client_errors: u64,
    position: Option<ChangeId>,
    at_tail: bool,
    handed_on: bool,
    stopped: Option<String>,
}

impl Follower {
    /// Returns a follower.
    pub fn new(ports: FollowerPorts, settings: FollowerSettings) -> Follower {
        Follower { ports, settings }
    }
}

impl Worker for Follower {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: crate::FLEET,
        name: "follower",
        summary: "follows the chain of change ids, and stores every page before it counts as fetched",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: CHAIN_QUEUE,
            batch: 1,
            // Six times the time-out, as AWS recommends for Lambda:
            // docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            visibility_timeout: Duration::from_secs(6 * TIMEOUT.as_secs()),
            max_receives: 5,
        })],
        // The chain has one follower at a time. The second place lets a surplus message find the chain claimed and be
        // done.
        concurrency: 2,
        timeout: TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let instructions = match Instructions::read(event)? {
            Ok(instructions) => instructions,
            Err(rejected) => {
                return Ok(Outcome { exceptions: vec![rejected], ..Outcome::report(FollowerReport::default()) });
            }
        };
        let Some(claim) = self.ports.chain.claim(self.settings.lease).await? else {
            let stopped = Some("another follower has the chain".to_owned());
            return Ok(Outcome {
                idle: true,
                ..Outcome::report(FollowerReport { stopped, ..FollowerReport::default() })
            });
        };
        follow(instructions, claim, &self.ports, self.settings, invocation).await
    }
}

/// What an invocation has to do.
#[derive(Clone, Copy, Debug, Default)]
struct Instructions {
    /// Started manually: a stopped chain is resumed.
    manual: bool,
    /// Leaves the position, and starts here.
    start: Option<Start>,
    /// Starts here if there is no position.
    seed: Option<ChangeId>,
    most_pages: Option<u64>,
}

impl Instructions {
    fn read(event: Event) -> Result<Result<Instructions, MessageException>, WorkerError> {
        let wrong = |error: &dyn std::fmt::Display| {
            WorkerError::Event(format!(
                "expected an event such as {{\"start\": \"tail\"}} or {{\"pages\": 10}}, or none: {error}"
            ))
        };
        match event {
            Event::Batch(deliveries) => Ok(Instructions::of_message(&deliveries)),
            Event::Tick { .. } | Event::Manual(serde_json::Value::Null) => {
                Ok(Ok(Instructions { manual: true, ..Instructions::default() }))
            }
            Event::Manual(value) => {
                let ManualOptions { start, pages, id } =
                    serde_json::from_value(value).map_err(|error| wrong(&error))?;
                let start = start.map(|start| start.parse()).transpose().map_err(|error: String| wrong(&error))?;
                Ok(Ok(Instructions { manual: true, start, seed: id, most_pages: pages }))
            }
            Event::Request(_) => Err(wrong(&"it has no routes")),
        }
    }

    /// The batch is one message. If there are more, their content is the same.
    fn of_message(deliveries: &[Delivery]) -> Result<Instructions, MessageException> {
        let mut instructions = Instructions::default();
        for delivery in deliveries {
            let message: ContinueChain = serde_json::from_str(&delivery.body).map_err(|error| MessageException {
                message_id: delivery.message_id.clone(),
                disposition: Disposition::Reject { reason: format!("invalid message: {error}") },
            })?;
            instructions.seed = message.id;
        }
        Ok(instructions)
    }
}

/// Follows the claimed chain, and releases it at every end.
async fn follow(
    instructions: Instructions,
    claim: Claim,
    ports: &FollowerPorts,
    settings: FollowerSettings,
    invocation: &Invocation,
) -> Result<Outcome, WorkerError> {
    let mut progress = claim.progress.clone();
    if progress.stopped.is_some() && !instructions.manual {
        return release_stopped(claim, progress, ports).await;
    }
    progress.stopped = None;
    if let Some(memory) = &progress.pace {
        ports.api.restore(memory);
    }
    let before = progress.totals;
    let mut chain_run = ChainRun::new(ports, settings, &claim, progress, invocation);
    chain_run.most_pages = instructions.most_pages;
    let end = match find_start(&mut chain_run, instructions, settings, ports, &claim, invocation).await {
        Ok(Some(end)) => Ok(end),
        Ok(None) => chain_run.run().await,
        Err(error) => Err(error),
    };
    let progress = chain_run.into_progress();
    if matches!(end, Ok(RunEnd::LeaseLost)) {
        let stopped = Some("another follower has taken the chain over".to_owned());
        return Ok(Outcome::report(FollowerReport { stopped, ..FollowerReport::default() }));
    }
    let ours = ports.chain.release(&claim, &progress).await?;
    let end = end?;
    let handed_on = ours && matches!(end, RunEnd::TimeIsUp);
    if handed_on {
        ports.chain_queue.send(&[message(&ContinueChain { id: progress.position })]).await?;
    }
    let idle = progress.totals == before;
    Ok(Outcome { idle, ..Outcome::report(report(&progress, &before, handed_on)) })
}

/// Finds the first position, if there is none or another one is requested. Returns how the invocation ends, if it ends
/// here.
async fn find_start(
    chain_run: &mut ChainRun<'_>,
    instructions: Instructions,
    settings: FollowerSettings,
    ports: &FollowerPorts,
    claim: &Claim,
    invocation: &Invocation,
) -> PortResult<Option<RunEnd>> {
    let start = match (instructions.start, chain_run.progress.position) {
        (Some(start), _) => start,
        (None, Some(_)) => return Ok(None),
        (None, None) => instructions.seed.map_or(settings.start, Start::At),
    };
    let (chain, progress, lease) = (&*ports.chain, chain_run.progress.clone(), settings.lease);
    let mut search = Search { api: &ports.api, chain, claim, progress, lease, invocation };
    match search.place(start).await? {
        Ok(place) => {
            chain_run.progress.position = Some(place);
            chain_run.progress.since = Some(invocation.now());
            Ok(None)
        }
        Err(NotFound::LeaseLost) => Ok(Some(RunEnd::LeaseLost)),
        Err(NotFound::Failed(Reaction::Retry { reason, .. })) => {
            tracing::warn!(reason, "could not find the chain's start position; the search is repeated: {reason}");
            Ok(Some(RunEnd::NotStarted))
        }
        Err(NotFound::Failed(Reaction::Stop { reason })) => {
            chain_run.stop(reason);
            Ok(Some(RunEnd::Stopped))
        }
    }
}

/// Releases a stopped chain that no operator has resumed.
async fn release_stopped(claim: Claim, progress: Progress, ports: &FollowerPorts) -> Result<Outcome, WorkerError> {
    ports.chain.release(&claim, &progress).await?;
    let stopped = progress.stopped.map(|Stopped { at, reason }| format!("stopped at {at}: {reason}"));
    Ok(Outcome { idle: true, ..Outcome::report(FollowerReport { stopped, ..FollowerReport::default() }) })
}

fn report(progress: &Progress, before: &crate::store::Totals, handed_on: bool) -> FollowerReport {
    let totals = &progress.totals;
    FollowerReport {
        fetched: totals.fetched - before.fetched,
        stored: totals.stored - before.stored,
        lost: totals.lost - before.lost,
        requests: totals.requests - before.requests,
        client_errors: totals.client_errors - before.client_errors,
        position: progress.position,
        at_tail: progress.at_tail,
        handed_on,
        stopped: progress.stopped.as_ref().map(|stopped| stopped.reason.clone()),
    }
}

/// Resumes a stopped chain. Called when an operator starts the fleet. Returns the reason for the stop, if it was
/// stopped.
pub async fn resume(chain: &dyn Chain) -> PortResult<Option<Stopped>> {
    // The lease has no duration: a caller that crashes while it has it delays no other.
    let Some(claim) = chain.claim(Duration::ZERO).await? else { return Ok(None) };
    let mut progress = claim.progress.clone();
    let stopped = progress.stopped.take();
    let ours = chain.release(&claim, &progress).await?;
    Ok(stopped.filter(|_| ours))
}
