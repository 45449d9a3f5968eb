//! A function's responses, and where its messages are afterwards.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::{Clock, ManualClock, after, to_millis};
use stint_core::ports::{Counts, NewMessage, PortError, Queue, QueueSettings, Receipt, Throttle};
use stint_core::schedule::{ActiveHours, Every};
use stint_core::worker::{
    Disposition, Event, Invocation, MessageException, Outcome, QueueTrigger, StopSignal, Trigger, Worker, WorkerError,
    WorkerSpec, retry_delay,
};
use stint_embedded::Embedded;
use stint_testkit::drive;

use super::{Feed, LambdaHost};

const VISIBILITY: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Does with each message what its body says.
struct ScriptedWorker;

impl Worker for ScriptedWorker {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "obedient",
        summary: "does what messages say",
        triggers: &[Trigger::Queue(QueueTrigger {
            queue: "work",
            batch: 10,
            visibility_timeout: VISIBILITY,
            max_receives: 3,
        })],
        concurrency: 1,
        timeout: TIMEOUT,
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let batch = match event {
            Event::Batch(batch) => batch,
            other => return Ok(Outcome::report(format!("{other:?}"))),
        };
        let mut outcome = Outcome::default();
        for delivery in batch {
            let reason = format!("it said {}", delivery.body);
            let disposition = match delivery.body.as_str() {
                "retry" => Disposition::Retry { reason },
                "reject" => Disposition::Reject { reason },
                "fail" => return Err(WorkerError::Failed(reason)),
                "store" | "store later" if invocation.now() < store_back(&delivery.body) => {
                    return Err(PortError::unavailable("could not reach the store", reason).into());
                }
                "sleep" => {
                    invocation.clock().sleep(Duration::from_secs(3600)).await;
                    continue;
                }
                _ => continue,
            };
            outcome.exceptions.push(MessageException { message_id: delivery.message_id, disposition });
        }
        Ok(outcome)
    }
}

/// When the store of a message is back: within the time of an invocation, or after two days.
fn store_back(body: &str) -> Timestamp {
    let time = if body == "store" { "2026-11-20T10:00:03Z" } else { "2026-11-22T10:00:00Z" };
    time.parse().unwrap()
}

struct LambdaWorld {
    clock: ManualClock,
    queue: Arc<dyn Queue>,
    throttle: Arc<dyn Throttle>,
    host: LambdaHost,
}

impl LambdaWorld {
    fn new() -> LambdaWorld {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let embedded = Embedded::in_memory(shared.clone()).unwrap();
        let settings = QueueSettings { visibility_timeout: VISIBILITY, max_receives: 3 };
        let queue: Arc<dyn Queue> = embedded.queue("work", settings);
        let throttle: Arc<dyn Throttle> = embedded.throttle();
        let receipt = |record: &super::SqsRecord| Receipt(record.receipt_handle.clone());
        let feed = Feed { queue: queue.clone(), receipt };
        let host =
            LambdaHost::new(Arc::new(ScriptedWorker), Some(feed), throttle.clone(), shared, StopSignal::default());
        LambdaWorld { clock, queue, throttle, host }
    }

    fn deadline(&self) -> Timestamp {
        after(self.clock.now(), Duration::from_secs(12))
    }

