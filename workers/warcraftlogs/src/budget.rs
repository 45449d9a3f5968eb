//! Keeps concurrency in step with what the keys can still pay for: what the rank fetcher does after each batch, and
//! what the reviver does when it wakes.
//!
//! # What may happen between any two lines
//! * *The process exits before the throttle is written:* the next batch, the wake-up or the sweep writes it.
//! * *The process exits between wake-up and throttle:* the wake-up is written first, so a throttle at 0 always has one.
//! * *Two processes rebalance at once:* each reads the pool, writes, and reads again until nothing changes. The process
//!   that changed the pool last also reads it last, so the last write is based on the last change.
//! * *The process exits after sending an un-parked message:* the message is sent again when the lease of the parked
//!   copy ends. The copy that is served first leaves nothing for the other, since a parked message says when it was
//!   first queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stint_core::clock::{Clock, after};
use stint_core::ledger::{Bounds, KeyStatus};
use stint_core::plan::{PlanInputs, ThrottlePlan, throttle_plan, throttle_step};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, MAX_BATCH, NewMessage, PortResult, Queue, Throttle, Wakeups};
use stint_core::worker::WorkerId;

use crate::client::Api;
use crate::frozen::FrozenRaids;
use crate::measured::record_held;
use crate::paid::PaidApi;
use crate::rank_queries::LiveRankQueries;
use crate::worker;

/// The wake-up that starts the reviver.
pub const REVIVE: &str = "revive-rank-fetcher";

/// Raids and difficulties in a message of average size. Every throttle plan uses the same number: plans based on the
/// current batch would differ from call to call, and each would write the throttle.
pub(crate) const TYPICAL_UNITS: u64 = 3;

/// Messages in a rank-fetcher batch.
pub const BATCH: usize = 5;

/// Time-out of a batch: a few calls and their retries.
pub(crate) const BATCH_TIMEOUT: Duration = Duration::from_secs(120);

/// The worker that the queue of discovered players feeds, and whose concurrency the pool steers.
pub(crate) const RANK_FETCHER: &str = "rank-fetcher";

/// Interval at which a pool is checked whose points are all held by calls in flight: about the duration of a call.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// Refreshers that run at once. They are few, since the reserve is small, and the throttle does not steer them.
pub const REFRESHERS: u32 = 2;

/// The pool may change while it is read. After this many reads, the next batch continues.
const MAX_POOL_READS: usize = 4;

/// Wait before the next try when no key can be read, so that an upstream that is down is not called again and again.
const RETRY_READING: Duration = Duration::from_secs(30);

/// Lease of parked messages that are being un-parked. If their sender crashes, they are available again after this.
const UNPARK_LEASE: Duration = Duration::from_secs(60);

/// How points are rationed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BudgetStrategy {
    /// Hold an upper bound before each call, and settle with the upstream's counter after it.
    Ledger,
    /// `WCL_CALL_BUDGET` × concurrency × difficulties on one key, otherwise an error and a concurrency lower by one.
    WorstCase,
}

/// What is held for a raid and difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CallBounds {
    /// `WCL_CALL_BUDGET`.
    Declared,
    /// The highest observed cost, if that is lower.
    Learned,
}

impl From<CallBounds> for Bounds {
    fn from(bounds: CallBounds) -> Bounds {
        match bounds {
            CallBounds::Declared => Bounds::Declared,
            CallBounds::Learned => Bounds::Learned,
        }
    }
}

/// The ports and settings with which workers ration points.
#[derive(Clone)]
pub struct Budget {
    /// The keys.
    pub pool: Arc<dyn KeyPool>,
    /// The rank fetcher's concurrency.
    pub throttle: Arc<dyn Throttle>,
    /// For waking the reviver.
    pub wakeups: Arc<dyn Wakeups>,
    /// The backlog, which receives its un-parked messages.
    pub queue: Arc<dyn Queue>,
    /// The queue beside the backlog, for refreshes that do not wait their turn.
    pub refreshes: Arc<dyn Queue>,
    /// For reading counters.
    pub api: Arc<Api>,
    /// How ranks are requested.
    pub rank_queries: Arc<LiveRankQueries>,
    /// Which raids need not be fetched again.
    pub frozen: Arc<FrozenRaids>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The worker that is throttled.
    pub worker: WorkerId,
    /// The bound of one raid and difficulty, in all metrics of the settings.
    pub unit: Points,
    /// The operator's limit on concurrency.
    pub concurrency_limit: u32,
    /// Counts of what this process has done with the budget.
    pub counts: Arc<ProcessCounts>,
}

/// Counts of one process since it started.
#[derive(Debug, Default)]
pub struct ProcessCounts {
    calls: AtomicU64,
    parked: AtomicU64,
    resumed: AtomicU64,
    readings: AtomicU64,
}

/// The kinds of counts in a [`ProcessCounts`].
#[derive(Clone, Copy, Debug)]
pub enum Counted {
    /// API calls for ranks.
    Calls,
    /// Messages parked.
    Parked,
    /// Parked messages that were worked on again without a receive. A message that is parked again counts again.
    Resumed,
    /// Counters read on their own, without other work.
    Readings,
}

impl ProcessCounts {
    pub(crate) fn count(&self, kind: Counted, times: usize) {
        self.counter(kind).fetch_add(times as u64, Ordering::Relaxed);
    }

    /// Returns the count so far.
    pub fn total(&self, kind: Counted) -> u64 {
        self.counter(kind).load(Ordering::Relaxed)
    }

    fn counter(&self, kind: Counted) -> &AtomicU64 {
        match kind {
            Counted::Calls => &self.calls,
            Counted::Parked => &self.parked,
            Counted::Resumed => &self.resumed,
            Counted::Readings => &self.readings,
        }
    }
}

