//! Two fleets under one host whose workers have the same name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, join_all};
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::{NewMessage, Queue, QueueSettings};
use stint_core::registry::Registry;
use stint_core::schedule::Every;
use stint_core::worker::{
    Event, Invocation, Outcome, QueueTrigger, StopSignal, Trigger, Worker, WorkerError, WorkerId, WorkerSpec,
};
use stint_embedded::Embedded;
use stint_host::{LocalHost, Ports};
use stint_testkit::Driver;

const MINUTE: Duration = Duration::from_secs(60);

/// The ids of the workers that ran.
type Runs = Arc<Mutex<Vec<String>>>;

/// A worker `api` of one fleet, which a schedule and a queue start.
struct First(Runs);

/// A worker `api` of another fleet.
struct Second(Runs);

const fn spec(fleet: &'static str, triggers: &'static [Trigger]) -> WorkerSpec {
    WorkerSpec { fleet, name: "api", summary: "notes its runs", triggers, concurrency: 1, timeout: MINUTE }
}

const fn fed(queue: &'static str) -> Trigger {
    Trigger::Queue(QueueTrigger { queue, batch: 1, visibility_timeout: MINUTE, max_receives: 3 })
}

impl Worker for First {
    const SPEC: WorkerSpec = spec("first", &[Trigger::Every(Every::new(MINUTE)), fed("firsts")]);

    async fn run(&self, _: Event, _: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.lock().unwrap().push(Self::SPEC.id().to_string());
        Ok(Outcome::default())
    }
}

impl Worker for Second {
    const SPEC: WorkerSpec = spec("second", &[Trigger::Every(Every::new(MINUTE)), fed("seconds")]);

    async fn run(&self, _: Event, _: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.lock().unwrap().push(Self::SPEC.id().to_string());
        Ok(Outcome::default())
    }
}

/// Runs both for ninety seconds, with a message for each and this worker paused. Returns who ran.
fn run(paused: Option<WorkerId>) -> Vec<String> {
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let embedded = Embedded::in_memory(shared.clone()).unwrap();
    let settings = QueueSettings { visibility_timeout: MINUTE, max_receives: 3 };
    let queues: BTreeMap<String, Arc<dyn Queue>> = ["firsts", "seconds"]
        .map(|name| (name.to_owned(), embedded.queue(name, settings) as Arc<dyn Queue>))
        .into_iter()
        .collect();
    let ports = Ports {
        queues: queues.clone(),
        throttle: embedded.throttle(),
        wakeups: embedded.wakeups(),
        due: embedded.wakeups(),
        clock: shared,
        changed: Arc::new(|| std::future::pending().boxed()),
    };
    let (stop, runs) = (StopSignal::default(), Runs::default());
    let registry = Registry::new().with(First(runs.clone())).with(Second(runs.clone()));
    let host = Arc::new(LocalHost::new(registry, ports.clone(), stop.clone()));
    Driver::new(&clock).run(async {
        if let Some(worker) = paused {
            ports.throttle.pause(&worker).await.unwrap();
        }
        host.set_schedules().await.unwrap();
        for queue in queues.values() {
            queue.send(&[NewMessage::new("body")]).await.unwrap();
        }
        let end = async {
            clock.sleep(MINUTE + MINUTE / 2).await;
            stop.set();
        };
        join(join_all(host.loops()), end).await;
    });
    let mut runs = runs.lock().unwrap().clone();
    runs.sort();
    runs
}

#[test]
fn a_paused_worker_stops_none_of_the_same_name_in_another_fleet() {
    assert_eq!(run(None), ["first/api", "first/api", "second/api", "second/api"], "by its schedule and by its queue");
    assert_eq!(run(Some(First::SPEC.id())), ["second/api", "second/api"]);
    assert_eq!(run(Some(Second::SPEC.id())), ["first/api", "first/api"]);
}