    /// Sends messages, receives them as the mapping does, and deletes those that the function does not name as failed.
    async fn batch(&self, bodies: &[&str]) -> Result<Vec<String>, WorkerError> {
        self.queue.send(&bodies.iter().copied().map(NewMessage::new).collect::<Vec<_>>()).await.unwrap();
        let batch = self.queue.receive(10).await.unwrap();
        let record = |delivery: &stint_core::ports::Delivery| {
            json!({
                "messageId": delivery.message_id, "receiptHandle": delivery.receipt.0, "body": delivery.body,
                "attributes": {
                    "ApproximateReceiveCount": delivery.receive_count.to_string(),
                    "SentTimestamp": to_millis(delivery.sent_at).to_string()
                }
            })
        };
        let event = json!({"Records": batch.iter().map(record).collect::<Vec<_>>()});
        let answer = self.host.handle(event, self.deadline()).await?;
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let failed: Vec<&str> = failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
        let (returning, done): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|delivery| failed.contains(&delivery.message_id.as_str()));
        let receipts: Vec<Receipt> = done.into_iter().map(|delivery| delivery.receipt).collect();
        self.queue.acknowledge(&receipts).await.unwrap();
        Ok(returning.into_iter().map(|delivery| delivery.body).collect())
    }

    /// Returns the receive counts of the messages that can be received now, and acknowledges them.
    async fn receive_counts(&self) -> Vec<u32> {
        let batch = self.queue.receive(10).await.unwrap();
        let receipts: Vec<Receipt> = batch.iter().map(|delivery| delivery.receipt.clone()).collect();
        self.queue.acknowledge(&receipts).await.unwrap();
        batch.into_iter().map(|delivery| delivery.receive_count).collect()
    }

    async fn counts(&self) -> Counts {
        self.queue.counts().await.unwrap()
    }
}

#[test]
fn only_what_waits_is_reported_and_what_can_never_succeed_is_a_dead_letter_at_once() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        let returning = world.batch(&["done", "retry", "reject", "done"]).await.unwrap();
        assert_eq!(returning, ["retry"]);
        assert_eq!(world.counts().await, Counts { visible: 0, in_flight: 0, delayed: 1, dead_letters: 1 });
        let dead = world.queue.dead_letters(10).await.unwrap();
        assert_eq!((dead[0].reason.as_str(), dead[0].receive_count), ("it said reject", 1));
        world.clock.sleep(retry_delay(1)).await;
        assert_eq!(world.queue.receive(10).await.unwrap()[0].body, "retry");
    });
}

#[test]
fn a_failed_invocation_is_told_to_lambda_and_its_batch_comes_back_soon() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        let error = world.batch(&["done", "fail"]).await.unwrap_err();
        assert_eq!(error.to_string(), "it said fail");
        assert_eq!(world.counts().await, Counts { visible: 0, in_flight: 0, delayed: 2, dead_letters: 0 });
    });
}

#[test]
fn each_message_of_a_failed_batch_waits_for_as_long_as_it_has_failed_often() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        world.batch(&["fail"]).await.unwrap_err();
        world.clock.sleep(retry_delay(1)).await;
        // Now together with another message, which fails for the first time.
        world.batch(&["fail"]).await.unwrap_err();
        world.clock.sleep(retry_delay(1)).await;
        assert_eq!(world.receive_counts().await, [2]);
        world.clock.sleep(retry_delay(2) - retry_delay(1)).await;
        assert_eq!(world.receive_counts().await, [3]);
    });
}

#[test]
fn a_worker_ends_before_lambda_kills_it() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        let deadline = world.deadline();
        let error = world.batch(&["sleep"]).await.unwrap_err();
        assert_eq!(error.to_string(), "timed out after 10 s");
        assert!(world.clock.now() < deadline, "there is time left to say so");
        assert_eq!(world.counts().await.unfinished(), 1);
    });
}

#[test]
fn schedules_and_people_start_it_too() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        let tick = json!({"wakeup": "revive", "worker": "test/obedient", "due": "2026-11-20T09:59:30Z"});
        let answer = world.host.handle(tick.clone(), world.deadline()).await.unwrap();
        assert_eq!(answer, "Tick { due: 2026-11-20T09:59:30Z, wakeup: Some(\"revive\") }");
        let answer = world.host.handle(json!({"id": 7}), world.deadline()).await.unwrap();
        assert!(answer.as_str().unwrap().starts_with("Manual"), "{answer}");
        world.throttle.pause(&ScriptedWorker::SPEC.id()).await.unwrap();
        let answer = world.host.handle(tick, world.deadline()).await.unwrap();
        assert_eq!(answer, json!({"paused": true}), "an operator's pause holds for schedules");
        assert!(world.host.handle(Value::Null, world.deadline()).await.unwrap().is_string(), "and not for people");
    });
}

