//! How often a queue is polled, and what happens to batches when it fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use stint_core::clock::{Clock, ManualClock, between};
use stint_core::ports::{NewMessage, Queue, QueueSettings};
use stint_core::registry::Registry;
use stint_core::worker::{
    Disposition, Event, Invocation, MessageException, Outcome, QueueTrigger, StopSignal, Trigger, Worker, WorkerError,
    WorkerSpec,
};
use stint_embedded::Embedded;
use stint_host::{LocalHost, Ports};
use stint_testkit::Driver;

use crate::paid_queue::PaidQueue;

const VISIBILITY: Duration = Duration::from_secs(3600);

/// How long the worker takes for a message, and for a long one.
const WORK: Duration = Duration::from_secs(5);
const LONG_WORK: Duration = Duration::from_secs(55);

/// Works on each message for a while, and releases those whose body says so.
struct Slow;

impl Worker for Slow {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "slow",
        summary: "takes its time",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: "work",
            batch: 2,
            visibility_timeout: VISIBILITY,
            max_receives: 3,
        })],
        concurrency: 2,
        timeout: Duration::from_secs(60),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Batch(batch) = event else { return Ok(Outcome::default()) };
        let is_long = batch.iter().any(|delivery| delivery.body == "long");
        invocation.clock().sleep(if is_long { LONG_WORK } else { WORK }).await;
        let mut outcome = Outcome::default();
        for delivery in batch.into_iter().filter(|delivery| delivery.body == "retry") {
            let disposition = Disposition::Retry { reason: "it said so".into() };
            outcome.exceptions.push(MessageException { message_id: delivery.message_id, disposition });
        }
        Ok(outcome)
    }
}

struct LocalHostWorld {
    clock: ManualClock,
    queue: Arc<PaidQueue>,
    host: Arc<LocalHost>,
    stop: StopSignal,
}

impl LocalHostWorld {
    /// `fails` is the number of the receive that fails; every release then fails too.
    fn new(fails: Option<usize>) -> LocalHostWorld {
        LocalHostWorld::with(fails, VISIBILITY)
    }

    fn with(fails: Option<usize>, visibility_timeout: Duration) -> LocalHostWorld {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let embedded = Embedded::in_memory(shared.clone()).unwrap();
        let settings = QueueSettings { visibility_timeout, max_receives: 3 };
        let queue = Arc::new(PaidQueue::new(embedded.queue("work", settings), shared.clone(), fails));
        let wakeups = embedded.wakeups();
        let ports = Ports {
            queues: BTreeMap::from([("work".to_owned(), queue.clone() as Arc<dyn Queue>)]),
            throttle: embedded.throttle(),
            wakeups: wakeups.clone(),
            due: wakeups,
            clock: shared,
            changed: Arc::new(|| std::future::pending().boxed()),
        };
        let stop = StopSignal::default();
        let host = Arc::new(LocalHost::new(Registry::new().with(Slow), ports, stop.clone()));
        LocalHostWorld { clock, queue, host, stop }
    }

    /// Runs the host until `main` completes, and then until it has drained.
    fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let driver = Driver::new(&self.clock);
        let loops = futures::future::join_all(self.host.loops());
        driver.run(async {
            let watched = async {
                let answer = main.await;
                self.stop.set();
                answer
            };
            futures::join!(loops, watched).1
        })
    }

    /// Returns how many messages are visible, and how many are in flight.
    fn counts(&self) -> (u64, u64) {
        let counts = self.queue.counts().now_or_never().unwrap().unwrap();
        (counts.visible, counts.in_flight)
    }

    async fn send(&self, bodies: &[&str]) {
        let messages: Vec<NewMessage> = bodies.iter().copied().map(NewMessage::new).collect();
        self.queue.send(&messages).await.unwrap();
    }

    /// Completes when this many messages have succeeded.
    async fn succeeded(&self, count: u64) {
        while self.host.counters().totals().succeeded < count {
            self.clock.sleep(Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn an_idle_worker_costs_six_requests_a_minute() {
    let world = LocalHostWorld::new(None);
    world.run(world.clock.sleep(Duration::from_secs(3600)));
    let asked = world.queue.asked();
    assert!((300..=360).contains(&asked.len()), "{} requests in an hour", asked.len());
}

#[test]
fn what_comes_to_an_idle_or_a_busy_worker_is_worked_on_at_once() {
    for before in [&[][..], &["long"]] {
        let world = LocalHostWorld::new(None);
        let took = world.run(async {
            world.send(before).await;
            world.clock.sleep(Duration::from_secs(13)).await;
            let begun = world.clock.now();
            world.send(&["done"]).await;
            world.succeeded(1).await;
            between(begun, world.clock.now())
        });
        assert!(took < WORK + Duration::from_millis(300), "after {before:?}: {took:?}");
    }
}

/// Even though the host is waiting at the queue.
#[test]
fn what_is_under_way_goes_on_while_the_host_waits_at_the_queue() {
    let world = LocalHostWorld::new(None);
    world.send(&["done"]).now_or_never().unwrap();
    let took = world.run(async {
        let begun = world.clock.now();
        world.succeeded(1).await;
        between(begun, world.clock.now())
    });
    assert!(took < WORK + Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_busy_worker_costs_no_more_than_an_idle_one() {
    let world = LocalHostWorld::new(None);
    world.send(&["long"]).now_or_never().unwrap();
    world.run(world.succeeded(1));
    let asked = world.queue.asked();
    assert!((6..=9).contains(&asked.len()), "{} requests in a minute", asked.len());
}

/// Otherwise another worker would get the same message and do the same work.
#[test]
fn no_invocation_outlasts_the_lease_of_its_messages() {
    let world = LocalHostWorld::with(None, Duration::from_secs(30));
    world.send(&["long"]).now_or_never().unwrap();
    world.run(world.clock.sleep(Duration::from_secs(29)));
    assert_eq!(world.host.counters().totals().invocations, 1);
    let ended = world.clock.now();
    assert!(ended < "2026-11-20T10:00:31Z".parse().unwrap(), "it is given up when the time is over, not at {ended}");
}

#[test]
fn a_batch_that_was_received_before_a_failing_receive_is_worked_on() {
    let world = LocalHostWorld::new(Some(2));
    world.send(&["done", "done", "done"]).now_or_never().unwrap();
    world.run(world.succeeded(3));
    assert_eq!(world.counts(), (0, 0));
}

#[test]
fn what_is_done_is_acknowledged_though_the_rest_cannot_be_given_back() {
    let world = LocalHostWorld::new(Some(usize::MAX));
    world.send(&["retry", "done"]).now_or_never().unwrap();
    world.run(world.succeeded(1));
    assert_eq!(world.counts(), (0, 1), "the other one comes back by itself");
}
