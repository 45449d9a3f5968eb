//! The queue against its documentation.

use futures::FutureExt;
use futures::executor::block_on;
use stint_core::clock::ManualClock;

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);
const RETENTION: Duration = Duration::from_secs(600);

fn queue(faults: &Faults) -> (ManualClock, Sqs) {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let queue = QueueSettings { visibility_timeout: VISIBILITY, max_receives: 3 };
    let settings = SqsSettings { queue, retention: RETENTION, started: Timestamp::UNIX_EPOCH };
    let sqs = Sqs::new("q", settings, Arc::new(clock.clone()), 7, faults);
    (clock, sqs)
}

fn send(sqs: &Sqs, bodies: std::ops::Range<u32>) {
    for body in bodies {
        block_on(sqs.send(&[NewMessage::new(format!("{{\"id\":{body}}}"))])).unwrap();
    }
}

fn receive(sqs: &Sqs, max: usize) -> Vec<Delivery> {
    block_on(sqs.receive(max)).unwrap()
}

#[test]
fn a_message_comes_back_with_a_higher_count_and_is_dead_lettered_after_its_last_receive() {
    let (clock, sqs) = queue(&Faults::none());
    send(&sqs, 1..2);
    for count in 1..=3 {
        let batch = receive(&sqs, 10);
        assert_eq!((batch.len(), batch[0].receive_count), (1, count));
        assert!(receive(&sqs, 10).is_empty(), "it is invisible");
        clock.advance(VISIBILITY);
    }
    assert!(receive(&sqs, 10).is_empty());
    let dead = block_on(sqs.dead_letters(10)).unwrap();
    assert_eq!((dead.len(), dead[0].receive_count, dead[0].body.as_str()), (1, 3, "{\"id\":1}"));
    assert_eq!(block_on(sqs.redrive()).unwrap(), 1);
    assert_eq!(receive(&sqs, 10)[0].receive_count, 1);
}

#[test]
fn a_stale_receipt_deletes_nothing() {
    let (clock, sqs) = queue(&Faults::none());
    send(&sqs, 1..2);
    let stale = receive(&sqs, 1).remove(0);
    clock.advance(VISIBILITY);
    let fresh = receive(&sqs, 1).remove(0);
    block_on(sqs.acknowledge(&[stale.receipt])).unwrap();
    assert_eq!(sqs.exact_counts().in_flight, 1);
    block_on(sqs.acknowledge(&[fresh.receipt])).unwrap();
    assert_eq!(sqs.exact_counts(), Counts::default());
}

#[test]
fn a_released_message_waits_and_keeps_its_reason() {
    let (clock, sqs) = queue(&Faults::none());
    send(&sqs, 1..2);
    // After its last receive it is dead-lettered at once, without a delay.
    for (delayed, dead) in [(1, 0), (1, 0), (0, 1)] {
        let delivery = receive(&sqs, 1).remove(0);
        block_on(sqs.release(&[delivery.receipt], Duration::from_secs(5), "502 from the upstream")).unwrap();
        let counts = sqs.exact_counts();
        assert_eq!((counts.delayed, counts.dead_letters), (delayed, dead));
        clock.advance(Duration::from_secs(5));
    }
    assert_eq!(block_on(sqs.dead_letters(1)).unwrap()[0].reason, "502 from the upstream");
}

#[test]
fn order_is_not_kept_and_nothing_is_lost() {
    let (_, sqs) = queue(&Faults::none());
    send(&sqs, 0..100);
    let mut bodies: Vec<String> = (0..10).flat_map(|_| receive(&sqs, 10)).map(|delivery| delivery.body).collect();
    let sent: Vec<String> = (0..100).map(|body| format!("{{\"id\":{body}}}")).collect();
    assert_ne!(bodies, sent);
    bodies.sort();
    let mut sorted = sent;
    sorted.sort();
    assert_eq!(bodies, sorted);
}

#[test]
fn duplicates_happen_only_with_the_fault() {
    let received = |faults: &Faults| {
        let (_, sqs) = queue(faults);
        send(&sqs, 0..1_000);
        std::iter::repeat_with(|| receive(&sqs, 10).len()).take_while(|count| *count > 0).sum::<usize>()
    };
    assert_eq!(received(&Faults::none()), 1_000);
    let twice = received(&"duplicates".parse().unwrap()) - 1_000;
    assert!((1..40).contains(&twice), "{twice} duplicates");
}

#[test]
fn an_expired_message_is_dropped_and_counted() {
    let (clock, sqs) = queue(&Faults::none());
    send(&sqs, 0..3);
    clock.advance(RETENTION + Duration::from_secs(1));
    assert!(receive(&sqs, 10).is_empty());
    assert_eq!(sqs.usage().expired, 3);
}

#[test]
fn a_long_poll_returns_at_once_with_a_message_and_empty_after_its_wait() {
    let (clock, sqs) = queue(&Faults::none());
    let mut poll = Box::pin(sqs.poll(10, Duration::from_secs(20)));
    assert!((&mut poll).now_or_never().is_none());
    send(&sqs, 1..2);
    assert_eq!((&mut poll).now_or_never().unwrap().len(), 1);
    let mut poll = Box::pin(sqs.poll(10, Duration::from_secs(20)));
    assert!((&mut poll).now_or_never().is_none());
    clock.advance(Duration::from_secs(20));
    assert!((&mut poll).now_or_never().unwrap().is_empty());
    let usage = sqs.usage();
    assert_eq!((usage.requests, usage.empty_receives), (3, 1), "one send, two polls");
}
