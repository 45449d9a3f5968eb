//! The throttle port on Lambda's event source mappings.
//!
//! Reserved concurrency stays as it was deployed, except with [`ReservedThrottle`]: a function at its reserved concurrency refuses batches that its
//! mapping has already received, which uses up receives. A mapping at its maximum concurrency does not receive.
//!
//! What may happen between any two lines:
//! * Many processes plan the same change at once: the first one stores a pending write, and all others see it and write
//!   nothing.
//! * A writer exits or runs out of time: its lease ends, and the next process that plans sees what was written before,
//!   and writes.
//! * Two writers want different values: the later pending write replaces the earlier. Their requests may reach the
//!   mapping in either order, so the earlier writer, which finds its pending write replaced, writes the current value
//!   once more. If it exits just before that, the mapping has the older value until the next change. No point is spent
//!   twice because of that: the ledger grants points, not the throttle.

mod mapping;
mod memory;
mod reserved;
mod retry;
mod setting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use stint_core::clock::Clock;
use stint_core::ports::{Concurrency, PortError, PortResult, Throttle};
use stint_core::worker::WorkerId;

use mapping::Mappings;
use setting::MappingSetting;

pub use memory::{DesiredState, PendingWrite, ThrottleMemory, ThrottleRecord};
pub use reserved::ReservedThrottle;

/// How long a mapping may take to apply a change: an update returns 202, and the mapping's state changes later.
/// [assumed: tens of seconds have been seen, nothing is documented]
pub const MAPPING_LAG: Duration = Duration::from_secs(30);

/// How often a change is tried again because another process changed the record meanwhile.
const TRIES: u32 = 10;

/// Sets the maximum concurrency of functions' event source mappings, and disables a mapping at 0 so that it does not
/// poll.
///
/// The current value is kept in a [`ThrottleMemory`] and read from there: reading the control plane after each batch
/// would exceed its rate limit. A worker without a queue has no mapping; its value is stored for its host to read.
pub struct MappingThrottle {
    mappings: Mappings,
    /// The functions of the workers that are throttled, by worker.
    functions: BTreeMap<WorkerId, String>,
    memory: Arc<dyn ThrottleMemory>,
    clock: Arc<dyn Clock>,
}

impl MappingThrottle {
    /// Creates throttles; `functions` are those of the workers that a queue feeds, by worker. The client must not retry
    /// by itself.
    pub(crate) fn new(
        client: Client,
        functions: BTreeMap<WorkerId, String>,
        memory: Arc<dyn ThrottleMemory>,
        clock: Arc<dyn Clock>,
    ) -> MappingThrottle {
        MappingThrottle { mappings: Mappings::new(client, clock.clone()), functions, memory, clock }
    }

    /// Returns the function of a worker that a queue feeds.
    fn function(&self, worker: &WorkerId) -> Option<&str> {
        self.functions.get(worker).map(String::as_str)
    }

    async fn change(&self, worker: &WorkerId, change: impl Fn(&mut DesiredState) + Send + Sync) -> PortResult<()> {
        for _ in 0..TRIES {
            let record = self.memory.load(worker).await?;
            let mut wanted = record.current(self.clock.now());
            change(&mut wanted);
            let Some(intended) = record.begin_write(wanted, &*self.clock) else { return Ok(()) };
            let is_unchanged = record.intent.is_none() && MappingSetting::from(record.written) == wanted.into();
            if is_unchanged || !self.functions.contains_key(worker) {
                // The mapping would not change.
                if self.memory.replace(worker, &intended.finished()).await? {
                    return Ok(());
                }
            } else if self.memory.replace(worker, &intended).await? {
                return self.perform_write(worker, &intended.stored(), wanted).await;
            }
        }
        Err(contended(worker))
    }

    /// Writes the value of `intended`, which is stored, to the mapping.
    async fn perform_write(
        &self,
        worker: &WorkerId,
        intended: &ThrottleRecord,
        wanted: DesiredState,
    ) -> PortResult<()> {
        if let Err(error) = self.write_mapping(worker, wanted).await {
            if let Err(error) = self.memory.replace(worker, &intended.failed(self.clock.now())).await {
                tracing::warn!(%worker, %error, "a failed throttle write stays in force until its lease ends");
            }
            return Err(error);
        }
        if self.memory.replace(worker, &intended.finished()).await? {
            return Ok(());
        }
        for _ in 0..TRIES {
            let latest = self.memory.load(worker).await?;
            self.write_mapping(worker, latest.current(self.clock.now())).await?;
            if self.memory.load(worker).await?.version == latest.version {
                return Ok(());
            }
        }
        Err(contended(worker))
    }

    async fn write_mapping(&self, worker: &WorkerId, wanted: DesiredState) -> PortResult<()> {
        match self.functions.get(worker) {
            Some(function) => self.mappings.write(function, wanted.into()).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Throttle for MappingThrottle {
    async fn read(&self, worker: &WorkerId) -> PortResult<Concurrency> {
        Ok(self.memory.load(worker).await?.current(self.clock.now()).into())
    }

    async fn set(&self, worker: &WorkerId, concurrency: u32) -> PortResult<()> {
        self.change(worker, |wanted| wanted.concurrency = Some(concurrency)).await
    }

    async fn pause(&self, worker: &WorkerId) -> PortResult<()> {
        self.change(worker, |wanted| wanted.paused = true).await
    }

    async fn resume(&self, worker: &WorkerId) -> PortResult<()> {
        self.change(worker, |wanted| wanted.paused = false).await
    }

    fn lag(&self) -> Duration {
        MAPPING_LAG
    }
}

fn contended(worker: &WorkerId) -> PortError {
    PortError::backend(format!("throttle '{worker}'"), "other processes changed it each time")
}
