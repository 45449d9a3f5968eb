//! The throttle port on Lambda's event source mappings.
//!
//! Reserved concurrency is left as it was deployed: a function at its reserved concurrency refuses batches that its
//! mapping has already received, which burns receives. A mapping at its maximum does not receive.
//!
//! What may happen between any two lines:
//! * Many plan the same change at once: the first keeps its intent, and all others see it and write nothing.
//! * A writer dies, or runs out of time: its intent lapses, and whoever plans next sees what was written before, and
//!   writes.
//! * Two writers want different things: the later intent replaces the earlier. Their writes may reach the mapping in
//!   either order, so the earlier writer, who finds its intent replaced, writes what holds now once more. Should it die
//!   right there, the mapping has the older value until the next change. No point is spent twice for that: the ledger
//!   lends them, not the throttle.

mod mapping;
mod memory;
mod setting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use stint_core::clock::Clock;
use stint_core::ports::{Concurrency, PortError, PortResult, Throttle};

use mapping::Mappings;
use setting::MappingSetting;

pub use memory::{Intent, ThrottleMemory, ThrottleRecord, Wanted};

/// Until a mapping obeys: an update answers 202, and its state changes by itself. [assumed: tens of seconds have been
/// seen, nothing is documented]
pub const MAPPING_LAG: Duration = Duration::from_secs(30);

/// How often a change is begun anew because somebody else changed the record in between.
const TRIES: u32 = 10;

/// Steers the event source mappings of functions: their maximum concurrency, and at 0 whether they poll.
///
/// What was set is kept in a [`ThrottleMemory`] and read from there: a read of the control plane after each batch would
/// be more than it grants. A worker that no queue feeds has no mapping; what is set for it is kept for its host.
pub struct MappingThrottle {
    mappings: Mappings,
    /// The functions that are steered, by worker.
    functions: BTreeMap<String, String>,
    memory: Arc<dyn ThrottleMemory>,
    clock: Arc<dyn Clock>,
}

impl MappingThrottle {
    /// Throttles; `functions` are those that a queue feeds, by worker. The client must not try again by itself.
    pub(crate) fn new(
        client: Client,
        functions: BTreeMap<String, String>,
        memory: Arc<dyn ThrottleMemory>,
        clock: Arc<dyn Clock>,
    ) -> MappingThrottle {
        MappingThrottle { mappings: Mappings::new(client, clock.clone()), functions, memory, clock }
    }

    async fn change(&self, worker: &str, change: impl Fn(&mut Wanted) + Send + Sync) -> PortResult<()> {
        for _ in 0..TRIES {
            let record = self.memory.load(worker).await?;
            let mut wanted = record.current(self.clock.now());
            change(&mut wanted);
            let Some(intended) = record.intend(wanted, &*self.clock) else { return Ok(()) };
            let unheard = record.intent.is_none() && MappingSetting::from(record.written) == wanted.into();
            if unheard || !self.functions.contains_key(worker) {
                // The mapping would not notice.
                if self.memory.replace(worker, &intended.carried_out()).await? {
                    return Ok(());
                }
            } else if self.memory.replace(worker, &intended).await? {
                return self.carry_out(worker, &intended.kept(), wanted).await;
            }
        }
        Err(contended(worker))
    }

    /// Tells the mapping what `intended` says, which is kept.
    async fn carry_out(&self, worker: &str, intended: &ThrottleRecord, wanted: Wanted) -> PortResult<()> {
        if let Err(error) = self.tell(worker, wanted).await {
            if let Err(error) = self.memory.replace(worker, &intended.given_up(self.clock.now())).await {
                tracing::warn!(worker, %error, "a failed write of the throttle is relied on until its intent lapses");
            }
            return Err(error);
        }
        if self.memory.replace(worker, &intended.carried_out()).await? {
            return Ok(());
        }
        for _ in 0..TRIES {
            let latest = self.memory.load(worker).await?;
            self.tell(worker, latest.current(self.clock.now())).await?;
            if self.memory.load(worker).await?.version == latest.version {
                return Ok(());
            }
        }
        Err(contended(worker))
    }

    async fn tell(&self, worker: &str, wanted: Wanted) -> PortResult<()> {
        match self.functions.get(worker) {
            Some(function) => self.mappings.write(function, wanted.into()).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Throttle for MappingThrottle {
    async fn read(&self, worker: &str) -> PortResult<Concurrency> {
        Ok(self.memory.load(worker).await?.current(self.clock.now()).into())
    }

    async fn set(&self, worker: &str, concurrency: u32) -> PortResult<()> {
        self.change(worker, |wanted| wanted.concurrency = Some(concurrency)).await
    }

    async fn pause(&self, worker: &str) -> PortResult<()> {
        self.change(worker, |wanted| wanted.paused = true).await
    }

    async fn resume(&self, worker: &str) -> PortResult<()> {
        self.change(worker, |wanted| wanted.paused = false).await
    }

    fn lag(&self) -> Duration {
        MAPPING_LAG
    }
}

fn contended(worker: &str) -> PortError {
    PortError::backend(format!("throttle '{worker}'"), "others changed it each time")
}
