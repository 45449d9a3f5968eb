//! Calls to the API, the keys that pay for them, and the measurements of both: shared by every caller of the API.
//!
//! # What may happen between any two lines
//! * *The process exits after the hold, or after the call:* the hold ends by itself, and stays counted until a later
//!   reading. The query is sent again when its result is needed again.
//! * *The pool fails after the call:* the response is used nevertheless; the hold ends as above.
//! * *The process exits after a reading is claimed:* the claim expires after a call's time-out, and another process
//!   reads the counter.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::CircuitWait;
use stint_core::clock::{Clock, after, between};
use stint_core::ledger::{Ask, CallEnd, Grant, KeyId, KeyRefusal, KeyState, Reading, ReadingClaim, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortError, PortResult};
use stint_core::telemetry::Metric;

use crate::budget::{Counted, ProcessCounts};
use crate::client::{Api, CallError};
use crate::measured::{call, record_window, status};

/// Upper bound on the cost of a small query for each raid or server in it. The true cost of about 1 is assumed, and no
/// measurement has refuted it.
pub const SMALL_BOUND: Points = Points::whole(5);

/// Interval at which keys are checked while their points are waited for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No key has the points.
    #[error("no key has {needed} points for it{}{}", at(.until), because(.unread))]
    NoPoints {
        /// Upper bound on the cost of the cheapest unit.
        needed: Points,
        /// When a key in use has the points; `None` if that is not known before a counter is read.
        until: Option<Timestamp>,
        /// Why a counter could not be read, if a reading was tried: it may be the reason why there are no points.
        unread: Option<CallError>,
    },
    /// No key is in use.
    #[error("no key is in use: set WCL_KEYS to id:secret")]
    NoKey,
    /// No key will ever have the points.
    #[error("it may cost {unit} points, and the largest key has {largest} in a window")]
    Unpriceable {
        /// Upper bound on the cost of the cheapest unit.
        unit: Points,
        /// The most points that the largest key can ever grant.
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

/// Returns how many subjects a grant pays for.
pub fn paid(grant: &Grant) -> usize {
    grant.taken.iter().sum()
}

/// The API, and the keys that pay for its calls.
#[derive(Clone, Copy)]
pub struct PaidApi<'a> {
    /// The keys.
    pub pool: &'a dyn KeyPool,
    /// The client that uses the keys.
    pub api: &'a Api,
    /// Counts of what this process has done with the keys.
    pub counts: &'a ProcessCounts,
    /// For waiting.
    pub clock: &'a dyn Clock,
}

/// Result of reading counters.
#[derive(Debug, Default)]
pub struct Readings {
    /// How many were read.
    pub read: u64,
    /// Why the last failed reading failed.
    pub unread: Option<CallError>,
}

