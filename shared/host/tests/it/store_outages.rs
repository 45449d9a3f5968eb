//! A worker whose store cannot be reached, in the local host on virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use stint_core::clock::{Clock, ManualClock, between};
use stint_core::ports::{NewMessage, PortError, PortResult, Queue, QueueSettings};
use stint_core::registry::Registry;
use stint_core::worker::{
    Disposition, Event, Invocation, MessageException, Outcome, QueueTrigger, StopSignal, Trigger, Worker, WorkerError,
    WorkerSpec,
};
use stint_embedded::Embedded;
use stint_host::{LocalHost, Ports, Totals};
use stint_testkit::Driver;

const VISIBILITY: Duration = Duration::from_secs(600);
const MAX_RECEIVES: u32 = 3;

/// The worker's store.
#[derive(Default)]
struct Store {
    down: AtomicBool,
    probes: AtomicU64,
}

impl Store {
    fn reach(&self) -> PortResult<()> {
        let down = self.down.load(Ordering::SeqCst);
        if down { Err(PortError::unavailable("could not reach the store", "it is down")) } else { Ok(()) }
    }
}

/// Works on each message for a second. `PROBES`: whether it can tell that its store is back.
struct Storing<const PROBES: bool>(Arc<Store>);

impl<const PROBES: bool> Worker for Storing<PROBES> {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "storing",
        summary: "stores each message",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: "work",
            batch: 5,
            visibility_timeout: VISIBILITY,
            max_receives: MAX_RECEIVES,
        })],
        concurrency: 4,
        timeout: Duration::from_secs(60),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Batch(batch) = event else { return Ok(Outcome::default()) };
        self.0.reach()?;
        let mut outcome = Outcome::default();
        for delivery in batch {
            invocation.clock().sleep(Duration::from_secs(1)).await;
            if let Err(error) = self.0.reach() {
                outcome.unavailable = Some(error.to_string());
                let disposition = Disposition::Retry { reason: error.to_string() };
                outcome.exceptions.push(MessageException { message_id: delivery.message_id, disposition });
            }
        }
        Ok(outcome)
    }

    async fn ready(&self) -> PortResult<()> {
        self.0.probes.fetch_add(1, Ordering::SeqCst);
        if PROBES { self.0.reach() } else { Ok(()) }
    }
}

struct World {
    clock: ManualClock,
    queue: Arc<dyn Queue>,
    store: Arc<Store>,
    host: Arc<LocalHost>,
    stop: StopSignal,
}

impl World {
    fn new<const PROBES: bool>() -> World {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let embedded = Embedded::in_memory(shared.clone()).unwrap();
        let settings = QueueSettings { visibility_timeout: VISIBILITY, max_receives: MAX_RECEIVES };
        let queue: Arc<dyn Queue> = embedded.queue("work", settings);
        let wakeups = embedded.wakeups();
        let ports = Ports {
            queues: BTreeMap::from([("work".to_owned(), queue.clone())]),
            throttle: embedded.throttle(),
            wakeups: wakeups.clone(),
            due: wakeups,
            clock: shared,
            changed: Arc::new(|| std::future::pending().boxed()),
        };
        let (stop, store) = (StopSignal::default(), Arc::new(Store::default()));
        let registry = Registry::new().with(Storing::<PROBES>(store.clone()));
        let host = Arc::new(LocalHost::new(registry, ports, stop.clone()));
        World { clock, queue, store, host, stop }
    }

