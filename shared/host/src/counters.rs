//! Counters of a host's work.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use stint_core::worker::{Outcome, WorkerError};

/// The counts of one host since it was created.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) invocations: AtomicU64,
    pub(crate) wasted: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Invocations of all workers.
    pub invocations: u64,
    /// Invocations of queue-driven workers that failed or could do nothing.
    pub wasted: u64,
    /// Messages received.
    pub received: u64,
    /// Messages acknowledged.
    pub succeeded: u64,
    /// Messages released after a failure.
    pub released: u64,
    /// Messages moved to the dead letters because they can never succeed.
    pub rejected: u64,
}

impl Counters {
    /// Returns the current counts.
    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            invocations: read(&self.invocations),
            wasted: read(&self.wasted),
            received: read(&self.received),
            succeeded: read(&self.succeeded),
            released: read(&self.released),
            rejected: read(&self.rejected),
        }
    }

    /// Counts an invocation of a queue-driven worker.
    pub(crate) fn count_batch(&self, outcome: &Result<Outcome, WorkerError>) {
        Counters::add(&self.invocations, 1);
        if outcome.as_ref().map_or(true, |outcome| outcome.idle) {
            Counters::add(&self.wasted, 1);
        }
    }

    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}
