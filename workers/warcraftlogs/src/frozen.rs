//! Asking the upstream which raids are frozen: once a day at the most, in one small question about those that rules name and
//! that are not known to be. The rank fetcher asks, before it fetches: so the first ranks that a new fleet stores are good.
//! The refresher does not ask: nobody who waits for a player waits for this.
//!
//! # What may happen between any two lines
//! * *The answer does not come in time:* it is given up as long as a call for the batch still has its time. The hold ends by
//!   itself, and another process asks after `CLAIM`.
//! * *The process exits after the question is claimed, before its answer is kept:* another process asks after
//!   `CLAIM`. Until then the raids are fetched like any other.
//! * *The upstream says that a raid is frozen after its ranks were fetched:* they are fetched once more, since they may be
//!   older than the last kill that counts.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::PortResult;
use stint_core::worker::Invocation;

use crate::budget::Budget;
use crate::model::RaidId;
use crate::paid::{Unanswered, paid};
use crate::questions::Questions;
use crate::rank_fetcher::PATIENCE;
use crate::store::Zones;

/// Raids that are not frozen are asked about again after this.
const ASK_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Reading a counter and asking take less than this when the upstream is well.
const QUESTION: Duration = Duration::from_secs(5);

/// A question that was claimed and not answered is asked again after this.
const CLAIM: Duration = Duration::from_secs(10 * 60);

/// Where it is kept which raids are frozen, and when this process looks there again.
pub struct FrozenRaids {
    zones: Arc<dyn Zones>,
    /// Whether frozen raids are fetched like any other, so that nobody has to know.
    ignored: bool,
    look_at: Mutex<Option<Timestamp>>,
}

impl FrozenRaids {
    /// Raids that are kept in `zones`; `ignored` if frozen raids are to be fetched again and again.
    pub fn new(zones: Arc<dyn Zones>, ignored: bool) -> FrozenRaids {
        FrozenRaids { zones, ignored, look_at: Mutex::default() }
    }

    /// Whether this process has not looked lately. It counts as a look.
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
    /// Asks which raids of the rules are frozen, if it is time to and `invocation` has time for it beside a call for its batch.
    /// A question that fails, or that takes too long, keeps no batch from its turn: it is asked again.
    pub(crate) async fn ask_for_frozen_raids(&self, questions: &Questions, invocation: &Invocation) {
        let kept = self.api.call_timeout() + 2 * PATIENCE;
        if questions.raids().is_empty() || !invocation.has_time_for(kept + QUESTION) {
            return;
        }
        let now = self.clock.now();
        if !self.frozen.is_time(now) {
            return;
        }
        let time = invocation.remaining().saturating_sub(kept);
        match select(pin!(self.look_for_frozen_raids(questions, now)), invocation.clock().sleep(time)).await {
            Either::Left((Ok(()) | Err(Unanswered::NoPoints { .. }), _)) => {}
            Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "cannot ask which raids are frozen: {error}");
            }
            Either::Right(_) => tracing::warn!("no answer within {} s to which raids are frozen", time.as_secs()),
        }
    }

    async fn look_for_frozen_raids(&self, questions: &Questions, now: Timestamp) -> Result<(), Unanswered> {
        let raids: Vec<RaidId> = questions.raids().iter().copied().collect();
        let mut left = self.frozen.zones.claim_question(&raids, after(now, CLAIM)).await?;
        let api = self.paid_api();
        while !left.is_empty() {
            let grant = api.hold_for_question(left.len()).await?;
            let about = paid(&grant);
            let zones = api.ask("zones", &grant, self.api.zones(&grant.hold.key, &left[..about])).await?;
            let asked: Vec<RaidId> = left.drain(..about).collect();
            let is_frozen = |raid: RaidId| zones.iter().any(|zone| zone.id == raid && zone.frozen);
            let answers: Vec<(RaidId, bool)> = asked.into_iter().map(|raid| (raid, is_frozen(raid))).collect();
            self.keep_frozen_raids(&answers).await?;
        }
        Ok(())
    }

    async fn keep_frozen_raids(&self, answers: &[(RaidId, bool)]) -> PortResult<()> {
        let now = self.clock.now();
        for (raid, _) in answers.iter().filter(|(_, frozen)| *frozen) {
            tracing::info!(raid, "raid {raid} is frozen: its ranks are fetched once from here on, and then no more");
        }
        self.frozen.zones.answered(answers, now, after(now, ASK_AGAIN)).await
    }
}
