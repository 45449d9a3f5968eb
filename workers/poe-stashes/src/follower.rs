//! Follows the chain of change ids, and keeps every page as it was seen.
//!
//! One message in the chain's queue keeps the fleet going. Whoever receives it claims the chain, follows it for as long
//! as its invocation may take, and hands it on with another message. On one machine and on Lambda that is the same
//! function; a long invocation keeps its connections and its pace, and costs less than one for each page.
//!
//! # What may happen between any two lines
//! * *Dies while it has the chain:* the lease runs out, and the watcher sends another message: at that moment, if the fleet
//!   was started again meanwhile (`watcher::wake`). Whoever comes next stores the pages that were still open, and goes on
//!   from the position.
//! * *Dies after the chain is given back, before it is handed on:* the watcher sends another message.
//! * *Dies after it is handed on, before its own message is acknowledged:* the message comes again, finds the chain
//!   claimed, and is done.
//! * *Is only thought dead:* its claim's number is old, so that keeping progress answers `false` and it stops. The pages
//!   that it still writes are the same ones.
//! * *A message comes twice:* one of the two finds the chain claimed, and is done.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stint_core::ports::{Delivery, PortResult, Queue};
use stint_core::worker::{Disposition, Event, Invocation, MessageException, Outcome};
use stint_core::worker::{QueueTrigger, Spec, Trigger, Worker, WorkerError};

use crate::chase::{Chase, End};
use crate::client::{Api, Failure};
use crate::config::{Settings, Start};
use crate::message::{Baton, CHAIN_QUEUE, message};
use crate::model::ChangeId;
use crate::start::{NotFound, Search};
use crate::store::{Chain, Claim, Pages, Progress, Realm, Stopped};

/// How long one invocation may take: as long as Lambda lets it.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Follows the chain.
pub struct Follower {
    ports: FollowerPorts,
    settings: FollowerSettings,
}

/// What a follower works with. Clones are one.
#[derive(Clone)]
pub struct FollowerPorts {
    /// The upstream.
    pub api: Arc<Api>,
    /// Where the chain stands.
    pub chain: Arc<dyn Chain>,
    /// Where pages are kept.
    pub pages: Arc<dyn Pages>,
    /// The chain's own queue, to hand it on.
    pub baton: Arc<dyn Queue>,
    /// Where stored pages are told.
    pub stored: Arc<dyn Queue>,
}

/// How a follower goes about it.
#[derive(Clone, Copy, Debug)]
pub struct FollowerSettings {
    /// Which river.
    pub realm: Realm,
    /// Where a chain begins that has no position.
    pub start: Start,
    /// How many pages may stream side by side.
    pub open_pages: usize,
    /// A follower that keeps no progress for this long is taken for dead.
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

/// What a person may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Go on from another place: `head`, `tail`, `beginning` or an id. What lies between is skipped.
    #[serde(default)]
    start: Option<String>,
    /// Stop after so many pages, and do not hand on.
    #[serde(default)]
    pages: Option<u64>,
    /// As the message has it.
    #[serde(default)]
    id: Option<ChangeId>,
}

/// What an invocation did.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Report {
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
    /// A follower.
    pub fn new(ports: FollowerPorts, settings: FollowerSettings) -> Follower {
        Follower { ports, settings }
    }
}

impl Worker for Follower {
    const SPEC: Spec = Spec {
        fleet: crate::FLEET,
        name: "follower",
        summary: "follows the chain of change ids, and stores every page before it counts as fetched",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: CHAIN_QUEUE,
            batch: 1,
            // Six times the time-out, as Lambda asks: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            visibility_timeout: Duration::from_secs(6 * TIMEOUT.as_secs()),
            max_receives: 5,
        })],
        // The chain has one at a time: the second one is there to find it claimed, so that a message too many is done.
        concurrency: 2,
        timeout: TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let order = match Order::read(event)? {
            Ok(order) => order,
            Err(rejected) => return Ok(Outcome { exceptions: vec![rejected], ..Outcome::report(Report::default()) }),
        };
        let Some(claim) = self.ports.chain.claim(self.settings.lease).await? else {
            let stopped = Some("another follower has the chain".to_owned());
            return Ok(Outcome { idle: true, ..Outcome::report(Report { stopped, ..Report::default() }) });
        };
        follow(order, claim, &self.ports, self.settings, invocation).await
    }
}

/// What an invocation is to do.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    /// By a person: a chain that was stopped goes on.
    by_hand: bool,
    /// Leave the position, and begin there.
    start: Option<Start>,
    /// Begin there if there is no position.
    seed: Option<ChangeId>,
    most_pages: Option<u64>,
}

