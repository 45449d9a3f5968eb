//! How a scheduled worker with several wake-ups is run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, after, between};
use stint_core::registry::Registry;
use stint_core::worker::{Event, Invocation, Outcome, StopSignal, Trigger, Worker, WorkerError, WorkerSpec};
use stint_embedded::Embedded;
use stint_host::{LocalHost, Ports};
use stint_testkit::Driver;

/// How long an invocation takes.
const WORK: Duration = Duration::from_secs(5);

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Records when each invocation began.
struct Timed(Arc<Mutex<Vec<Timestamp>>>);

impl Worker for Timed {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "timed",
        summary: "takes its time",
        triggers: &[Trigger::Wakeup],
        concurrency: 1,
        timeout: Duration::from_secs(60),
    };

    async fn run(&self, _event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        self.0.lock().unwrap().push(invocation.now());
        invocation.clock().sleep(WORK).await;
        Ok(Outcome::default())
    }
}

/// Runs a host for ten minutes whose worker has one wake-up at each of these seconds after the start. Returns when the
/// worker ran, and how many times the observer was called.
fn run(wakeups: &[u64]) -> (Vec<Duration>, usize) {
    let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
    let (shared, began): (Arc<dyn Clock>, _) = (Arc::new(clock.clone()), clock.now());
    let embedded = Embedded::in_memory(shared.clone()).unwrap();
    let ports = Ports {
        queues: BTreeMap::new(),
        throttle: embedded.throttle(),
        wakeups: embedded.wakeups(),
        due: embedded.wakeups(),
        clock: shared,
        changed: Arc::new(|| std::future::pending().boxed()),
    };
    let (stop, runs, told) = (StopSignal::default(), Arc::default(), Arc::new(Mutex::new(0)));
    let counting = told.clone();
    let host = LocalHost::new(Registry::new().with(Timed(Arc::clone(&runs))), ports.clone(), stop.clone());
    let host = Arc::new(host.observed_by(Arc::new(move |worker, outcome| {
        assert!(*worker == Timed::SPEC.id() && outcome.is_ok());
        *counting.lock().unwrap() += 1;
    })));
    Driver::new(&clock).run(async {
        for (number, seconds) in wakeups.iter().enumerate() {
            let at = after(began, Duration::from_secs(*seconds));
            ports.wakeups.once(&format!("wake-up-{number}"), &Timed::SPEC.id(), at).await.unwrap();
        }
        let end = async {
            clock.sleep(TEN_MINUTES).await;
            stop.set();
        };
        futures::join!(futures::future::join_all(host.loops()), end)
    });
    assert!(ports.wakeups.list().now_or_never().unwrap().unwrap().is_empty(), "every wake-up is completed");
    let runs = runs.lock().unwrap().iter().map(|at| between(began, *at)).collect();
    let told = *told.lock().unwrap();
    (runs, told)
}

#[test]
fn a_worker_that_is_woken_twice_at_once_runs_once() {
    let (runs, told) = run(&[60, 60, 60]);
    assert_eq!((runs.len(), told), (1, 1), "{runs:?}");
}

#[test]
fn what_becomes_due_while_a_worker_runs_waits_until_it_is_done() {
    let (runs, told) = run(&[60, 62, 64]);
    assert_eq!((runs.len(), told), (2, 2), "{runs:?}");
    let pause = runs[1].saturating_sub(runs[0]);
    assert!(pause >= WORK && pause < WORK + Duration::from_secs(1), "{runs:?}");
}
