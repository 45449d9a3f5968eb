//! All workers in one process: schedules, wake-ups and queues of this machine.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, Either, FutureExt, select};
use futures::stream::FuturesUnordered;
use stint_core::clock::{Clock, after};
use stint_core::ports::{Firing, PortResult, Queue, Throttle, WakeupSource, Wakeups};
use stint_core::registry::Registry;
use stint_core::worker::{AnyWorker, Event, Outcome, QueueTrigger, Stop, Trigger, WorkerError};

use crate::counters::Counters;
use crate::invoke::{invoke, invoke_batch};

/// Between two looks at queues, throttles and schedules when nothing in this process has changed: how late a change
/// by another process, or a message whose delay is over, is seen.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long an idle worker waits at a queue whose calls are paid for: 360 requests an hour, not 18,000. A stop, a pause
/// and a throttle that falls to 0 are that late.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a store has failed: it is asked again, but not in a tight loop.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// After a wake-up whose worker failed, until it fires again.
const FIRE_AGAIN: Duration = Duration::from_secs(30);

/// Beyond a worker's time-out, until a wake-up that was not completed is lent again.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Completes when something in this process may have changed.
pub type Changed = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What the host itself needs of the world.
#[derive(Clone)]
pub struct Ports {
    /// The queues that workers are fed from, by name.
    pub queues: BTreeMap<String, Arc<dyn Queue>>,
    /// Obeyed before each receive.
    pub throttle: Arc<dyn Throttle>,
    /// For setting schedules.
    pub wakeups: Arc<dyn Wakeups>,
    /// For reading what is due.
    pub due: Arc<dyn WakeupSource>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// When to look again at once.
    pub changed: Changed,
}

/// Runs workers here, each as often and as concurrently as its triggers and its throttle say.
///
/// Needs no runtime of its own: [`LocalHost::loops`] answers futures for any executor, so that tests drive the very
/// same host on virtual time.
pub struct LocalHost {
    registry: Registry,
    ports: Ports,
    counters: Arc<Counters>,
    stop: Stop,
}

impl LocalHost {
    /// A host for all workers of `registry`. It runs until `stop` is set, and then drains.
    pub fn new(registry: Registry, ports: Ports, stop: Stop) -> LocalHost {
        LocalHost { registry, ports, counters: Arc::default(), stop }
    }

    /// What this host has done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sets the schedules of all workers. Those that are set already keep their time.
    pub async fn set_schedules(&self) -> PortResult<()> {
        for worker in self.registry.workers() {
            let spec = worker.spec();
            for trigger in spec.triggers {
                if let Trigger::Every { period } = trigger {
                    self.ports.wakeups.every(&schedule_name(spec.name), spec.name, *period).await?;
                }
            }
        }
        Ok(())
    }

