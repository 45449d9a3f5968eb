//! The workers of one process, which a test runs by hand or through the loops of a host.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join, join_all};
use serde_json::Value;
use stint_core::clock::{Clock, after};
use stint_core::registry::Registry;
use stint_core::worker::{Event, Invocation, Outcome, StopSignal, WorkerError, WorkerId};

/// Time-out of a worker that is run by hand, unless the test sets another.
const BY_HAND: Duration = Duration::from_secs(15 * 60);

/// The workers of one process, and the signal that stops it.
pub struct Workers {
    fleet: &'static str,
    registry: Registry,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
}

impl Workers {
    /// Takes the workers of `registry`, all of `fleet`. Their process ends when `stop` is set.
    pub fn new(fleet: &'static str, registry: Registry, clock: Arc<dyn Clock>, stop: StopSignal) -> Workers {
        Workers { fleet, registry, clock, stop }
    }

    /// Runs a worker once, by hand, with `time` until its deadline.
    ///
    /// # Panics
    /// If there is no such worker.
    pub async fn invoke(&self, worker: &'static str, event: Event, time: Duration) -> Result<Outcome, WorkerError> {
        let found = self.registry.find(&WorkerId::new(self.fleet, worker));
        let worker = found.unwrap_or_else(|| panic!("there is no worker {worker}"));
        let invocation = Invocation::new(self.clock.clone(), after(self.clock.now(), time), self.stop.clone());
        worker.invoke(event, &invocation).await
    }

    /// Runs a worker once, by hand, with `event`, and returns its report.
    ///
    /// # Panics
    /// If the worker fails.
    pub async fn run(&self, worker: &'static str, event: Value) -> Value {
        let outcome = self.invoke(worker, Event::Manual(event), BY_HAND).await;
        outcome.unwrap_or_else(|error| panic!("{worker} failed: {error}")).report
    }

    /// Runs the loops of a host beside `main`, and stops them after it: they complete when they are drained. A process is
    /// run once.
    pub async fn run_while(&self, loops: Vec<BoxFuture<'static, ()>>, main: impl Future<Output = ()>) {
        let end = async {
            main.await;
            self.stop.set();
        };
        join(join_all(loops), end).await;
    }
}
