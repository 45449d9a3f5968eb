//! Changing a function's concurrency: rate-limited, slow, and in effect only after a delay.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{Concurrency, PortError, PortResult, Throttle};
use stint_core::worker::WorkerId;

use crate::random::Random;

/// Requests per second of all Lambda API operations except Invoke, GetFunction and GetPolicy together, in one account
/// and region. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const REQUESTS_PER_SECOND: u32 = 15;

/// Duration of one control-plane request. (assumed)
pub const REQUEST_TIME: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(250));

/// Time until a write of reserved concurrency takes effect. (assumed: not documented)
pub const RESERVED_DELAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// Time until a write to an event source mapping takes effect: the request returns 202, and the mapping changes its
/// state later. (assumed: tens of seconds have been observed, nothing is documented)
pub const MAPPING_DELAY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// The lowest and the highest maximum concurrency of an event source mapping.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
pub const MAXIMUM_CONCURRENCY: (u32, u32) = (2, 1_000);

/// A setting that takes effect some time after it was written. Writes take effect in the order in which they were made.
#[derive(Debug)]
pub struct Delayed<T> {
    effective: T,
    pending: VecDeque<(Timestamp, T)>,
}

impl<T: Copy> Delayed<T> {
    fn new(effective: T) -> Delayed<T> {
        Delayed { effective, pending: VecDeque::new() }
    }

    fn write(&mut self, value: T, at: Timestamp) {
        // A later write never takes effect before an earlier one.
        let at = self.pending.back().map_or(at, |(last, _)| at.max(*last));
        self.pending.push_back((at, value));
    }

    fn at(&mut self, now: Timestamp) -> T {
        while let Some((_, value)) = self.pending.pop_front_if(|(at, _)| *at <= now) {
            self.effective = value;
        }
        self.effective
    }
}

/// A function's reserved concurrency, as the data plane sees it. `None` if it was never set.
#[derive(Debug)]
pub struct Reserved(Mutex<Delayed<Option<u32>>>);

impl Reserved {
    /// Returns reserved concurrency with its deployed value.
    pub fn new(deployed: Option<u32>) -> Arc<Reserved> {
        Arc::new(Reserved(Mutex::new(Delayed::new(deployed))))
    }

    /// Returns the value in effect at `now`.
    pub fn effective(&self, now: Timestamp) -> Option<u32> {
        lock(&self.0).at(now)
    }
}

/// The setting of an event source mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingSetting {
    /// Whether it polls.
    pub enabled: bool,
    /// The most concurrent batches; `None` means the service's own limit.
    pub maximum_concurrency: Option<u32>,
}

/// A mapping's setting, as its pollers see it.
#[derive(Debug)]
pub struct MappingControl(Mutex<Delayed<MappingSetting>>);

impl MappingControl {
    /// Returns a mapping with its deployed setting.
    pub fn new(deployed: MappingSetting) -> Arc<MappingControl> {
        Arc::new(MappingControl(Mutex::new(Delayed::new(deployed))))
    }

    /// Returns the setting in effect at `now`.
    pub fn effective(&self, now: Timestamp) -> MappingSetting {
        lock(&self.0).at(now)
    }
}

/// Requests to the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlUsage {
    /// Changes of concurrency to another value.
    pub throttle_writes: u64,
    /// Requests, refused ones included.
    pub requests: u64,
    /// Requests refused by the rate limit.
    pub refused: u64,
}

/// Throttles a worker by its reserved concurrency, by its mapping, or by both. At 0 a mapping is paused, so that its
/// pollers burn no receives.
///
/// The last set value is kept in a store beside the keys and read from there: reading the control plane after each
/// batch would exceed its rate limit.
pub struct AwsThrottle {
    clock: Arc<dyn Clock>,
    random: Random,
    reserved: BTreeMap<WorkerId, Arc<Reserved>>,
    mappings: BTreeMap<WorkerId, Arc<MappingControl>>,
    state: Mutex<State>,
}

struct State {
    records: BTreeMap<WorkerId, Concurrency>,
    usage: ControlUsage,
    /// A token bucket, refilled at the permitted rate.
    tokens: f64,
    filled_at: Timestamp,
}

