//! When the simulated fleet last passed its stages, and what stands in the place of its database generator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_core::worker::{Event, Invocation, Outcome, Spec, Worker, WorkerError};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::store::{Milestone, Milestones, Reached};

/// The stages in memory.
#[derive(Default)]
pub(super) struct MemoryMilestones(Mutex<State>);

#[derive(Default)]
struct State {
    reached: Reached,
    /// Every time that databases were generated.
    generated: Vec<Timestamp>,
}

impl MemoryMilestones {
    /// When databases were generated.
    pub(super) fn generated(&self) -> Vec<Timestamp> {
        self.lock().generated.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Milestones for MemoryMilestones {
    async fn reached(&self) -> PortResult<Reached> {
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

/// The database generator as the fleet sees it. It writes no files, since a simulation keeps no ranks.
pub(super) struct Generator(pub(super) Arc<dyn Milestones>);

impl Worker for Generator {
    const SPEC: Spec = DbGenerator::SPEC;

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.pass(Milestone::Generated, invocation.now()).await?;
        Ok(Outcome::default())
    }
}
