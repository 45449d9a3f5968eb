//! One invocation of the follower: the chain from link to link, and beside it the bodies that still stream.
//!
//! Whatever is under way is a future in one set: at most one write of the record, one request, one rest, and as many
//! bodies as may be open. Each that ends is an event; after each event it is planned what comes next.
//!
//! # What may happen between any two lines
//! * *Dies after the record is kept, before the request:* the page is asked for by whoever goes on. The record has what
//!   the pace must not forget, with one request taken for granted.
//! * *Dies after the answer, before the record is kept:* the position is still that of the page, which is asked for again.
//!   If its body was stored meanwhile, the blob stays as it is.
//! * *Dies after the record is kept that moves beyond a page:* the page is open in that very record.
//! * *Dies after a page is stored, before it is struck off:* whoever goes on finds the blob, and tells it once more.

mod opening;
mod outcomes;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use stint_core::clock::between;
use stint_core::ports::PortResult;
use stint_core::worker::Invocation;

use crate::client::{PAGE_TIMEOUT, RiverError};
use crate::follower::{FollowerPorts, FollowerSettings};
use crate::model::ChangeId;
use crate::store::{Claim, PageKey, Progress, Stopped};
use crate::writer::{WriteError, Written, announce};
use opening::{Opening, peek};

/// With less time left no further page is asked for: its body must have arrived and be stored before the end.
const PAGE_TIME: Duration = PAGE_TIMEOUT.saturating_add(Duration::from_secs(30));

/// The record is kept at least this often within a lease, so that it never runs out.
pub(crate) const RENEWALS: u32 = 3;

/// A rest is taken in pieces, so that a host that stops need not wait for its end.
const REST: Duration = Duration::from_secs(1);

/// At the end of the river: at first, and doubled up to the longest while nothing comes. Other readers of the river wait
/// 2 to 30 seconds.
const FIRST_TAIL_WAIT: Duration = Duration::from_secs(2);
const LONGEST_TAIL_WAIT: Duration = Duration::from_secs(30);

/// Cut bodies of one page that are asked for again at once; then it is waited a little.
const AT_ONCE: u32 = 3;

/// Whole answers to one request that are no page, before it is given up.
const MOST_TRIES: u32 = 10;

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its time is over, or the host stops: somebody else goes on.
    Time,
    /// It did what a person asked for.
    Done,
    /// Something that passes came between before it began.
    Later,
    /// A person must see to it.
    Stopped,
    /// Another follower has the chain.
    Fenced,
}

/// A page to ask for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    id: ChangeId,
    /// Not for the chain: its body is still missing.
    again: bool,
}

/// Something that was under way has ended.
enum Event {
    Kept { ours: PortResult<bool>, then: Option<Ask> },
    Opened { ask: Ask, opening: Result<Box<Opening>, RiverError> },
    Written { id: ChangeId, leads_on: bool, written: Result<Written, WriteError> },
    Drained,
    Rested,
    Tick,
}

type Work<'a> = FuturesUnordered<BoxFuture<'a, Event>>;

/// The chain, and what is under way.
pub(crate) struct Chase<'a> {
    ports: &'a FollowerPorts,
    settings: FollowerSettings,
    claim: &'a Claim,
    invocation: &'a Invocation,
    pub(crate) progress: Progress,
    pub(crate) most_pages: Option<u64>,
    /// Open pages whose body is to be asked for again.
    again: VecDeque<ChangeId>,
    /// Bodies of a page that came to nothing.
    tries: BTreeMap<ChangeId, u32>,
    keeping: bool,
    asking: bool,
    resting: bool,
    /// The chain waits for a whole body to know where it goes on.
    undecided: bool,
    /// Bodies that stream.
    streaming: usize,
    /// A header that was wrong once is only compared.
    trusts_header: bool,
    failures: u32,
    tail_wait: Duration,
    rest_until: Timestamp,
    fetched_before: u64,
    refused_before: (u64, u64),
    end: Option<End>,
}