impl PaidApi<'_> {
    /// Holds points for a query about as many of `subjects` as a key can pay for, at [`SMALL_BOUND`] each; at least
    /// about one.
    pub async fn hold_for_query(&self, subjects: usize) -> Result<Grant, QueryError> {
        self.hold(vec![SMALL_BOUND; subjects], Duration::ZERO).await
    }

    /// Holds points for one call of as many `units` as a key can pay for; at least one. Waits for points that come back
    /// within `patience`: at a reset, or while another caller reads the counter or settles a call.
    pub async fn hold(&self, units: Vec<Points>, patience: Duration) -> Result<Grant, QueryError> {
        // Any key that can pay for the cheapest unit is enough.
        let needed = units.iter().copied().min().unwrap_or_default();
        let ask = Ask { messages: vec![units], call_timeout: self.api.call_timeout(), priority: false };
        let patient_until = after(self.clock.now(), patience);
        loop {
            match self.pool.reserve(&ask).await? {
                Reservation::Granted(grant) => return Ok(grant),
                Reservation::Unpriceable { unit, largest } => return Err(QueryError::Unpriceable { unit, largest }),
                Reservation::Refused { .. } => {}
            }
            match self.read_counters(needed).await? {
                Readings { read: 1.., .. } => {}
                Readings { unread: Some(error @ CallError::Down { .. }), .. } => return Err(error.into()),
                Readings { unread, .. } => self.wait(needed, patient_until, unread).await?,
            }
        }
    }

    /// Waits until a key in use may have `needed` points. If that is not soon, fails with the time at which it has
    /// them.
    async fn wait(
        &self,
        needed: Points,
        patient_until: Timestamp,
        unread: Option<CallError>,
    ) -> Result<(), QueryError> {
        let keys = self.pool.keys().await?;
        let in_use: Vec<_> = keys.iter().filter(|key| key.state != KeyState::Retired).collect();
        let Some(until) = in_use.iter().map(|key| key.grants_at(needed)).min() else {
            return Err(QueryError::NoKey);
        };
        let now = self.clock.now();
        // A reset that has passed does not tell the points: another caller is reading the counter, or has just read it.
        let soon = until <= now || in_use.iter().any(|key| key.may_soon_grant(needed, false));
        let look_at = if soon { after(now, POLL_INTERVAL) } else { until };
        if look_at > patient_until {
            return Err(QueryError::NoPoints { needed, until: Some(until).filter(|until| *until > now), unread });
        }
        self.clock.sleep(between(now, look_at)).await;
        Ok(())
    }

    /// Sends a query for what was granted, and settles it. The response is returned even if it cannot be settled: its
    /// hold ends by itself, and stays counted until a later reading.
    pub async fn ask<T>(
        &self,
        operation: &'static str,
        grant: &Grant,
        query: impl Future<Output = (CallEnd, Result<T, CallError>)>,
    ) -> Result<T, QueryError> {
        let (end, response) = call(operation, &grant.hold.key, grant.amount, query, |(end, _)| status(end)).await;
        let settled = self.settle(grant, end).await;
        if let Err(error) = settled {
            tracing::warn!(key = %grant.hold.key, %error, "cannot settle a call, its hold ends by itself: {error}");
        }
        Ok(response?)
    }

    /// Reads every counter whose reading would help a caller who needs `needed` points, one after the other.
    ///
    /// A key that the upstream refuses is paused, and the next one is read. Stops at the first counter that cannot be
    /// read for another reason, since an upstream that is down takes its full time-out for every key. That claim is
    /// left to expire, so that its key is not read again meanwhile, and the next caller reads the others.
    pub async fn read_counters(&self, needed: Points) -> PortResult<Readings> {
        let lease = self.api.call_timeout();
        let mut readings = Readings::default();
        while let Some(claim) = self.pool.claim_reading(needed, lease).await? {
            let error = match self.read_points(&claim.key).await {
                Ok(reading) => {
                    self.observe(&claim, CallEnd::Answered(reading)).await?;
                    self.counts.count(Counted::Readings, 1);
                    readings.read += 1;
                    continue;
                }
                Err(error) => error,
            };
            // Nothing was sent, or the breaker judges what was sent: another caller may claim the key.
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

    /// Reads a key's counter to find out whether the upstream is back.
    pub(crate) async fn probe_points(&self, key: &KeyId) -> Result<Reading, CallError> {
        call("probe", key, Points::ZERO, self.api.probe(key), ended).await
    }

    /// Ends the hold of `grant`.
    pub(crate) async fn settle(&self, grant: &Grant, end: CallEnd) -> PortResult<()> {
        let key = &grant.hold.key;
        if let CallEnd::Refused { why: KeyRefusal::Points, .. } = end {
            Metric::Refusals.record(&key.0, 1.0);
        }
        let closed = self.pool.settle(&grant.hold, end).await?;
        record_window(key, closed.as_ref());
        Ok(())
    }

    /// Reports a reading to the pool, or how it failed.
    pub(crate) async fn observe(&self, claim: &ReadingClaim, end: CallEnd) -> PortResult<()> {
        let closed = self.pool.observe(claim, end).await?;
        record_window(&claim.key, closed.as_ref());
        Ok(())
    }

    /// Why no call may be made now; `None` if one may.
    async fn outage(&self) -> Option<CircuitWait> {
        self.api.outage().await
    }
}

fn ended(reading: &Result<Reading, CallError>) -> &'static str {
    match reading {
        Ok(_) => "answered",
        Err(error) => status(&error.call_end()),
    }
}
