//! Asks the upstream which raids are frozen: at most once a day, in one small query about the raids that rules name and
//! that are not known to be frozen. The rank fetcher asks before it fetches, so that the first ranks a new fleet stores
//! are already right. The refresher does not ask: a person who waits for a player should not wait for this.
//!
//! # What may happen between any two lines
//! * *The response does not come in time:* the query is abandoned while a call for the batch still has enough time. The
//!   hold ends by itself, and another process asks after `CLAIM`.
//! * *The process exits after the query is claimed, before its result is stored:* another process asks after `CLAIM`.
//!   Until then the raids are fetched like any other.
//! * *The upstream says that a raid is frozen after its ranks were fetched:* they are fetched once more, since they may
//!   be older than the last kill that counts.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::PortResult;
use stint_core::worker::Invocation;

use crate::budget::{Budget, PATIENCE};
use crate::model::RaidId;
use crate::paid::{QueryError, paid};
use crate::rank_queries::RankQueries;
use crate::store::Zones;

/// Raids that are not frozen are asked about again after this.
const ASK_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Reading a counter and asking take less than this when the upstream works normally.
const QUERY_TIME: Duration = Duration::from_secs(5);

/// A query that was claimed but has no result is sent again after this.
const CLAIM: Duration = Duration::from_secs(10 * 60);

/// The store of frozen raids, and when this process reads it again.
pub struct FrozenRaids {
    zones: Arc<dyn Zones>,
    /// Whether frozen raids are fetched like any other, so that the store is not needed.
    ignored: bool,
    look_at: Mutex<Option<Timestamp>>,
}

impl FrozenRaids {
    /// Uses the raids stored in `zones`; `ignored` if frozen raids are to be fetched again and again.
    pub fn new(zones: Arc<dyn Zones>, ignored: bool) -> FrozenRaids {
        FrozenRaids { zones, ignored, look_at: Mutex::default() }
    }

    /// Whether this process has not read the store lately. The call itself counts as a read.
    fn is_time(&self, now: Timestamp) -> bool {
        let mut look_at = self.look_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = !self.ignored && look_at.is_none_or(|look_at| look_at <= now);
        if is_time {
            *look_at = Some(after(now, CLAIM));
        }
        is_time
    }
}

impl Budget {
    /// Asks which raids of the rules are frozen, if it is time to and `invocation` has time for it beside a call for
    /// its batch. A query that fails or takes too long does not stop the batch: it is sent again later.
    pub(crate) async fn ask_for_frozen_raids(&self, rank_queries: &RankQueries, invocation: &Invocation) {
        let kept = self.api.call_timeout() + 2 * PATIENCE;
        if rank_queries.raids().is_empty() || !invocation.has_time_for(kept + QUERY_TIME) {
            return;
        }
        let now = self.clock.now();
        if !self.frozen.is_time(now) {
            return;
        }
        let time = invocation.remaining().saturating_sub(kept);
        match select(pin!(self.query_frozen_raids(rank_queries, now)), invocation.clock().sleep(time)).await {
            Either::Left((Ok(()) | Err(QueryError::NoPoints { .. }), _)) => {}
            Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "cannot ask which raids are frozen: {error}");
            }
            Either::Right(_) => tracing::warn!("no response within {} s to the query for frozen raids", time.as_secs()),
        }
    }

    async fn query_frozen_raids(&self, rank_queries: &RankQueries, now: Timestamp) -> Result<(), QueryError> {
        let raids: Vec<RaidId> = rank_queries.raids().iter().copied().collect();
        let mut left = self.frozen.zones.claim_check(&raids, after(now, CLAIM)).await?;
        let api = self.paid_api();
        while !left.is_empty() {
            let grant = api.hold_for_query(left.len()).await?;
            let about = paid(&grant);
            let zones = api.ask("zones", &grant, self.api.zones(&grant.hold.key, &left[..about])).await?;
            let asked: Vec<RaidId> = left.drain(..about).collect();
            let is_frozen = |raid: RaidId| zones.iter().any(|zone| zone.id == raid && zone.frozen);
            let answers: Vec<(RaidId, bool)> = asked.into_iter().map(|raid| (raid, is_frozen(raid))).collect();
            self.store_frozen_raids(&answers).await?;
        }
        Ok(())
    }

    async fn store_frozen_raids(&self, answers: &[(RaidId, bool)]) -> PortResult<()> {
        let now = self.clock.now();
        for (raid, _) in answers.iter().filter(|(_, frozen)| *frozen) {
            tracing::info!(raid, "raid {raid} is frozen: its ranks are fetched once more and then no longer");
        }
        self.frozen.zones.record_check(answers, now, after(now, ASK_AGAIN)).await
    }
}