    /// One future per queue-driven worker and one for the clock. All of them complete once `stop` is set and what was
    /// running is done. Spawn them side by side.
    pub fn loops(self: &Arc<Self>) -> Vec<BoxFuture<'static, ()>> {
        let mut loops = vec![Arc::clone(self).follow_schedules().boxed()];
        for worker in self.registry.workers() {
            if let Some(trigger) = worker.spec().queue() {
                loops.push(Arc::clone(self).follow_queue(Arc::clone(worker), trigger).boxed());
            }
        }
        loops
    }

    /// Runs one worker once, by hand, and waits for it. Schedules and throttles have no say.
    pub async fn run(&self, fleet: &str, name: &str, event: Event) -> Result<Outcome, WorkerError> {
        let worker = self.registry.find(fleet, name);
        let worker = worker.ok_or_else(|| WorkerError::Event(format!("there is no worker {name} in {fleet}")))?;
        let outcome = invoke(&**worker, event, &self.ports.clock, &self.stop).await;
        Counters::add(&self.counters.invocations, 1);
        outcome
    }

    async fn follow_queue(self: Arc<Self>, worker: Arc<dyn AnyWorker>, trigger: QueueTrigger) {
        let Some(queue) = self.ports.queues.get(trigger.queue) else {
            tracing::error!(queue = trigger.queue, "no queue {} was given to the host", trigger.queue);
            return;
        };
        let mut running = FuturesUnordered::new();
        loop {
            let changed = (self.ports.changed)();
            let mut pause = LOOK_AGAIN;
            match self.receive(&*worker, &**queue, &trigger, running.len()).await {
                Ok(batches) => running.extend(
                    batches
                        .into_iter()
                        .map(|batch| invoke_batch(&*worker, &**queue, batch, &self.ports, &self.counters, &self.stop)),
                ),
                Err(error) => {
                    tracing::error!(queue = trigger.queue, %error, "cannot receive from {}: {error}", trigger.queue);
                    pause = AFTER_FAILURE;
                }
            }
            if self.stop.is_set() && running.is_empty() {
                return;
            }
            let wait = select(changed, self.ports.clock.sleep(pause));
            if running.is_empty() {
                wait.await;
            } else if let Either::Left(_) = select(running.next(), wait).await {
                // Whoever else is done by now is taken off in the same turn.
                while let Some(Some(())) = running.next().now_or_never() {}
            }
        }
    }

    /// Receives as many batches as the throttle leaves room for.
    async fn receive(
        &self,
        worker: &dyn AnyWorker,
        queue: &dyn Queue,
        trigger: &QueueTrigger,
        running: usize,
    ) -> PortResult<Vec<Vec<stint_core::ports::Delivery>>> {
        let mut batches = Vec::new();
        if self.stop.is_set() {
            return Ok(batches);
        }
        let spec = worker.spec();
        let allowed = self.ports.throttle.read(spec.name).await?.effective(spec.concurrency) as usize;
        while running + batches.len() < allowed {
            // Only where nothing else stands still meanwhile.
            let patience = if running + batches.len() == 0 { PATIENCE } else { Duration::ZERO };
            let batch = match queue.receive_patiently(trigger.batch, patience).await {
                // What was received before is worked on: it would be out of sight until its visibility times out.
                Err(error) if !batches.is_empty() => {
                    tracing::warn!(queue = trigger.queue, %error, "cannot receive more from {}: {error}", trigger.queue);
                    break;
                }
                received => received?,
            };
            if batch.is_empty() {
                break;
            }
            Counters::add(&self.counters.received, batch.len());
            batches.push(batch);
        }
        Ok(batches)
    }

    async fn follow_schedules(self: Arc<Self>) {
        let workers: Vec<&str> = self.registry.workers().iter().map(|worker| worker.spec().name).collect();
        let mut running = FuturesUnordered::new();
        loop {
            let changed = (self.ports.changed)();
            let mut pause = LOOK_AGAIN;
            if !self.stop.is_set() {
                match self.ports.due.claim_due(&workers, self.lease()).await {
                    Ok(due) => running.extend(due.into_iter().map(|firing| self.fire(firing))),
                    Err(error) => {
                        tracing::error!(%error, "cannot read what is due: {error}");
                        pause = AFTER_FAILURE;
                    }
                }
            }
            if self.stop.is_set() && running.is_empty() {
                return;
            }
            let wait = select(changed, self.ports.clock.sleep(pause));
            if running.is_empty() {
                wait.await;
            } else {
                select(running.next(), wait).await;
            }
        }
    }

    fn lease(&self) -> Duration {
        let longest = self.registry.workers().iter().map(|worker| worker.spec().timeout).max();
        longest.unwrap_or_default() + LEASE_MARGIN
    }

    /// Runs what is due. A paused worker's turn passes. A failed one-shot is set again, to fire soon; a failed schedule
    /// has its next tick.
    async fn fire(&self, firing: Firing) {
        let Some(worker) = self.registry.workers().iter().find(|worker| worker.spec().name == firing.worker) else {
            tracing::error!(worker = firing.worker, "{} is due, but was not asked for", firing.worker);
            return;
        };
        let failed = match self.fire_worker(&**worker, &firing).await {
            Ok(()) => false,
            Err(error) => {
                tracing::error!(worker = firing.worker, %error, "{} failed: {error}", firing.worker);
                true
            }
        };
        let ended = if failed && firing.name != schedule_name(&firing.worker) {
            let again = after(self.ports.clock.now(), FIRE_AGAIN);
            self.ports.wakeups.once(&firing.name, &firing.worker, again).await
        } else {
            self.ports.due.complete(&firing).await
        };
        if let Err(error) = ended {
            tracing::error!(wakeup = firing.name, %error, "cannot complete {}: {error}", firing.name);
        }
    }

    async fn fire_worker(&self, worker: &dyn AnyWorker, firing: &Firing) -> Result<(), WorkerError> {
        if self.ports.throttle.read(&firing.worker).await?.paused {
            tracing::info!(worker = firing.worker, "{} is due, but paused", firing.worker);
            return Ok(());
        }
        let outcome = invoke(worker, Event::Tick { due: firing.due }, &self.ports.clock, &self.stop).await;
        Counters::add(&self.counters.invocations, 1);
        let report = outcome?.report;
        tracing::info!(worker = firing.worker, %report, "{} is done: {report}", firing.worker);
        Ok(())
    }
}

fn schedule_name(worker: &str) -> String {
    format!("schedule-{worker}")
}