impl<'a> Chase<'a> {
    pub(crate) fn new(
        ports: &'a FollowerPorts,
        settings: FollowerSettings,
        claim: &'a Claim,
        progress: Progress,
        invocation: &'a Invocation,
    ) -> Chase<'a> {
        let fetched_before = progress.totals.fetched;
        let refused_before = (progress.totals.client_errors, ports.api.counts().client_errors);
        Chase {
            ports,
            settings,
            claim,
            invocation,
            progress,
            most_pages: None,
            again: VecDeque::new(),
            tries: BTreeMap::new(),
            keeping: false,
            asking: false,
            resting: false,
            undecided: false,
            streaming: 0,
            trusts_header: true,
            failures: 0,
            tail_wait: FIRST_TAIL_WAIT,
            rest_until: Timestamp::MIN,
            fetched_before,
            refused_before,
            end: None,
        }
    }

    /// How far the chain has come.
    pub(crate) fn into_progress(mut self) -> Progress {
        self.note_pace();
        self.progress
    }

    /// Follows the chain until its time is over. After an error the progress is still what is certain.
    pub(crate) async fn run(&mut self) -> PortResult<End> {
        self.recover().await?;
        let mut work = Work::new();
        work.push(self.tick());
        loop {
            self.plan(&mut work);
            match self.end {
                Some(End::Fenced) => return Ok(End::Fenced),
                Some(end) if self.is_idle() => return Ok(end),
                _ => {}
            }
            // The tick is always there.
            let Some(event) = work.next().await else { return Ok(End::Time) };
            self.handle(event, &mut work)?;
        }
    }

    /// Whether nothing is under way that an invocation's end should wait for.
    fn is_idle(&self) -> bool {
        let owes = self.end == Some(End::Done) && !self.again.is_empty();
        !self.keeping && !self.asking && self.streaming == 0 && !owes
    }

    /// Stops the chain until a person says that it may go on. It keeps its position.
    pub(crate) fn stop(&mut self, reason: String) {
        tracing::error!(reason, "the chain stops, and keeps its position: {reason}");
        self.progress.stopped = Some(Stopped { at: self.invocation.now(), reason });
        self.end = Some(End::Stopped);
    }

    /// Pages that an earlier follower has left open: those that are stored are told, the others asked for again.
    async fn recover(&mut self) -> PortResult<()> {
        for id in self.progress.open.clone() {
            let key = self.key(id);
            if self.ports.pages.has(key).await? {
                announce(key, &*self.ports.stored).await?;
                self.progress.totals.stored += 1;
                self.progress.close(id);
            } else {
                self.again.push_back(id);
            }
        }
        Ok(())
    }

    fn key(&self, id: ChangeId) -> PageKey {
        PageKey { realm: self.settings.realm, id }
    }

    /// Begins what comes next, if something can.
    fn plan(&mut self, work: &mut Work<'a>) {
        let fetched = self.progress.totals.fetched - self.fetched_before;
        if self.end.is_none() && self.most_pages.is_some_and(|most| fetched >= most) {
            self.end = Some(End::Done);
        }
        if matches!(self.end, None | Some(End::Done)) && !self.invocation.has_time_for(PAGE_TIME) {
            self.end = Some(End::Time);
        }
        let is_over = self.end.is_some() && self.is_idle();
        if is_over || self.keeping || self.asking || self.resting || !matches!(self.end, None | Some(End::Done)) {
            return;
        }
        let rest = between(self.invocation.now(), self.rest_until);
        if !rest.is_zero() {
            self.resting = true;
            let sleep = self.invocation.clock().sleep(rest.min(REST));
            work.push(sleep.map(|()| Event::Rested).boxed());
            return;
        }
        if self.streaming >= self.settings.open_pages {
            return;
        }
        let open = self.again.pop_front().map(|id| Ask { id, again: true });
        let goes_on = self.end.is_none() && !self.undecided;
        let link = self.progress.position.filter(|_| goes_on).map(|id| Ask { id, again: false });
        if let Some(ask) = open.or(link) {
            work.push(self.keep(Some(ask)));
        }
    }

    fn handle(&mut self, event: Event, work: &mut Work<'a>) -> PortResult<()> {
        match event {
            Event::Tick => {
                if !self.keeping {
                    work.push(self.keep(None));
                }
                work.push(self.tick());
            }
            Event::Rested => self.resting = false,
            Event::Drained => self.streaming -= 1,
            Event::Kept { ours, then } => {
                self.keeping = false;
                match (ours?, then) {
                    (false, _) => self.end = Some(End::Fenced),
                    (true, Some(ask)) => work.push(self.open(ask)),
                    (true, None) => {}
                }
            }
            Event::Opened { ask, opening } => {
                self.asking = false;
                self.progress.totals.requests += 1;
                match opening {
                    Ok(opening) => self.opened(ask, *opening, work),
                    Err(error) => self.failed(ask, &error),
                }
            }
            Event::Written { id, leads_on, written } => {
                self.streaming -= 1;
                self.undecided &= leads_on;
                match written {
                    Ok(written) => self.written(id, leads_on, &written),
                    Err(error) => self.not_written(id, leads_on, error)?,
                }
            }
        }
        Ok(())
    }

    fn tick(&self) -> BoxFuture<'a, Event> {
        self.invocation.clock().sleep(self.settings.lease / RENEWALS).map(|()| Event::Tick).boxed()
    }

    /// Keeps the record as it is now, and then goes on with `then`. One at a time, so that none overtakes another.
    fn keep(&mut self, then: Option<Ask>) -> BoxFuture<'a, Event> {
        self.keeping = true;
        self.note_pace();
        let (ports, claim, progress, lease) = (self.ports, self.claim, self.progress.clone(), self.settings.lease);
        async move { Event::Kept { ours: ports.chain.keep(claim, &progress, lease).await, then } }.boxed()
    }

    fn note_pace(&mut self) {
        self.progress.pace = self.ports.api.memory();
        let (kept, sent) = self.refused_before;
        self.progress.totals.client_errors = kept + self.ports.api.counts().client_errors - sent;
    }

    fn open(&mut self, ask: Ask) -> BoxFuture<'a, Event> {
        self.asking = true;
        let (ports, looks) = (self.ports, !ask.again);
        let trusts_header = self.trusts_header;
        async move {
            let opening = match ports.api.page(ask.id).await {
                Ok(page) if looks && (page.header.is_none() || !trusts_header) => Ok(Box::new(peek(page).await)),
                Ok(page) => Ok(Box::new(Opening { page, peek: None, first: Vec::new() })),
                Err(error) => Err(error),
            };
            Event::Opened { ask, opening }
        }
        .boxed()
    }
}