impl Order {
    fn read(event: Event) -> Result<Result<Order, MessageException>, WorkerError> {
        let wrong = |error: &dyn std::fmt::Display| {
            WorkerError::Event(format!(
                "an event such as {{\"start\": \"tail\"}} or {{\"pages\": 10}} is needed, or none: {error}"
            ))
        };
        match event {
            Event::Batch(deliveries) => Ok(Order::of_message(&deliveries)),
            Event::Tick { .. } | Event::Manual(serde_json::Value::Null) => {
                Ok(Ok(Order { by_hand: true, ..Order::default() }))
            }
            Event::Manual(value) => {
                let Wish { start, pages, id } = serde_json::from_value(value).map_err(|error| wrong(&error))?;
                let start = start.map(|start| start.parse()).transpose().map_err(|error: String| wrong(&error))?;
                Ok(Ok(Order { by_hand: true, start, seed: id, most_pages: pages }))
            }
        }
    }

    /// The batch is one message; should there be more, they say the same.
    fn of_message(deliveries: &[Delivery]) -> Result<Order, MessageException> {
        let mut order = Order::default();
        for delivery in deliveries {
            let baton: Baton = serde_json::from_str(&delivery.body).map_err(|error| MessageException {
                message_id: delivery.message_id.clone(),
                disposition: Disposition::Reject { reason: format!("the message cannot be read: {error}") },
            })?;
            order.seed = baton.id;
        }
        Ok(order)
    }
}

/// Follows the chain that was claimed, and gives it back whatever happens.
async fn follow(
    order: Order,
    claim: Claim,
    ports: &FollowerPorts,
    settings: FollowerSettings,
    invocation: &Invocation,
) -> Result<Outcome, WorkerError> {
    let mut progress = claim.progress.clone();
    if progress.stopped.is_some() && !order.by_hand {
        return give_up(claim, progress, ports).await;
    }
    progress.stopped = None;
    if let Some(memory) = &progress.pace {
        ports.api.restore(memory);
    }
    let before = progress.totals;
    let mut chase = Chase::new(ports, settings, &claim, progress, invocation);
    chase.most_pages = order.most_pages;
    let end = match begin(&mut chase, order, settings, ports, &claim, invocation).await {
        Ok(Some(end)) => Ok(end),
        Ok(None) => chase.run().await,
        Err(error) => Err(error),
    };
    let progress = chase.into_progress();
    if matches!(end, Ok(End::Fenced)) {
        let stopped = Some("another follower has taken the chain over".to_owned());
        return Ok(Outcome::report(Report { stopped, ..Report::default() }));
    }
    let ours = ports.chain.release(&claim, &progress).await?;
    let end = end?;
    let handed_on = ours && matches!(end, End::Time);
    if handed_on {
        ports.baton.send(&[message(&Baton { id: progress.position })]).await?;
    }
    let idle = progress.totals == before;
    Ok(Outcome { idle, ..Outcome::report(report(&progress, &before, handed_on)) })
}

/// Finds the first position, if there is none or another is wanted. Answers how the invocation ends, if it does.
async fn begin(
    chase: &mut Chase<'_>,
    order: Order,
    settings: FollowerSettings,
    ports: &FollowerPorts,
    claim: &Claim,
    invocation: &Invocation,
) -> PortResult<Option<End>> {
    let start = match (order.start, chase.progress.position) {
        (Some(start), _) => start,
        (None, Some(_)) => return Ok(None),
        (None, None) => order.seed.map_or(settings.start, Start::At),
    };
    let (chain, progress, lease) = (&*ports.chain, chase.progress.clone(), settings.lease);
    let mut search = Search { api: &ports.api, chain, claim, progress, lease, invocation };
    match search.place(start).await? {
        Ok(place) => {
            chase.progress.position = Some(place);
            chase.progress.since = Some(invocation.now());
            Ok(None)
        }
        Err(NotFound::Fenced) => Ok(Some(End::Fenced)),
        Err(NotFound::Failed(Failure::Wait { reason, .. })) => {
            tracing::warn!(reason, "the chain's beginning was not found, and is looked for again: {reason}");
            Ok(Some(End::Later))
        }
        Err(NotFound::Failed(Failure::Stop { reason })) => {
            chase.stop(reason);
            Ok(Some(End::Stopped))
        }
    }
}

/// The chain was stopped, and nobody has said that it may go on.
async fn give_up(claim: Claim, progress: Progress, ports: &FollowerPorts) -> Result<Outcome, WorkerError> {
    ports.chain.release(&claim, &progress).await?;
    let stopped = progress.stopped.map(|Stopped { at, reason }| format!("stopped at {at}: {reason}"));
    Ok(Outcome { idle: true, ..Outcome::report(Report { stopped, ..Report::default() }) })
}

fn report(progress: &Progress, before: &crate::store::Totals, handed_on: bool) -> Report {
    let totals = &progress.totals;
    Report {
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

/// Lets a chain go on that was stopped, as somebody who starts the fleet means it to. Answers the reason that it was
/// stopped for, if it was.
pub async fn resume(chain: &dyn Chain) -> PortResult<Option<Stopped>> {
    // The claim is for no time at all: whoever dies holding it keeps nobody waiting.
    let Some(claim) = chain.claim(Duration::ZERO).await? else { return Ok(None) };
    let mut progress = claim.progress.clone();
    let stopped = progress.stopped.take();
    let ours = chain.release(&claim, &progress).await?;
    Ok(stopped.filter(|_| ours))
}