/// Result of rebalancing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RebalanceResult {
    /// The concurrency now in effect.
    pub concurrency: u32,
    /// Messages sent back to their queues.
    pub unparked: u64,
    /// Counters read.
    pub readings: u64,
    /// Calls in flight in all processes; `None` if there is no ledger that knows.
    #[serde(skip)]
    pub in_flight: Option<u64>,
}

/// Returns how many calls are in flight in all processes.
pub(crate) fn in_flight(keys: &[KeyStatus]) -> u64 {
    keys.iter().map(|key| key.in_flight).sum()
}

impl Budget {
    /// Reads the counters whose reading would help, sends back the refreshes that can be paid for, and sets concurrency
    /// to what the pool can pay for. At 0 it sets the wake-up for the next points. Safe to run twice, by hand, or late.
    pub async fn rebalance(&self) -> PortResult<RebalanceResult> {
        let call = self.unit.saturating_mul(TYPICAL_UNITS * BATCH as u64);
        let mut result = RebalanceResult::default();
        for _ in 0..MAX_POOL_READS {
            if let Some(outage) = self.outage().await {
                return Ok(RebalanceResult {
                    readings: result.readings,
                    unparked: result.unparked,
                    ..self.hold_at_zero(&outage).await?
                });
            }
            if !self.can_pay_trial_call().await? {
                result.readings += self.read_counters(self.unit).await?;
            }
            let (unit, concurrency_limit, call_timeout) =
                (self.unit, self.max_concurrent_calls().await, self.api.call_timeout());
            let inputs = PlanInputs { unit, call, call_timeout, concurrency_limit };
            let keys = self.pool.keys().await?;
            record_held(&keys);
            result.in_flight = Some(in_flight(&keys));
            // Refreshes are sent before any other message is released.
            result.unparked += self.seed_refreshes(&keys).await?;
            let plan = throttle_plan(&keys, &inputs, self.clock.now());
            let current = self.throttle.read(&self.worker).await?.limit;
            // A host that applies the throttle at once gets the exact value; a throttle in the cloud is slow, and its
            // writes are rationed.
            let applies_at_once = self.throttle.lag().is_zero();
            result.concurrency =
                if applies_at_once { plan.concurrency } else { throttle_step(current, &plan, concurrency_limit) };
            if !self.apply(&plan, current, result.concurrency).await? {
                break;
            }
        }
        Ok(result)
    }

    /// Leaves rebalancing to the reviver, for callers that have no time for it.
    pub(crate) async fn rebalance_soon(&self) -> PortResult<()> {
        self.wakeups.once(REVIVE, &worker("reviver"), after(self.clock.now(), RETRY_READING)).await
    }

    /// Applies the plan. Returns whether the throttle had to be changed.
    pub(crate) async fn apply(&self, plan: &ThrottlePlan, current: Option<u32>, concurrency: u32) -> PortResult<bool> {
        if current == Some(concurrency) && concurrency > 0 {
            return Ok(false);
        }
        if concurrency == 0 {
            let now = self.clock.now();
            // A reset that has passed but could not be read: the upstream is called again, but not at once.
            let wake_at = plan.wake_at.filter(|at| *at > now).unwrap_or_else(|| after(now, RETRY_READING));
            self.wakeups.once(REVIVE, &worker("reviver"), wake_at).await?;
        }
        if current == Some(concurrency) {
            return Ok(false);
        }
        tracing::debug!(worker = %self.worker, from = current, to = concurrency, "concurrency changed");
        self.set_concurrency(concurrency).await?;
        Ok(true)
    }

    /// The API with the keys that pay for it.
    pub fn paid_api(&self) -> PaidApi<'_> {
        PaidApi { pool: &*self.pool, api: &self.api, counts: &self.counts, clock: &*self.clock }
    }

    /// Reads every counter whose reading would help a caller who needs `needed` points. Returns how many were read.
    pub async fn read_counters(&self, needed: Points) -> PortResult<u64> {
        Ok(self.paid_api().read_counters(needed).await?.read)
    }

    /// Sends parked refreshes back once one of them can be paid for, possibly from the reserve: the wake-up that the
    /// backlog waits for may be far away at that time.
    async fn seed_refreshes(&self, keys: &[KeyStatus]) -> PortResult<u64> {
        let payable = keys.iter().any(|key| key.free.saturating_add(key.reserved) >= self.unit);
        self.seed(&*self.refreshes, if payable { REFRESHERS } else { 0 }).await
    }

    /// Sends parked messages to an empty queue: enough to give every invocation that may run something to do. The
    /// invocations then continue with the other parked messages, which costs no receive. A queue that has messages
    /// needs none.
    pub(crate) async fn seed(&self, queue: &dyn Queue, concurrency: u32) -> PortResult<u64> {
        if concurrency == 0 || self.pool.count_parked(queue.name()).await? == 0 {
            return Ok(0);
        }
        let counts = queue.counts().await?;
        let wanted = concurrency as usize * BATCH;
        let room = wanted.saturating_sub(usize::try_from(counts.visible).unwrap_or(usize::MAX));
        self.unpark(queue, room).await
    }

    /// Sends parked messages back to their queue, at most `room`.
    pub(crate) async fn unpark(&self, queue: &dyn Queue, room: usize) -> PortResult<u64> {
        let mut sent = 0;
        while sent < room {
            let leased = self.pool.claim_parked(queue.name(), (room - sent).min(MAX_BATCH), UNPARK_LEASE).await?;
            if leased.is_empty() {
                break;
            }
            let messages: Vec<NewMessage> = leased.iter().map(|parked| NewMessage::new(parked.body.clone())).collect();
            queue.send(&messages).await?;
            self.pool.forget_parked(&leased).await?;
            sent += leased.len();
        }
        Ok(sent as u64)
    }
}
