//! Finds the position where a chain starts.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, Either, FutureExt, select};
use stint_core::clock::{after, between};
use stint_core::ports::PortResult;
use stint_core::worker::Invocation;

use crate::chain_run::{RENEWALS, REST};
use crate::client::{Api, Reaction, RiverError, reaction};
use crate::config::Start;
use crate::look_ahead::Scan;
use crate::model::ChangeId;
use crate::store::{Chain, Claim, Progress};

/// The first distance behind the head at which the tail is looked for, in changes of each shard: a little more than the
/// river's own delay of five minutes, at the 13 changes a second that the first shard grew by from 2020 to 2026.
const FIRST_STEP: u64 = 4096;

/// The tail is found when it lies between two positions that are no further apart: about two seconds of the river.
const CLOSE_ENOUGH: u64 = 32;

/// A refusal that asks for a longer wait is tried again after this time: it may have been caused by another client at
/// the address.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Failures that are retried before the search is given up.
const MOST_FAILURES: u32 = 5;

/// A search, under the chain's lease.
pub(crate) struct Search<'a> {
    pub(crate) api: &'a Api,
    pub(crate) chain: &'a dyn Chain,
    pub(crate) claim: &'a Claim,
    /// Written to the record during the search: the state of the pacer changes with each request.
    pub(crate) progress: Progress,
    pub(crate) lease: Duration,
    pub(crate) invocation: &'a Invocation,
}

/// Why a search found no position.
#[derive(Debug)]
pub(crate) enum NotFound {
    /// Another follower has the chain.
    LeaseLost,
    /// An operator must act, or the search must be repeated later.
    Failed(Reaction),
}

type Found<T> = PortResult<Result<T, NotFound>>;

impl Search<'_> {
    /// Returns the position that `start` means.
    pub(crate) async fn place(&mut self, start: Start) -> Found<ChangeId> {
        match start {
            Start::Head => self.with_retries(|api| api.head().boxed()).await,
            Start::Tail => self.tail().await,
            Start::Beginning => Ok(Ok(ChangeId::BEGINNING)),
            Start::At(id) => Ok(Ok(id)),
        }
    }

    /// Returns the newest position that has a page. After it the upstream returns empty pages, and it accepts any five
    /// numbers as a position, so it is found by bisection: about ten requests.
    async fn tail(&mut self) -> Found<ChangeId> {
        let mut high = match self.with_retries(|api| api.head().boxed()).await? {
            Ok(head) => head,
            Err(not_found) => return Ok(Err(not_found)),
        };
        let (mut low, mut step) = (high.back(FIRST_STEP), FIRST_STEP);
        while low != ChangeId::BEGINNING {
            match self.is_beyond(low).await? {
                Ok(false) => break,
                Ok(true) => {
                    step = step.saturating_mul(2);
                    (low, high) = (low.back(step), low);
                }
                Err(not_found) => return Ok(Err(not_found)),
            }
        }
        while low.behind(high).into_iter().max() > Some(CLOSE_ENOUGH) {
            let middle = low.middle(high);
            match self.is_beyond(middle).await? {
                Ok(true) => high = middle,
                Ok(false) => low = middle,
                Err(not_found) => return Ok(Err(not_found)),
            }
        }
        tracing::info!(tail = %low, "the tail of the river is at {low}");
        Ok(Ok(low))
    }

    async fn is_beyond(&mut self, id: ChangeId) -> Found<bool> {
        self.with_retries(|api| is_beyond(api, id).boxed()).await
    }

    /// Sends requests until one is answered.
    async fn with_retries<'f, T>(&mut self, ask: impl Fn(&'f Api) -> BoxFuture<'f, Result<T, RiverError>>) -> Found<T>
    where
        Self: 'f,
    {
        let mut failures = 0;
        loop {
            let error = match self.under_lease(ask(self.api)).await? {
                None => return Ok(Err(NotFound::LeaseLost)),
                Some(Ok(answer)) => return Ok(Ok(answer)),
                Some(Err(error)) => error,
            };
            failures += 1;
            match reaction(&error, failures) {
                Reaction::Retry { delay, reason }
                    if failures < MOST_FAILURES && self.invocation.has_time_for(delay) =>
                {
                    tracing::warn!(reason, "searching for the chain's start position: {reason}");
                    // Before the next request it is checked whether another follower has the chain, or the host stops.
                    let rested = rest(self.invocation, delay.min(LONGEST_WAIT));
                    self.under_lease(rested).await?;
                    if !self.invocation.has_time_for(Duration::ZERO) {
                        return Ok(Err(NotFound::Failed(Reaction::Retry { delay, reason })));
                    }
                }
                reaction => return Ok(Err(NotFound::Failed(reaction))),
            }
        }
    }

    /// Waits for `work`, and renews the lease meanwhile. `None` if another follower has the chain; the work is then
    /// dropped.
    async fn under_lease<T>(&mut self, work: impl Future<Output = T>) -> PortResult<Option<T>> {
        let mut work = pin!(work);
        loop {
            self.progress.pace = self.api.memory();
            if !self.chain.write(self.claim, &self.progress, self.lease).await? {
                return Ok(None);
            }
            let renewal = self.invocation.clock().sleep(self.lease / RENEWALS);
            if let Either::Left((done, _)) = select(work.as_mut(), renewal).await {
                return Ok(Some(done));
            }
        }
    }
}

/// Waits in pieces, and returns early once the host stops.
async fn rest(invocation: &Invocation, delay: Duration) {
    let until = after(invocation.now(), delay);
    while let left = between(invocation.now(), until)
        && !left.is_zero()
        && invocation.has_time_for(left)
    {
        invocation.clock().sleep(left.min(REST)).await;
    }
}

/// Whether the river has nothing at this position yet: no stash, and no next position. Old pages may be empty, but have
/// a next position.
async fn is_beyond(api: &Api, id: ChangeId) -> Result<bool, RiverError> {
    let mut page = api.page(id).await?;
    if page.header == Some(id) {
        return Ok(true);
    }
    let mut scan = Scan::default();
    while scan.stashes() == 0
        && let Some(piece) = page.body.next().await
    {
        scan.feed(&piece.map_err(stint_http::HttpError::from)?);
    }
    let leads_on = page.header.or(scan.next()).is_some_and(|next| next != id && next.has_reached(id));
    Ok(scan.stashes() == 0 && !leads_on)
}
