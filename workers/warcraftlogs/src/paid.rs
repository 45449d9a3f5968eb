//! Calls to the API, the keys that pay for them, and the measurements of both: what all who ask the API have in common.
//!
//! # What may happen between any two lines
//! * *The process exits after the hold, or after the call:* the hold ends by itself, and stays counted until a later reading.
//!   What was asked is asked again when its answer is needed again.
//! * *The pool fails after the call:* the answer is used all the same; the hold as above.
//! * *The process exits after a reading is claimed:* the claim lapses after a call's time-out, and another process reads the
//!   counter.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::Wait;
use stint_core::clock::{Clock, after, between};
use stint_core::ledger::{Ask, CallEnd, Grant, KeyId, KeyState, Reading, ReadingClaim, Refusal, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortError, PortResult};
use stint_core::telemetry::Metric;

use crate::budget::{Tallied, Tally};
use crate::client::{Api, CallError};
use crate::measured::{call, record_window, status};

/// What a small question may cost for each raid or server that it is about. About 1 is a guess that nothing has refuted.
pub const SMALL_BOUND: Points = Points::whole(5);

/// Between two looks at keys whose points are waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No key has the points.
    #[error("no key has {needed} points for it{}{}", at(.until), because(.unread))]
    NoPoints {
        /// What the cheapest of it may cost.
        needed: Points,
        /// When a key in use has them; `None` if that is not known before a counter is read.
        until: Option<Timestamp>,
        /// Why a counter could not be read, if that was tried: it may be why there are no points.
        unread: Option<CallError>,
    },
    /// No key is in use.
    #[error("no key is in use: set WCL_KEYS to id:secret")]
    NoKey,
    /// No key will ever have the points.
    #[error("it may cost {unit} points, and the largest key has {largest} in a window")]
    Unpriceable {
        /// What the cheapest of it may cost.
        unit: Points,
        /// What the largest key can ever lend.
        largest: Points,
    },
    /// The call failed.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The key pool failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

fn at(until: &Option<Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!(" before {until}"))
}

fn because(unread: &Option<CallError>) -> String {
    unread.as_ref().map_or_else(String::new, |error| format!("; the counter of a key cannot be read: {error}"))
}

/// How many subjects a grant pays for.
pub fn paid(grant: &Grant) -> usize {
    grant.taken.iter().sum()
}

/// The API, and the keys that pay for its calls.
#[derive(Clone, Copy)]
pub struct PaidApi<'a> {
    /// The keys.
    pub pool: &'a dyn KeyPool,
    /// Where they are used.
    pub api: &'a Api,
    /// What this process has done with them.
    pub tally: &'a Tally,
    /// For waiting.
    pub clock: &'a dyn Clock,
}

/// What came of reading counters.
#[derive(Debug, Default)]
pub struct Readings {
    /// How many were read.
    pub read: u64,
    /// Why the last one that was not read was not.
    pub unread: Option<CallError>,
}

