//! The local host: all workers in one process, with the schedules, wake-ups and queues of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, Either, FutureExt, select};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::ports::{Firing, PortResult, Queue, Throttle, WakeupSource, Wakeups};
use stint_core::registry::Registry;
use stint_core::worker::{AnyWorker, Event, Outcome, QueueTrigger, StopSignal, WorkerError, WorkerId, WorkerSpec};

use crate::counters::Counters;
use crate::intake::QueueReceiver;
use crate::invoke::{BatchContext, invoke, invoke_batch};
use crate::listeners::{ListenerPorts, Supervisor};
use crate::schedules::{is_scheduled, set_schedule, time_to_run};
use crate::store_gate::StoreGate;

/// How often queues, throttles and schedules are checked if nothing in this process changes: the delay with which a
/// change by another process, or a message whose delay is over, is seen.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long a worker waits at an empty queue with paid calls, also while it is busy: 360 requests an hour instead of
/// 18,000. A stop, a pause and a throttle that falls to 0 take effect with this delay.
pub(crate) const LONG_POLL_WAIT: Duration = Duration::from_secs(10);

/// The wait after a store has failed, so that it is not retried in a tight loop.
pub(crate) const RETRY_WAIT: Duration = Duration::from_secs(5);

/// The wait after a worker failed until its wake-up fires again.
const REFIRE_WAIT: Duration = Duration::from_secs(30);

/// Added to a worker's time-out for the lease of a wake-up: if the wake-up is not completed by then, it is leased
/// again.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Receives the outcome of each invocation that a schedule or a wake-up has started, with the worker's id.
pub type Observer = Arc<dyn Fn(&WorkerId, &Result<Outcome, WorkerError>) + Send + Sync>;

/// Completes when something in this process may have changed.
pub type Changed = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The ports that the host itself uses.
#[derive(Clone)]
pub struct Ports {
    /// The queues that feed workers, by name.
    pub queues: BTreeMap<String, Arc<dyn Queue>>,
    /// Read before each receive.
    pub throttle: Arc<dyn Throttle>,
    /// Sets the schedules.
    pub wakeups: Arc<dyn Wakeups>,
    /// The source of due wake-ups.
    pub due: Arc<dyn WakeupSource>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Signals when to check again at once.
    pub changed: Changed,
}

/// Runs workers in this process, as often and as concurrently as their triggers and throttles say.
///
/// Needs no particular runtime: [`LocalHost::loops`] returns futures for any executor, so that tests drive the same
/// host on virtual time.
pub struct LocalHost {
    registry: Registry,
    ports: Ports,
    counters: Arc<Counters>,
    observer: Option<Observer>,
    listening: Option<ListenerPorts>,
    look_again: Duration,
    stop: StopSignal,
}

impl LocalHost {
    /// Creates a host for all workers of `registry`. It runs until `stop` is set, and then drains.
    pub fn new(registry: Registry, ports: Ports, stop: StopSignal) -> LocalHost {
        LocalHost {
            registry,
            ports,
            counters: Arc::default(),
            observer: None,
            listening: None,
            look_again: POLL_INTERVAL,
            stop,
        }
    }

    /// Returns the host with `observer`, which is called with the results of its workers.
    pub fn observed_by(self, observer: Observer) -> LocalHost {
        LocalHost { observer: Some(observer), ..self }
    }

    /// Returns the host with what it needs to run the listeners of its registry. Without it, it runs none.
    pub fn listening(self, ports: ListenerPorts) -> LocalHost {
        LocalHost { listening: Some(ports), ..self }
    }

    /// Returns the host with another interval at which queues, throttles and schedules are checked: five times a second
    /// unless set. For tests that run days of virtual time, whose cost is these checks. A message whose delay is over, or
    /// a wake-up that is due, is seen later by up to `interval`.
    pub fn looking_every(self, interval: Duration) -> LocalHost {
        LocalHost { look_again: interval, ..self }
    }

    /// Returns what this host has done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sets the schedules of all workers. Schedules that exist already keep their times. Called once per start: a worker
    /// whose schedule fires at the start is run soon after.
    pub async fn set_schedules(&self) -> PortResult<()> {
        for worker in self.registry.workers() {
            set_schedule(&worker.spec(), &*self.ports.wakeups, &*self.ports.clock).await?;
        }
        Ok(())
    }

