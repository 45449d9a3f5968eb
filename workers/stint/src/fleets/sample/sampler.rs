//! Stores a sample every minute.
//!
//! # If the process exits between any two lines
//! * *Before the sample is stored:* nothing was done, and the next tick stores a sample.
//! * *After it:* the sample is stored. Running the same tick again stores it under the same time, which changes nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use stint_core::ports::PortResult;
use stint_core::schedule::Every;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

/// The store of samples.
#[async_trait]
pub(super) trait Samples: Send + Sync {
    /// Stores the sample of the time `at`; storing it again changes nothing. Returns how many samples are stored.
    async fn add(&self, at: Timestamp) -> PortResult<u64>;

    /// Returns how many samples are stored.
    async fn count(&self) -> PortResult<u64>;
}

/// Stores samples.
pub(super) struct Sampler {
    samples: Arc<dyn Samples>,
}

impl Sampler {
    /// Creates the worker with the one port that it needs.
    pub(super) fn new(samples: Arc<dyn Samples>) -> Sampler {
        Sampler { samples }
    }
}

impl Worker for Sampler {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "sample",
        name: "sampler",
        summary: "takes samples",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(60)))],
        concurrency: 2,
        timeout: Duration::from_secs(30),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let at = match event {
            Event::Tick { due, .. } => due,
            Event::Manual(_) => invocation.now(),
            Event::Batch(_) | Event::Request(_) => {
                return Err(WorkerError::Event("sampler has a schedule only".to_owned()));
            }
        };
        let stored = self.samples.add(at).await?;
        Ok(Outcome::report(json!({ "samples": stored })))
    }
}

#[cfg(test)]
mod tests {
    use stint_core::clock::Clock;
    use stint_core::worker::StopSignal;
    use stint_host::SystemClock;

    use super::super::store::MemorySamples;
    use super::*;

    #[tokio::test]
    async fn a_tick_that_runs_twice_stores_one_sample() {
        let worker = Sampler::new(Arc::new(MemorySamples::default()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let due = clock.now();
        let invocation = Invocation::new(clock, due + Sampler::SPEC.timeout, StopSignal::default());
        for _ in 0..2 {
            let outcome = worker.run(Event::Tick { due, wakeup: None }, &invocation).await.unwrap();
            assert_eq!(outcome.report, json!({ "samples": 1 }));
        }
    }
}