    /// Runs the host until `main` completes, and then until it has drained.
    fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let loops = futures::future::join_all(self.host.loops());
        Driver::new(&self.clock).run(async {
            let watched = async {
                let answer = main.await;
                self.stop.set();
                answer
            };
            futures::join!(loops, watched).1
        })
    }

    async fn send(&self, count: usize) {
        for _ in 0..count {
            self.queue.send(&[NewMessage::new("message")]).await.unwrap();
        }
    }

    fn totals(&self) -> Totals {
        self.host.counters().totals()
    }

    async fn succeeded(&self, count: u64) {
        while self.totals().succeeded < count {
            self.clock.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Lets the store be down for `outage`, beginning in the middle of the work.
    async fn interrupt(&self, outage: Duration) {
        self.clock.sleep(Duration::from_millis(1_500)).await;
        self.store.down.store(true, Ordering::SeqCst);
        self.clock.sleep(outage).await;
        self.store.down.store(false, Ordering::SeqCst);
    }
}

#[test]
fn a_store_that_is_down_for_three_minutes_costs_no_receive() {
    let world = World::new::<true>();
    world.run(async {
        world.send(149).await;
        world.interrupt(Duration::from_secs(180)).await;
        let back = world.clock.now();
        world.succeeded(149).await;
        let took = between(back, world.clock.now());
        assert!(took < Duration::from_secs(110), "it took {took:?} to go on and finish");
    });
    let Totals { received, succeeded, .. } = world.totals();
    assert_eq!((received, succeeded), (149, 149));
    assert_eq!(world.queue.counts().now_or_never().unwrap().unwrap().dead_letters, 0);
}

#[test]
fn a_store_that_is_down_for_a_day_makes_no_dead_letters_and_is_probed_rarely() {
    let world = World::new::<true>();
    world.run(async {
        world.send(149).await;
        world.interrupt(Duration::from_secs(24 * 60 * 60)).await;
        assert_eq!(world.queue.counts().await.unwrap().dead_letters, 0);
        let back = world.clock.now();
        while world.totals().succeeded < 30 {
            world.clock.sleep(Duration::from_millis(100)).await;
        }
        let took = between(back, world.clock.now());
        assert!(took < Duration::from_secs(75), "it took {took:?} to go on");
        world.succeeded(149).await;
    });
    let Totals { received, .. } = world.totals();
    // Only the messages in flight at the beginning were received twice.
    assert!(received <= 149 + 20, "{received} receives");
    let probes = world.store.probes.load(Ordering::SeqCst);
    assert!((1_500..4_000).contains(&probes), "{probes} probes in a day");
    assert_eq!(world.queue.counts().now_or_never().unwrap().unwrap().dead_letters, 0);
}

#[test]
fn a_message_without_a_receive_left_outlasts_an_outage() {
    let world = World::new::<true>();
    world.run(async {
        world.store.down.store(true, Ordering::SeqCst);
        world.send(1).await;
        // Used up by earlier failures.
        for _ in 1..MAX_RECEIVES {
            let batch = world.queue.receive(1).await.unwrap();
            world.queue.release(&[batch[0].receipt.clone()], Duration::ZERO, "a failure").await.unwrap();
        }
        world.clock.sleep(VISIBILITY * 3).await;
        assert_eq!(world.queue.counts().await.unwrap().dead_letters, 0);
        world.store.down.store(false, Ordering::SeqCst);
        world.succeeded(1).await;
    });
    assert_eq!(world.queue.counts().now_or_never().unwrap().unwrap().unfinished(), 0);
}

#[test]
fn a_worker_that_cannot_probe_tries_one_batch_at_a_time() {
    let world = World::new::<false>();
    world.run(async {
        world.send(149).await;
        world.interrupt(Duration::from_secs(60 * 60)).await;
        world.succeeded(149).await;
    });
    let Totals { received, .. } = world.totals();
    assert!(received <= 149 + 70, "{received} receives");
    assert_eq!(world.queue.counts().now_or_never().unwrap().unwrap().dead_letters, 0);
}

#[test]
fn a_host_that_waits_for_a_store_stops_at_once() {
    let world = World::new::<true>();
    let stopped_at = world.run(async {
        world.send(20).await;
        world.store.down.store(true, Ordering::SeqCst);
        world.clock.sleep(Duration::from_secs(60)).await;
        world.clock.now()
    });
    assert!(between(stopped_at, world.clock.now()) < Duration::from_secs(3));
    let counts = world.queue.counts().now_or_never().unwrap().unwrap();
    assert_eq!((counts.unfinished(), counts.in_flight), (20, 0), "they were released");
}
