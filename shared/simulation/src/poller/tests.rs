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
struct Clerk(fn(&[Delivery]) -> Result<Outcome, WorkerError>);

impl Worker for Clerk {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "clerk",
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

struct Yard {
    clock: ManualClock,
    queue: Arc<Sqs>,
    function: Arc<Function>,
    mapping: Mapping,
}

fn yard(reserved: Option<u32>, setting: MappingSetting, work: fn(&[Delivery]) -> Result<Outcome, WorkerError>) -> Yard {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let time: Arc<dyn Clock> = Arc::new(clock.clone());
    let queue = QueueSettings { visibility_timeout: VISIBILITY, max_receives: 3 };
    let settings = SqsSettings { queue, retention: LONGEST_RETENTION, started: Timestamp::UNIX_EPOCH };
    let queue = Arc::new(Sqs::new("q", settings, time.clone(), 1, &Faults::none()));
    let reserved = Reserved::new(reserved);
    let function = Function::new(Arc::new(Clerk(work)), Some(reserved), time.clone(), 1, &Faults::none());
    let control = MappingControl::new(setting);
    let mapping = Mapping::new(queue.clone(), function.clone(), 5, control, time);
    Yard { clock, queue, function, mapping }
}

const OPEN: MappingSetting = MappingSetting { enabled: true, maximum_concurrency: None };

impl Yard {
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
    let yard = yard(None, OPEN, done);
    yard.send(60_000);
    let most = RefCell::new(Vec::new());
    let watch = async {
        for _ in 0..3 {
            most.borrow_mut().push(yard.mapping.usage().most_pollers);
            yard.clock.sleep(Duration::from_secs(30)).await;
        }
    };
    let end = after(yard.clock.now(), Duration::from_secs(70));
    driver::run(&yard.clock, vec![Box::pin(yard.mapping.run()), Box::pin(watch)], end).unwrap();
    let most = most.into_inner();
    assert_eq!(most[0], 5);
    assert!((140..=155).contains(&most[1]) && (290..=305).contains(&most[2]), "{most:?}");
}

#[test]
fn a_mapping_stops_reading_at_its_maximum() {
    let yard = yard(None, MappingSetting { maximum_concurrency: Some(7), ..OPEN }, done);
    yard.send(2_000);
    yard.run(60);
    let usage = yard.mapping.usage();
    assert_eq!((usage.most_pollers, yard.function.usage().throttled), (7, 0));
    assert_eq!(yard.queue.usage().received, usage.done + yard.queue.exact_counts().in_flight);
}

#[test]
fn a_throttled_batch_is_let_go_at_the_visibility_timeout_with_a_raised_receive_count() {
    let yard = yard(Some(0), OPEN, done);
    yard.send(25);
    let early = async {
        yard.clock.sleep(VISIBILITY - Duration::from_millis(1)).await;
        assert_eq!(yard.queue.usage().received, 25, "five pollers take five each, though nothing may run");
        assert_eq!(yard.mapping.usage().dropped_batches, 5);
    };
    let end = after(yard.clock.now(), Duration::from_secs(30 * 60));
    driver::run(&yard.clock, vec![Box::pin(yard.mapping.run()), Box::pin(early)], end).unwrap();
    assert_eq!(yard.function.usage().invocations, 0);
    assert_eq!(yard.queue.exact_counts().dead_letters, 25, "good messages die of an empty concurrency");
}

#[test]
fn a_disabled_mapping_receives_nothing() {
    let yard = yard(None, MappingSetting { enabled: false, ..OPEN }, done);
    yard.send(5);
    yard.run(3_600);
    assert_eq!((yard.queue.usage().received, yard.queue.usage().empty_receives), (0, 0));
}

#[test]
fn an_idle_mapping_polls_in_long_polls_only() {
    let yard = yard(None, MappingSetting { maximum_concurrency: Some(50), ..OPEN }, done);
    yard.run(600);
    let polls = yard.queue.usage().empty_receives;
    // Five pollers, one poll in 20 s each.
    assert!((140..=150).contains(&polls), "{polls}");
}

#[test]
fn only_the_failed_messages_of_a_batch_come_back() {
    let yard = yard(None, OPEN, |batch| {
        let failed = batch.iter().filter(|delivery| delivery.body == "3" && delivery.receive_count == 1);
        let retry = |delivery: &Delivery| MessageException {
            message_id: delivery.message_id.clone(),
            disposition: Disposition::Retry { reason: "a fault".into() },
        };
        Ok(Outcome { exceptions: failed.map(retry).collect(), ..Outcome::default() })
    });
    yard.send(5);
    yard.run(60);
    assert_eq!((yard.queue.usage().received, yard.mapping.usage().done), (6, 5));
    assert_eq!(yard.queue.exact_counts().unfinished(), 0);
}

#[test]
fn a_failed_invocation_returns_the_whole_batch_and_slows_the_mapping_down() {
    let yard = yard(None, OPEN, |_| Err(WorkerError::Failed("boom".into())));
    yard.send(200);
    yard.run(60 * 60);
    assert_eq!((yard.mapping.usage().done, yard.queue.usage().acknowledged), (0, 0));
    let most = yard.mapping.usage().most_pollers;
    assert!(most <= 25, "a mapping in trouble hardly grows: {most}");
    assert_eq!(yard.queue.exact_counts().dead_letters, 200);
}
