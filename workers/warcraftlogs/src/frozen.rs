//! Asking the upstream which raids are frozen: once a day at the most, in one small question about those that rules name and
//! that are not known to be. The rank fetcher asks, before it fetches: so the first ranks that a new fleet stores are good.
//!
//! # What may happen between any two lines
//! * *The process exits after the question is claimed, before its answer is kept:* another process asks after
//!   `CLAIM`. Until then the raids are fetched like any other.
//! * *The upstream says that a raid is frozen after its ranks were fetched:* they are fetched once more, since they may be
//!   older than the last kill that counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::PortResult;

use crate::budget::Budget;
use crate::model::RaidId;
use crate::paid::{Unanswered, ask, hold, paid};
use crate::questions::Questions;
use crate::store::Zones;

/// Raids that are not frozen are asked about again after this.
const ASK_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// Asks which raids of the rules are frozen, if it is time to. A question that fails holds nobody up: it is asked again.
    pub(crate) async fn ask_for_frozen_raids(&self, questions: &Questions) {
        let now = self.clock.now();
        if questions.raids().is_empty() || !self.frozen.is_time(now) {
            return;
        }
        match self.look_for_frozen_raids(questions, now).await {
            Ok(()) | Err(Unanswered::NoPoints { .. }) => {}
            Err(error) => tracing::warn!(%error, "cannot ask which raids are frozen: {error}"),
        }
    }

    async fn look_for_frozen_raids(&self, questions: &Questions, now: Timestamp) -> Result<(), Unanswered> {
        let raids: Vec<RaidId> = questions.raids().iter().copied().collect();
        let mut left = self.frozen.zones.claim_question(&raids, after(now, CLAIM)).await?;
        while !left.is_empty() {
            let grant = hold(&*self.pool, &self.api, left.len()).await?;
            let about = paid(&grant);
            let question = self.api.zones(&grant.hold.key, &left[..about]);
            let zones = ask(&*self.pool, "zones", &grant, question).await?;
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
