//! One invocation of the follower: it follows the chain from page to page, while earlier bodies still stream.
//!
//! All work in progress is futures in one set: at most one write of the record, one request, one rest, and as many
//! bodies as may be open. Each completed future is an event, and after each event the next work is planned.
//!
//! # What may happen between any two lines
//! * *A crash after the record is written, before the request:* the next follower requests the page. The record has the
//!   state of the pacer, with one request counted in advance.
//! * *A crash after the answer, before the record is written:* the position is still that page, which is requested
//!   again. If its body was stored meanwhile, the blob stays as it is, and the chain continues from the blob's next id.
//! * *A crash after the record has moved past a page:* the same record lists the page as open, with the next id
//!   with which the chain continued.
//! * *A crash after a page is stored, before it is removed from the open pages:* the next follower finds the blob,
//!   announces it again, and moves the position back if the blob's next id is before it.

mod missing;
mod opening;
mod outcomes;
mod plan;

use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use stint_core::ports::{PortError, PortResult};
use stint_core::worker::Invocation;

use crate::client::RiverError;
use crate::follower::{FollowerPorts, FollowerSettings};
use crate::look_ahead::NextIds;
use crate::model::ChangeId;
use crate::store::{Claim, OpenPage, PageKey, Progress, Stopped};
use crate::writer::{Found, StoreOutcome, WriteError, announce, find};
use missing::Missing;
use opening::{Opening, peek};

/// The record is written at least this often within a lease, so that the lease never expires.
pub(crate) const RENEWALS: u32 = 3;

/// A rest is split into pieces of this length, so that a host that stops need not wait for its end.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// The first and the longest wait at the end of the river, and after repeated failures. Each wait doubles the one
/// before. Other readers of the river wait 2 to 30 seconds at its end.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Complete answers to requests for a page that are not a page, before it is given up.
const MOST_TRIES: u32 = 10;

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Its time is over, or the host stops. Another invocation continues.
    TimeIsUp,
    /// The manual request is completed.
    Completed,
    /// A temporary failure occurred before the chain was started.
    NotStarted,
    /// An operator must act.
    Stopped,
    /// A store or a queue has failed. Bodies in progress are still stored as far as possible.
    Failed,
    /// Another follower has the chain.
    LeaseLost,
}

/// A page to request.
#[derive(Clone, Copy, Debug)]
struct PageRequest {
    id: ChangeId,
    /// The page is requested for its missing body, and not to continue the chain.
    is_retry: bool,
}

/// Some work in progress has ended.
enum Event {
    RecordWritten {
        ours: PortResult<bool>,
        then: Option<PageRequest>,
    },
    Opened {
        request: PageRequest,
        opening: Result<Box<Opening>, RiverError>,
    },
    Stored {
        id: ChangeId,
        leads_on: bool,
        written: Result<StoreOutcome, WriteError>,
    },
    /// The page at the apparent end of the river was read completely.
    Drained {
        id: ChangeId,
        next_ids: NextIds,
    },
    Rested,
    Tick,
}

type Work<'a> = FuturesUnordered<BoxFuture<'a, Event>>;

/// Whether work of one kind is under way. No two pieces of one kind are at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Idle,
    UnderWay,
}

/// Whether the last refusal of a page may be about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// It may be: no request was answered since.
    Unproven,
    /// It was about the page: a request was answered since.
    Proven,
}

/// Which request comes first if both are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// One for the chain, because the last request was for a missing page.
    Link,
    /// One for a missing page.
    Missing,
}

/// Whether it is known where the chain continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It continues at its position.
    Known,
    /// It continues where a body leads that must be read completely first.
    InBody,
}

/// The chain, and the work in progress.
pub(crate) struct ChainRun<'a> {
    ports: &'a FollowerPorts,
    settings: FollowerSettings,
    claim: &'a Claim,
    invocation: &'a Invocation,
    pub(crate) progress: Progress,
    pub(crate) most_pages: Option<u64>,
    missing: Missing,
    record: Task,
    request: Task,
    timer: Task,
    access: Access,
    turn: Turn,
    way: Way,
    /// The number of bodies in progress.
    streaming: usize,
    failures: u32,
    tail_wait: Duration,
    rest_until: Timestamp,
    fetched_before: u64,
    refused_before: (u64, u64),
    end: Option<RunEnd>,
    /// The first failure of a store or a queue.
    failure: Option<PortError>,
}

