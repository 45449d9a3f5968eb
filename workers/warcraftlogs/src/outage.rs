//! What the fleet does while the API is down: concurrency is 0, so nothing is received, and one probe at a time finds
//! out when the API is back.
//!
//! # What may happen between any two lines
//! * *The process exits after the breaker opened, before the throttle is at 0:* the next invocation that receives
//!   messages sees the open breaker, parks what it received, and sets the throttle; if there is none, the sweep every
//!   ten minutes does.
//! * *The process exits between wake-up and throttle:* the wake-up is written first, so a throttle at 0 always has one.
//! * *The process exits during a probe:* the wake-up for the end of the probe's lease was written before it. The worker
//!   that it starts finds a probe that failed.
//! * *The process exits after the probe succeeded, or after the breaker closed, before the throttle is raised:* the
//!   same wake-up raises it.

use stint_core::circuit::{CircuitWait, Intent};
use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyId, KeyRefusal, KeyState, KeyStatus, ReadingClaim};
use stint_core::plan::ThrottlePlan;
use stint_core::ports::{KeyPool, PortResult};

use crate::budget::{Budget, REVIVE, RebalanceResult, in_flight};
use crate::worker;

impl Budget {
    /// Why no call may be made now; `None` if one may.
    pub(crate) async fn outage(&self) -> Option<CircuitWait> {
        self.api.outage().await
    }

    /// Keeps concurrency at 0 until the next probe. Calls that started before may still be in flight.
    pub(crate) async fn hold_at_zero(&self, outage: &CircuitWait) -> PortResult<RebalanceResult> {
        let wake_at = Some(outage.until);
        let plan = ThrottlePlan { concurrency: 0, affordable: 0, more_is_due: false, wake_at };
        let current = self.throttle.read(&self.worker).await?.limit;
        self.apply(&plan, current, 0).await?;
        Ok(RebalanceResult { in_flight: Some(in_flight(&self.pool.keys().await?)), ..RebalanceResult::default() })
    }

    /// How many calls the breaker lets run at once: all, or one trial call that has to show that the API is back.
    pub(crate) async fn max_concurrent_calls(&self) -> u32 {
        if self.is_half_open().await { 1 } else { self.concurrency_limit }
    }

    /// Whether a trial call can be paid for: then no counter is read before it.
    pub(crate) async fn can_pay_trial_call(&self) -> PortResult<bool> {
        if !self.is_half_open().await {
            return Ok(false);
        }
        Ok(self.pool.keys().await?.iter().any(|key| key.free >= self.unit))
    }

    async fn is_half_open(&self) -> bool {
        match self.api.breaker() {
            Some(breaker) => breaker.look().await.is_half_open(),
            None => false,
        }
    }

    /// Probes whether the API is back, if a probe is due, by reading a key's counter, which costs no points.
    pub(crate) async fn probe(&self) -> PortResult<()> {
        let Some(breaker) = self.api.breaker() else { return Ok(()) };
        let circuit = breaker.look().await;
        let (Some(outage), false) = (circuit.outage(), circuit.is_half_open()) else { return Ok(()) };
        if breaker.waits(Intent::Probe).await.is_some() {
            return Ok(());
        }
        let keys = self.pool.keys().await?;
        let Some(key) = key_to_probe(&keys, outage.failed_probes) else { return Ok(()) };
        self.wakeups.once(REVIVE, &worker("reviver"), after(self.clock.now(), breaker.lease())).await?;
        let paid = self.paid_api();
        match paid.probe_points(&key).await {
            Ok(reading) => {
                let claim = ReadingClaim { key, started: 0 };
                paid.observe(&claim, CallEnd::Answered(reading)).await?;
                resume_refused_keys(&*self.pool, &keys).await
            }
            Err(error) => {
                tracing::debug!(%key, %error, "a probe with key {key} failed: {error}");
                let end @ CallEnd::Refused { .. } = error.call_end() else { return Ok(()) };
                paid.observe(&ReadingClaim { key, started: 0 }, end).await
            }
        }
    }

    /// Closes a half-open breaker while there is nothing to call for.
    pub(crate) async fn close_if_idle(&self) -> PortResult<()> {
        let Some(breaker) = self.api.breaker() else { return Ok(()) };
        if !breaker.look().await.is_half_open() {
            return Ok(());
        }
        for queue in [&self.queue, &self.refreshes] {
            if queue.counts().await?.unfinished() > 0 || self.pool.count_parked(queue.name()).await? > 0 {
                return Ok(());
            }
        }
        breaker.close_without_work().await;
        Ok(())
    }
}

/// The key to probe with: a different one each time, since the upstream may refuse a single key. Never a key paused by
/// hand.
fn key_to_probe(keys: &[KeyStatus], tries: u32) -> Option<KeyId> {
    let in_use = |key: &&KeyStatus| key.state != KeyState::Retired;
    let awake = keys.iter().filter(in_use).filter(|key| key.state != KeyState::Paused);
    let refused = keys.iter().filter(in_use).filter(|key| key.refusal.is_some());
    let mut usable: Vec<&KeyId> = awake.chain(refused).map(|key| &key.key).collect();
    usable.sort();
    let place = usize::try_from(tries).unwrap_or_default().checked_rem(usable.len())?;
    usable.get(place).map(|key| (*key).clone())
}

/// Puts keys back to work that were refused while the API accepted no key.
async fn resume_refused_keys(pool: &dyn KeyPool, keys: &[KeyStatus]) -> PortResult<()> {
    for key in keys.iter().filter(|key| key.refusal == Some(KeyRefusal::Credentials)) {
        pool.pause(&key.key, None).await?;
    }
    Ok(())
}
