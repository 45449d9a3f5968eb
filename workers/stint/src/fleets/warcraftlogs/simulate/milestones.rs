//! The times at which the simulated fleet passed its milestones, and a replacement for its database generator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_core::worker::{Event, Invocation, Outcome, Worker, WorkerError, WorkerSpec};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::store::{Milestone, MilestoneTimes, Milestones};

/// Milestones in memory.
#[derive(Default)]
pub(super) struct MemoryMilestones(Mutex<State>);

#[derive(Default)]
struct State {
    reached: MilestoneTimes,
    /// All times at which databases were generated.
    generated: Vec<Timestamp>,
}

impl MemoryMilestones {
    /// Returns the times at which databases were generated.
    pub(super) fn generated(&self) -> Vec<Timestamp> {
        self.lock().generated.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Milestones for MemoryMilestones {
    async fn reached(&self) -> PortResult<MilestoneTimes> {
        Ok(self.lock().reached)
    }

    async fn pass(&self, milestone: Milestone, at: Timestamp) -> PortResult<()> {
        let mut state = self.lock();
        state.reached.set(milestone, at);
        if milestone == Milestone::Generated {
            state.generated.push(at);
        }
        Ok(())
    }
}

/// Replaces the database generator. It writes no files, because a simulation stores no ranks.
pub(super) struct NoopGenerator(pub(super) Arc<dyn Milestones>);

impl Worker for NoopGenerator {
    const SPEC: WorkerSpec = DbGenerator::SPEC;

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.pass(Milestone::Generated, invocation.now()).await?;
        Ok(Outcome::default())
    }
}