impl AwsThrottle {
    /// Returns a throttle of the workers in `reserved`. For those in `mappings`, the mapping is changed too.
    pub fn new(
        clock: Arc<dyn Clock>,
        seed: u64,
        reserved: BTreeMap<WorkerId, Arc<Reserved>>,
        mappings: BTreeMap<WorkerId, Arc<MappingControl>>,
    ) -> AwsThrottle {
        let (tokens, filled_at) = (f64::from(REQUESTS_PER_SECOND), clock.now());
        let state = State { records: BTreeMap::new(), usage: ControlUsage::default(), tokens, filled_at };
        AwsThrottle { clock, random: Random::new(seed, "control plane"), reserved, mappings, state: Mutex::new(state) }
    }

    /// Returns the requests so far.
    pub fn usage(&self) -> ControlUsage {
        lock(&self.state).usage
    }

    /// Makes one request. Fails if the rate limit is exceeded.
    async fn request(&self, operation: &str) -> PortResult<()> {
        let granted = {
            let now = self.clock.now();
            let mut state = lock(&self.state);
            let rate = f64::from(REQUESTS_PER_SECOND);
            state.tokens = (state.tokens + between(state.filled_at, now).as_secs_f64() * rate).min(rate);
            state.filled_at = now;
            state.usage.requests += 1;
            let granted = state.tokens >= 1.0;
            state.tokens -= if granted { 1.0 } else { 0.0 };
            state.usage.refused += u64::from(!granted);
            granted
        };
        if !granted {
            return Err(PortError::backend(operation.to_owned(), "TooManyRequestsException: rate exceeded"));
        }
        self.clock.sleep(self.random.within(REQUEST_TIME)).await;
        Ok(())
    }

    async fn write(&self, worker: &WorkerId, concurrency: Concurrency) -> PortResult<()> {
        let effective = concurrency.effective(u32::MAX);
        if let Some(reserved) = self.reserved.get(worker) {
            self.request("PutFunctionConcurrency").await?;
            let at = after(self.clock.now(), self.random.within(RESERVED_DELAY));
            let value = if concurrency.paused { Some(0) } else { concurrency.limit };
            lock(&reserved.0).write(value, at);
        }
        if let Some(mapping) = self.mappings.get(worker) {
            self.request("UpdateEventSourceMapping").await?;
            let at = after(self.clock.now(), self.random.within(MAPPING_DELAY));
            let (least, most) = MAXIMUM_CONCURRENCY;
            let maximum_concurrency = Some(effective.clamp(least, most));
            lock(&mapping.0).write(MappingSetting { enabled: effective > 0, maximum_concurrency }, at);
        }
        Ok(())
    }

    /// Changes the record first, so that no other process writes the same value. Restores it if the control plane
    /// refuses the request.
    async fn change(&self, worker: &WorkerId, change: impl Fn(&mut Concurrency)) -> PortResult<()> {
        let (before, now) = {
            let mut state = lock(&self.state);
            let record = state.records.entry(worker.clone()).or_insert(UNSET);
            let before = *record;
            change(record);
            let now = *record;
            state.usage.throttle_writes += u64::from(before != now);
            (before, now)
        };
        if before == now {
            return Ok(());
        }
        let written = self.write(worker, now).await;
        if written.is_err() {
            lock(&self.state).records.insert(worker.clone(), before);
        }
        written
    }
}

const UNSET: Concurrency = Concurrency { limit: None, paused: false };

#[async_trait]
impl Throttle for AwsThrottle {
    async fn read(&self, worker: &WorkerId) -> PortResult<Concurrency> {
        Ok(lock(&self.state).records.get(worker).copied().unwrap_or(UNSET))
    }

    async fn set(&self, worker: &WorkerId, concurrency: u32) -> PortResult<()> {
        self.change(worker, |record| record.limit = Some(concurrency)).await
    }

    async fn pause(&self, worker: &WorkerId) -> PortResult<()> {
        self.change(worker, |record| record.paused = true).await
    }

    async fn resume(&self, worker: &WorkerId) -> PortResult<()> {
        self.change(worker, |record| record.paused = false).await
    }

    fn lag(&self) -> Duration {
        let reserved = if self.reserved.is_empty() { Duration::ZERO } else { RESERVED_DELAY.1 };
        if self.mappings.is_empty() { reserved } else { MAPPING_DELAY.1 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