#[test]
fn an_event_for_another_worker_is_refused_by_name() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        for stranger in ["reviver", "test/reviver", "other/obedient"] {
            let tick = json!({"wakeup": "revive", "worker": stranger, "due": "2026-11-20T09:59:30Z"});
            let error = world.host.handle(tick, world.deadline()).await.unwrap_err();
            let expected = format!("the event is for {stranger}, and this function is test/obedient");
            assert_eq!(error.to_string(), expected);
        }
        for own in ["test/obedient", "obedient"] {
            let tick = json!({"wakeup": "revive", "worker": own, "due": "2026-11-20T09:59:30Z"});
            assert!(
                world.host.handle(tick, world.deadline()).await.is_ok(),
                "{own}: schedules of before have no fleet"
            );
        }
    });
}

/// The hours apply to the schedule, and not to a wake-up that a worker has set, or to a person.
#[test]
fn a_schedule_starts_nothing_outside_its_hours() {
    let world = LambdaWorld::new();
    let embedded = Embedded::in_memory(Arc::new(world.clock.clone())).unwrap();
    let clock = Arc::new(world.clock.clone());
    let host = LambdaHost::new(Arc::new(NightWorker), None, embedded.throttle(), clock, StopSignal::default());
    drive(&world.clock, async {
        let tick = |wakeup: &str, due: &str| json!({"wakeup": wakeup, "worker": "test/night", "due": due});
        let (day, night) = ("2026-11-20T09:59:00Z", "2026-11-21T03:59:00Z");
        let skipped = json!({"active": false});
        for (event, runs) in [
            (tick("night", day), false),
            (tick("night", night), true),
            (tick("other", day), true),
            (json!({"detail-type": "Scheduled Event", "time": day}), false),
            (json!({"by": "hand"}), true),
        ] {
            let answer = host.handle(event.clone(), world.deadline()).await.unwrap();
            assert_eq!(answer != skipped, runs, "{event}");
        }
    });
}

const NIGHT: ActiveHours = ActiveHours::new(20, 4, "America/New_York");

/// Is active by night.
struct NightWorker;

impl Worker for NightWorker {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "night",
        summary: "works by night",
        triggers: &[Trigger::Every(Every::new(Duration::from_secs(60)).aligned().within(NIGHT))],
        concurrency: 1,
        timeout: TIMEOUT,
    };

    async fn run(&self, _: Event, _: &Invocation) -> Result<Outcome, WorkerError> {
        Ok(Outcome::default())
    }
}

#[test]
fn a_batch_waits_in_the_function_for_a_store_that_is_soon_back() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        assert_eq!(world.batch(&["store", "done"]).await.unwrap(), [] as [&str; 0]);
        assert_eq!(world.counts().await, Counts::default());
    });
}

#[test]
fn a_store_that_is_away_for_two_days_makes_no_dead_letters_and_few_receives() {
    let world = LambdaWorld::new();
    drive(&world.clock, async {
        assert!(world.batch(&["store later"]).await.is_err());
        let (began, mut receives) = (world.clock.now(), 1);
        while world.counts().await.unfinished() > 0 {
            // What the mapping receives, if anything is visible.
            if world.counts().await.visible > 0 {
                receives += 1;
                let _ = world.batch(&[]).await;
            }
            world.clock.sleep(Duration::from_secs(10)).await;
        }
        let took = stint_core::clock::between(began, world.clock.now());
        assert!(took < Duration::from_secs(50 * 60 * 60), "done after {took:?}");
        assert_eq!(world.counts().await, Counts::default());
        assert!(receives < 120, "{receives} receives in two days");
    });
}