impl<'a> ChainRun<'a> {
    pub(crate) fn new(
        ports: &'a FollowerPorts,
        settings: FollowerSettings,
        claim: &'a Claim,
        progress: Progress,
        invocation: &'a Invocation,
    ) -> ChainRun<'a> {
        let fetched_before = progress.totals.fetched;
        let refused_before = (progress.totals.client_errors, ports.api.counts().client_errors);
        ChainRun {
            ports,
            settings,
            claim,
            invocation,
            progress,
            most_pages: None,
            missing: Missing::default(),
            record: Task::Idle,
            request: Task::Idle,
            timer: Task::Idle,
            access: Access::Unproven,
            turn: Turn::Missing,
            way: Way::Known,
            streaming: 0,
            failures: 0,
            tail_wait: FIRST_WAIT,
            rest_until: Timestamp::MIN,
            fetched_before,
            refused_before,
            end: None,
            failure: None,
        }
    }

    /// Returns the progress of the chain.
    pub(crate) fn into_progress(mut self) -> Progress {
        self.note_pace();
        self.progress
    }

    /// Follows the chain until its time is over. After an error the progress is still correct.
    pub(crate) async fn run(&mut self) -> PortResult<RunEnd> {
        if !self.recover().await? {
            return Ok(RunEnd::LeaseLost);
        }
        let mut work = Work::new();
        work.push(self.tick());
        loop {
            self.plan(&mut work);
            match self.end {
                Some(RunEnd::LeaseLost) => return Ok(RunEnd::LeaseLost),
                Some(end) if self.is_idle() => return self.failure.take().map_or(Ok(end), Err),
                _ => {}
            }
            // The tick is always there.
            let Some(event) = work.next().await else { return Ok(RunEnd::TimeIsUp) };
            self.handle(event, &mut work);
        }
    }

    /// Stops the chain until an operator resumes it. It keeps its position.
    pub(crate) fn stop(&mut self, reason: String) {
        tracing::error!(reason, "the chain is stopped at its position: {reason}");
        self.progress.stopped = Some(Stopped { at: self.invocation.now(), reason });
        self.end = Some(RunEnd::Stopped);
    }

    /// Handles the failure of a store or a queue: no new work starts. Bodies in progress continue, because their
    /// content cannot be requested again.
    fn fail(&mut self, error: PortError) {
        tracing::error!(%error, "the chain pauses after a failure: {error}");
        self.failure.get_or_insert(error);
        self.end = Some(RunEnd::Failed);
    }

    /// Handles the pages that an earlier follower left open: announces the stored ones, and requests the others again.
    /// Returns `false` if another follower has the chain.
    async fn recover(&mut self) -> PortResult<bool> {
        for OpenPage { id, .. } in self.progress.open.clone() {
            // There may be many, and each takes a while: the lease is renewed.
            if !self.ports.chain.write(self.claim, &self.progress, self.settings.lease).await? {
                return Ok(false);
            }
            let key = self.key(id);
            match find(key, &*self.ports.pages).await? {
                Some(Found { next }) => {
                    announce(key, &*self.ports.stored).await?;
                    self.progress.totals.stored += 1;
                    self.close(id, next);
                }
                None => self.missing.add_inherited(id),
            }
        }
        Ok(true)
    }

    fn key(&self, id: ChangeId) -> PageKey {
        PageKey { realm: self.settings.realm, id }
    }

    fn handle(&mut self, event: Event, work: &mut Work<'a>) {
        match event {
            Event::Tick => {
                if self.record == Task::Idle {
                    work.push(self.write_record(None));
                }
                work.push(self.tick());
            }
            Event::Rested => self.timer = Task::Idle,
            Event::RecordWritten { ours, then } => {
                self.record = Task::Idle;
                match (ours, then) {
                    (Err(error), _) => self.fail(error),
                    (Ok(false), _) => self.end = Some(RunEnd::LeaseLost),
                    (Ok(true), Some(request)) => work.push(self.open(request)),
                    (Ok(true), None) => {}
                }
            }
            Event::Opened { request, opening } => {
                self.request = Task::Idle;
                let sent = !matches!(opening, Err(RiverError::Down { .. }));
                self.progress.totals.requests += u64::from(sent);
                match opening {
                    Ok(opening) => self.opened(request, *opening, work),
                    Err(error) => self.failed(request, &error),
                }
            }
            Event::Drained { id, next_ids } => {
                self.streaming -= 1;
                self.way = Way::Known;
                self.drained(id, next_ids);
            }
            Event::Stored { id, leads_on, written } => {
                self.streaming -= 1;
                if !leads_on {
                    self.way = Way::Known;
                }
                match written {
                    Ok(written) => self.page_stored(id, leads_on, &written),
                    Err(error) => self.write_failed(id, leads_on, error),
                }
            }
        }
    }

    fn tick(&self) -> BoxFuture<'a, Event> {
        self.invocation.clock().sleep(self.settings.lease / RENEWALS).map(|()| Event::Tick).boxed()
    }

    /// Writes the current record, and then continues with `then`. Writes run one at a time, so that none overtakes
    /// another.
    fn write_record(&mut self, then: Option<PageRequest>) -> BoxFuture<'a, Event> {
        self.record = Task::UnderWay;
        self.note_pace();
        let (ports, claim, progress, lease) = (self.ports, self.claim, self.progress.clone(), self.settings.lease);
        async move { Event::RecordWritten { ours: ports.chain.write(claim, &progress, lease).await, then } }.boxed()
    }

    fn note_pace(&mut self) {
        self.progress.pace = self.ports.api.memory();
        let (kept, sent) = self.refused_before;
        self.progress.totals.client_errors = kept + self.ports.api.counts().client_errors - sent;
    }

    fn open(&mut self, request: PageRequest) -> BoxFuture<'a, Event> {
        self.request = Task::UnderWay;
        let (ports, looks) = (self.ports, !request.is_retry);
        let trusts_header = self.trusts_header();
        async move {
            let opening = match ports.api.page(request.id).await {
                Ok(page) if looks && (page.header.is_none() || !trusts_header) => Ok(Box::new(peek(page).await)),
                Ok(page) => Ok(Box::new(Opening { page, peek: None, first: Vec::new() })),
                Err(error) => Err(error),
            };
            Event::Opened { request, opening }
        }
        .boxed()
    }
}