impl PaidApi<'_> {
    /// Holds points for a question about as many of `subjects` as a key can pay for, at [`SMALL_BOUND`] each; at least about
    /// one.
    pub async fn hold_for_question(&self, subjects: usize) -> Result<Grant, Unanswered> {
        self.hold(vec![SMALL_BOUND; subjects], Duration::ZERO).await
    }

    /// Holds points for one call of as many `units` as a key can pay for; at least one. Points that come back within `patience`
    /// are waited for: at a reset, while another caller reads the counter or settles a call.
    pub async fn hold(&self, units: Vec<Points>, patience: Duration) -> Result<Grant, Unanswered> {
        // Whatever key can pay for the cheapest of them is enough.
        let needed = units.iter().copied().min().unwrap_or_default();
        let ask = Ask { messages: vec![units], call_timeout: self.api.call_timeout(), priority: false };
        let patient_until = after(self.clock.now(), patience);
        loop {
            match self.pool.reserve(&ask).await? {
                Reservation::Granted(grant) => return Ok(grant),
                Reservation::Unpriceable { unit, largest } => return Err(Unanswered::Unpriceable { unit, largest }),
                Reservation::Refused { .. } => {}
            }
            match self.read_counters(needed).await? {
                Readings { read: 1.., .. } => {}
                Readings { unread: Some(error @ CallError::Down { .. }), .. } => return Err(error.into()),
                Readings { unread, .. } => self.wait(needed, patient_until, unread).await?,
            }
        }
    }

    /// Waits until a key in use may have `needed` points, or fails with when it has them, if that is not soon.
    async fn wait(
        &self,
        needed: Points,
        patient_until: Timestamp,
        unread: Option<CallError>,
    ) -> Result<(), Unanswered> {
        let keys = self.pool.keys().await?;
        let in_use: Vec<_> = keys.iter().filter(|key| key.state != KeyState::Retired).collect();
        let Some(until) = in_use.iter().map(|key| key.lends_at(needed)).min() else {
            return Err(Unanswered::NoKey);
        };
        let now = self.clock.now();
        // A reset that has passed says nothing of the points: another caller reads the counter, or has just read it.
        let soon = until <= now || in_use.iter().any(|key| key.may_soon_lend(needed, false));
        let look_at = if soon { after(now, LOOK_EVERY) } else { until };
        if look_at > patient_until {
            return Err(Unanswered::NoPoints { needed, until: Some(until).filter(|until| *until > now), unread });
        }
        self.clock.sleep(between(now, look_at)).await;
        Ok(())
    }

    /// Asks a question for what was granted, and settles it. An answer is returned though it cannot be settled: its hold ends
    /// by itself, and stays counted until a later reading.
    pub async fn ask<T>(
        &self,
        operation: &'static str,
        grant: &Grant,
        question: impl Future<Output = (CallEnd, Result<T, CallError>)>,
    ) -> Result<T, Unanswered> {
        let (end, answer) = call(operation, &grant.hold.key, grant.amount, question, |(end, _)| status(end)).await;
        let settled = self.settle(grant, end).await;
        let answer = answer?;
        if let Err(error) = settled {
            tracing::warn!(%error, "cannot settle the call {operation}, its points stay held for a while: {error}");
        }
        Ok(answer)
    }

    /// Reads every counter that would help a caller who needs `needed`, one after the other.
    ///
    /// A key that is refused rests, and the next one is read. Ends at the first that cannot be read for another reason,
    /// since an upstream that is down takes its time for every key. That claim is left to lapse, so that meanwhile that key is
    /// not asked for again, and the next caller reads the others.
    pub async fn read_counters(&self, needed: Points) -> PortResult<Readings> {
        let lease = self.api.call_timeout();
        let mut readings = Readings::default();
        while let Some(claim) = self.pool.claim_reading(needed, lease).await? {
            let error = match self.read_points(&claim.key).await {
                Ok(reading) => {
                    self.observe(&claim, CallEnd::Answered(reading)).await?;
                    self.tally.count(Tallied::Readings, 1);
                    readings.read += 1;
                    continue;
                }
                Err(error) => error,
            };
            // Nothing was sent, or what was sent is the breaker's to tell: another caller may ask for the key.
            if matches!(error, CallError::Down { .. }) || self.outage().await.is_some() {
                let end = if let end @ CallEnd::Refused { .. } = error.call_end() { end } else { CallEnd::NotBilled };
                self.observe(&claim, end).await?;
                readings.unread = Some(error);
                break;
            }
            tracing::warn!(key = %claim.key, %error, "cannot read the counter of key {}: {error}", claim.key);
            let end = error.call_end();
            readings.unread = Some(error);
            let CallEnd::Refused { .. } = end else { break };
            self.observe(&claim, end).await?;
        }
        Ok(readings)
    }

    /// Reads a key's counter.
    pub(crate) async fn read_points(&self, key: &KeyId) -> Result<Reading, CallError> {
        call("points", key, Points::ZERO, self.api.read_points(key), ended).await
    }

    /// Reads a key's counter, to find out whether the upstream is back.
    pub(crate) async fn probe_points(&self, key: &KeyId) -> Result<Reading, CallError> {
        call("probe", key, Points::ZERO, self.api.probe(key), ended).await
    }

    /// Ends the hold of `grant`.
    pub(crate) async fn settle(&self, grant: &Grant, end: CallEnd) -> PortResult<()> {
        let key = &grant.hold.key;
        if let CallEnd::Refused { why: Refusal::Points, .. } = end {
            Metric::Refusals.record(&key.0, 1.0);
        }
        let closed = self.pool.settle(&grant.hold, end).await?;
        record_window(key, closed.as_ref());
        Ok(())
    }

    /// Brings a reading back, or how it failed.
    pub(crate) async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<()> {
        let closed = self.pool.observe(claim, end).await?;
        record_window(&claim.key, closed.as_ref());
        Ok(())
    }

    /// Why no call may go now; `None` if one may.
    async fn outage(&self) -> Option<Wait> {
        self.api.outage().await
    }
}

fn ended(reading: &Result<Reading, CallError>) -> &'static str {
    match reading {
        Ok(_) => "answered",
        Err(error) => status(&error.call_end()),
    }
}
