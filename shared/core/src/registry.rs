//! The workers of a process, by fleet and name.

use std::sync::Arc;

use crate::worker::{AnyWorker, Worker};

/// The workers that a process can run.
#[derive(Clone, Default)]
pub struct Registry {
    workers: Vec<Arc<dyn AnyWorker>>,
}

impl Registry {
    /// Without workers.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a worker.
    #[must_use]
    pub fn with<W: Worker>(mut self, worker: W) -> Registry {
        self.workers.push(Arc::new(worker));
        self
    }

    /// All of them, in the order they were added.
    pub fn workers(&self) -> &[Arc<dyn AnyWorker>] {
        &self.workers
    }

    /// The worker `name` of `fleet`.
    pub fn find(&self, fleet: &str, name: &str) -> Option<&Arc<dyn AnyWorker>> {
        self.workers.iter().find(|worker| worker.spec().fleet == fleet && worker.spec().name == name)
    }
}
