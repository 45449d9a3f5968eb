//! The workers and listeners that a process can run, found by fleet and name.

use std::sync::Arc;

use crate::listener::{AnyListener, Listener};
use crate::worker::{AnyWorker, Worker, WorkerId};

/// The workers and listeners that a process can run.
#[derive(Clone, Default)]
pub struct Registry {
    workers: Vec<Arc<dyn AnyWorker>>,
    listeners: Vec<Arc<dyn AnyListener>>,
}

impl Registry {
    /// Creates a registry without workers.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a worker.
    #[must_use]
    pub fn with<W: Worker>(mut self, worker: W) -> Registry {
        self.workers.push(Arc::new(worker));
        self
    }

    /// Adds a listener.
    #[must_use]
    pub fn with_listener<L: Listener>(mut self, listener: L) -> Registry {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Returns all listeners in the order in which they were added.
    pub fn listeners(&self) -> &[Arc<dyn AnyListener>] {
        &self.listeners
    }

    /// Returns all workers in the order in which they were added.
    pub fn workers(&self) -> &[Arc<dyn AnyWorker>] {
        &self.workers
    }

    /// Returns the worker `id`, or `None` if the process does not have it.
    pub fn find(&self, id: &WorkerId) -> Option<&Arc<dyn AnyWorker>> {
        self.workers.iter().find(|worker| worker.spec().id() == *id)
    }
}