    /// Returns one future per queue-driven worker, one per listener, and one for schedules and wake-ups. Run them side by side. All of
    /// them complete once `stop` is set and running invocations are done.
    pub fn loops(self: &Arc<Self>) -> Vec<BoxFuture<'static, ()>> {
        let mut loops = vec![Arc::clone(self).follow_schedules().boxed()];
        for worker in self.registry.workers() {
            if let Some(trigger) = worker.spec().queue() {
                loops.push(Arc::clone(self).follow_queue(Arc::clone(worker), trigger).boxed());
            }
        }
        if let Some(ports) = &self.listening {
            let (clock, stop) = (&self.ports.clock, &self.stop);
            loops.extend(self.registry.listeners().iter().map(|listener| {
                let (listener, ports) = (listener.clone(), ports.clone());
                Supervisor::new(listener, ports, clock.clone(), stop.clone(), self.look_again).run().boxed()
            }));
        }
        loops
    }

    /// Runs one worker once, by hand, and waits for it. Schedules and throttles do not apply.
    pub async fn run(&self, id: &WorkerId, event: Event) -> Result<Outcome, WorkerError> {
        let worker = self.registry.find(id);
        let worker = worker.ok_or_else(|| WorkerError::Event(format!("there is no worker {id}")))?;
        let outcome = invoke(&**worker, event, &self.ports.clock, &self.stop).await;
        Counters::add(&self.counters.invocations, 1);
        outcome
    }

    async fn follow_queue(self: Arc<Self>, worker: Arc<dyn AnyWorker>, trigger: QueueTrigger) {
        let Some(queue) = self.ports.queues.get(trigger.queue) else {
            tracing::error!(queue = trigger.queue, "the host has no queue {}", trigger.queue);
            return;
        };
        let gate = StoreGate::new(worker.spec().id(), worker.spec().timeout, self.ports.clock.clone());
        let context = self.batch_context(&*worker, &**queue, trigger.max_receives, &gate);
        let mut running: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        let mut intake = QueueReceiver::new(&**queue, trigger.batch, &*self.ports.clock, self.look_again);
        loop {
            if self.stop.is_set() && running.is_empty() && !intake.is_receiving() {
                return;
            }
            if gate.is_shut() && running.is_empty() && !gate.admits_besides(0) {
                // Batches that wait for their stores probe them too.
                running.push(gate.recover(&*worker, &self.stop).boxed());
            }
            if intake.is_idle() {
                self.start_receive_or_pause(&mut intake, &worker.spec(), &gate, running.len()).await;
            }
            let came = if running.is_empty() {
                Some(intake.next().await)
            } else {
                match select(running.next(), pin!(intake.next())).await {
                    Either::Left(_) => None,
                    Either::Right((batch, _)) => Some(batch),
                }
            };
            if came.is_none() {
                // Remove all other invocations that are done in the same turn; then there is room for a receive.
                while let Some(Some(())) = running.next().now_or_never() {}
                intake.wake();
            }
            if let Some(batch) = came.flatten() {
                Counters::add(&self.counters.received, batch.len());
                running.push(invoke_batch(&context, batch).boxed());
            }
        }
    }

    fn batch_context<'a>(
        &'a self,
        worker: &'a dyn AnyWorker,
        queue: &'a dyn Queue,
        max_receives: u32,
        gate: &'a StoreGate,
    ) -> BatchContext<'a> {
        let (clock, counters, stop) = (&self.ports.clock, &*self.counters, &self.stop);
        BatchContext { worker, queue, max_receives, clock, counters, stop, gate }
    }

    /// Makes an intake receive if the throttle and the worker's stores permit another invocation besides the `running`
    /// ones, and otherwise rest.
    async fn start_receive_or_pause(
        &self,
        intake: &mut QueueReceiver<'_>,
        spec: &WorkerSpec,
        gate: &StoreGate,
        running: usize,
    ) {
        let (changed, id) = ((self.ports.changed)(), spec.id());
        match self.ports.throttle.read(&id).await {
            _ if self.stop.is_set() || !gate.admits_besides(running) => intake.pause(changed, self.look_again),
            Ok(throttle) if running < throttle.effective(spec.concurrency) as usize => intake.receive(changed),
            Ok(_) => intake.pause(changed, self.look_again),
            Err(error) => {
                tracing::error!(worker = %id, %error, "cannot read the throttle of {id}: {error}");
                intake.pause(changed, RETRY_WAIT);
            }
        }
    }

    async fn follow_schedules(self: Arc<Self>) {
        let specs = self.registry.workers().iter().map(|worker| worker.spec());
        let workers: Vec<(WorkerId, Duration)> = specs.map(|spec| (spec.id(), spec.timeout + LEASE_MARGIN)).collect();
        let mut running = FuturesUnordered::new();
        let mut busy: BTreeSet<WorkerId> = BTreeSet::new();
        loop {
            let changed = (self.ports.changed)();
            let mut pause = self.look_again;
            if !self.stop.is_set() {
                // A wake-up that becomes due while its worker runs waits until the run is done.
                let idle: Vec<(WorkerId, Duration)> =
                    workers.iter().filter(|(worker, _)| !busy.contains(worker)).cloned().collect();
                match self.ports.due.claim_due(&idle).await {
                    Ok(due) => {
                        for (worker, firings) in by_worker(due) {
                            busy.insert(worker.clone());
                            running.push(self.fire(worker, firings));
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot read due wake-ups: {error}");
                        pause = RETRY_WAIT;
                    }
                }
            }
            if self.stop.is_set() && running.is_empty() {
                return;
            }
            let wait = select(changed, self.ports.clock.sleep(pause));
            if running.is_empty() {
                wait.await;
            } else if let Either::Left((Some(done), _)) = select(running.next(), wait).await {
                busy.remove(&done);
            }
        }
    }

    /// Runs a worker once for all of its wake-ups that are due, and returns its id. A paused worker is skipped, and so
    /// is one whose schedule is not active now.
    async fn fire(&self, id: WorkerId, firings: Vec<Firing>) -> WorkerId {
        if let Some(worker) = self.registry.find(&id) {
            let fired = match time_to_run(&worker.spec(), &firings, self.ports.clock.now()) {
                Some(due) => self.fire_worker(&**worker, due).await,
                None => Ok(()),
            };
            if let Err(error) = &fired {
                tracing::error!(worker = %id, %error, "{id} failed: {error}");
            }
            for firing in firings {
                self.end(&firing, fired.is_err()).await;
            }
        }
        id
    }

    /// Ends a firing. A failed one-shot wake-up is set again, to fire soon; a failed schedule waits for its next tick.
    async fn end(&self, firing: &Firing, failed: bool) {
        let ended = if failed && !is_scheduled(firing) {
            let again = after(self.ports.clock.now(), REFIRE_WAIT);
            self.ports.wakeups.once(&firing.name, &firing.worker, again).await
        } else {
            self.ports.due.complete(firing).await
        };
        if let Err(error) = ended {
            tracing::error!(wakeup = firing.name, %error, "cannot complete {}: {error}", firing.name);
        }
    }

    async fn fire_worker(&self, worker: &dyn AnyWorker, due: Timestamp) -> Result<(), WorkerError> {
        let id = worker.spec().id();
        if self.ports.throttle.read(&id).await?.paused {
            tracing::info!(worker = %id, "{id} is due, but paused");
            return Ok(());
        }
        let outcome = invoke(worker, Event::Tick { due, wakeup: None }, &self.ports.clock, &self.stop).await;
        Counters::add(&self.counters.invocations, 1);
        if let Some(observer) = &self.observer {
            observer(&id, &outcome);
        }
        let report = outcome?.report;
        tracing::info!(worker = %id, %report, "{id} is done: {report}");
        Ok(())
    }
}

/// Groups what is due by worker.
fn by_worker(due: Vec<Firing>) -> BTreeMap<WorkerId, Vec<Firing>> {
    let mut by_worker: BTreeMap<WorkerId, Vec<Firing>> = BTreeMap::new();
    for firing in due {
        by_worker.entry(firing.worker.clone()).or_default().push(firing);
    }
    by_worker
}
