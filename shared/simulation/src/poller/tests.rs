//! The mapping against its documentation.

use std::cell::RefCell;

use futures::executor::block_on;
use jiff::Timestamp;
use stint_core::clock::ManualClock;
use stint_core::ports::{NewMessage, QueueSettings};
use stint_core::worker::{Invocation, MessageException, Worker, WorkerError, WorkerSpec};

use super::*;
use crate::control_plane::{MappingSetting, Reserved};
use crate::driver;
use crate::faults::Faults;
use crate::sqs::{LONGEST_RETENTION, SqsSettings};

const VISIBILITY: Duration = Duration::from_secs(60);

/// Takes a second per batch, then handles it with the given function.
struct TestWorker(fn(&[Delivery]) -> Result<Outcome, WorkerError>);

impl Worker for TestWorker {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "test-worker",
        summary: "works",
        triggers: &[],
        concurrency: 1,
        timeout: Duration::from_secs(10),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        invocation.clock().sleep(Duration::from_secs(1)).await;
        let Event::Batch(batch) = event else { return Err(WorkerError::Event("no batch".into())) };
        (self.0)(&batch)
    }
}

struct Fixture {
    clock: ManualClock,
    queue: Arc<Sqs>,
    function: Arc<SimulatedFunction>,
    mapping: SimulatedMapping,
}

fn fixture(
    reserved: Option<u32>,
    setting: MappingSetting,
    work: fn(&[Delivery]) -> Result<Outcome, WorkerError>,
) -> Fixture {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let time: Arc<dyn Clock> = Arc::new(clock.clone());
    let queue = QueueSettings { visibility_timeout: VISIBILITY, max_receives: 3 };
    let settings = SqsSettings { queue, retention: LONGEST_RETENTION, started: Timestamp::UNIX_EPOCH };
    let queue = Arc::new(Sqs::new("q", settings, time.clone(), 1, &Faults::none()));
    let reserved = Reserved::new(reserved);
    let function = SimulatedFunction::new(Arc::new(TestWorker(work)), Some(reserved), time.clone(), 1, &Faults::none());
    let control = MappingControl::new(setting);
    let mapping = SimulatedMapping::new(queue.clone(), function.clone(), 5, control, time);
    Fixture { clock, queue, function, mapping }
}

const OPEN: MappingSetting = MappingSetting { enabled: true, maximum_concurrency: None };

impl Fixture {
    fn send(&self, messages: u32) {
        for message in 0..messages {
            block_on(self.queue.send(&[NewMessage::new(message.to_string())])).unwrap();
        }
    }

    fn run(&self, seconds: u64) {
        let end = after(self.clock.now(), Duration::from_secs(seconds));
        driver::run(&self.clock, vec![Box::pin(self.mapping.run())], end).unwrap();
    }
}

fn done(_: &[Delivery]) -> Result<Outcome, WorkerError> {
    Ok(Outcome::default())
}

#[test]
fn a_mapping_begins_with_five_pollers_and_grows_by_300_a_minute() {
    let fixture = fixture(None, OPEN, done);
    fixture.send(60_000);
    let most = RefCell::new(Vec::new());
    let watch = async {
        for _ in 0..3 {
            most.borrow_mut().push(fixture.mapping.usage().most_pollers);
            fixture.clock.sleep(Duration::from_secs(30)).await;
        }
    };
    let end = after(fixture.clock.now(), Duration::from_secs(70));
    driver::run(&fixture.clock, vec![Box::pin(fixture.mapping.run()), Box::pin(watch)], end).unwrap();
    let most = most.into_inner();
    assert_eq!(most[0], 5);
    assert!((140..=155).contains(&most[1]) && (290..=305).contains(&most[2]), "{most:?}");
}

#[test]
fn a_mapping_stops_reading_at_its_maximum() {
    let fixture = fixture(None, MappingSetting { maximum_concurrency: Some(7), ..OPEN }, done);
    fixture.send(2_000);
    fixture.run(60);
    let usage = fixture.mapping.usage();
    assert_eq!((usage.most_pollers, fixture.function.usage().throttled), (7, 0));
    assert_eq!(fixture.queue.usage().received, usage.done + fixture.queue.exact_counts().in_flight);
}

#[test]
fn a_throttled_batch_is_dropped_at_the_visibility_timeout_with_a_higher_receive_count() {
    let fixture = fixture(Some(0), OPEN, done);
    fixture.send(25);
    let early = async {
        fixture.clock.sleep(VISIBILITY - Duration::from_millis(1)).await;
        assert_eq!(fixture.queue.usage().received, 25, "five pollers take five each, though nothing may run");
        assert_eq!(fixture.mapping.usage().dropped_batches, 5);
    };
    let end = after(fixture.clock.now(), Duration::from_secs(30 * 60));
    driver::run(&fixture.clock, vec![Box::pin(fixture.mapping.run()), Box::pin(early)], end).unwrap();
    assert_eq!(fixture.function.usage().invocations, 0);
    assert_eq!(
        fixture.queue.exact_counts().dead_letters,
        25,
        "good messages are dead-lettered because no concurrency is left"
    );
}

#[test]
fn a_disabled_mapping_receives_nothing() {
    let fixture = fixture(None, MappingSetting { enabled: false, ..OPEN }, done);
    fixture.send(5);
    fixture.run(3_600);
    assert_eq!((fixture.queue.usage().received, fixture.queue.usage().empty_receives), (0, 0));
}

#[test]
fn an_idle_mapping_polls_in_long_polls_only() {
    let fixture = fixture(None, MappingSetting { maximum_concurrency: Some(50), ..OPEN }, done);
    fixture.run(600);
    let polls = fixture.queue.usage().empty_receives;
    // Five pollers, one poll in 20 s each.
    assert!((140..=150).contains(&polls), "{polls}");
}

#[test]
fn only_the_failed_messages_of_a_batch_come_back() {
    let fixture = fixture(None, OPEN, |batch| {
        let failed = batch.iter().filter(|delivery| delivery.body == "3" && delivery.receive_count == 1);
        let retry = |delivery: &Delivery| MessageException {
            message_id: delivery.message_id.clone(),
            disposition: Disposition::Retry { reason: "a fault".into() },
        };
        Ok(Outcome { exceptions: failed.map(retry).collect(), ..Outcome::default() })
    });
    fixture.send(5);
    fixture.run(60);
    assert_eq!((fixture.queue.usage().received, fixture.mapping.usage().done), (6, 5));
    assert_eq!(fixture.queue.exact_counts().unfinished(), 0);
}

#[test]
fn a_failed_invocation_returns_the_whole_batch_and_slows_the_mapping_down() {
    let fixture = fixture(None, OPEN, |_| Err(WorkerError::Failed("boom".into())));
    fixture.send(200);
    fixture.run(60 * 60);
    assert_eq!((fixture.mapping.usage().done, fixture.queue.usage().acknowledged), (0, 0));
    let most = fixture.mapping.usage().most_pollers;
    assert!(most <= 25, "a mapping in trouble hardly grows: {most}");
    assert_eq!(fixture.queue.exact_counts().dead_letters, 200);
}
