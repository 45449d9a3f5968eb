//! The control plane against its limits.

use futures::FutureExt;
use stint_core::clock::ManualClock;

use super::*;

static WORKER: WorkerId = WorkerId::new("fleet", "worker");

struct Plane {
    clock: ManualClock,
    throttle: AwsThrottle,
    reserved: Arc<Reserved>,
    mapping: Arc<MappingControl>,
}

fn plane() -> Plane {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let reserved = Reserved::new(Some(50));
    let mapping = MappingControl::new(MappingSetting { enabled: true, maximum_concurrency: Some(50) });
    let steer = BTreeMap::from([(WORKER.clone(), reserved.clone())]);
    let mappings = BTreeMap::from([(WORKER.clone(), mapping.clone())]);
    let throttle = AwsThrottle::new(Arc::new(clock.clone()), 1, steer, mappings);
    Plane { clock, throttle, reserved, mapping }
}

/// Runs a write to its end.
fn finish(plane: &Plane, mut write: impl Future<Output = PortResult<()>> + Unpin) -> PortResult<()> {
    loop {
        match (&mut write).now_or_never() {
            Some(written) => return written,
            None => plane.clock.advance_to(plane.clock.next_deadline().unwrap()),
        }
    }
}

#[test]
fn a_write_holds_after_its_delay_and_zero_pauses_the_mapping() {
    let plane = plane();
    finish(&plane, plane.throttle.set(&WORKER, 0)).unwrap();
    let now = plane.clock.now();
    assert_eq!(
        plane.throttle.read(&WORKER).now_or_never().unwrap().unwrap().limit,
        Some(0),
        "the record tells at once"
    );
    assert_eq!((plane.reserved.effective(now), plane.mapping.effective(now).enabled), (Some(50), true));
    assert!(after(now, plane.throttle.lag()) >= after(now, MAPPING_DELAY.1));
    plane.clock.advance(MAPPING_DELAY.1);
    let now = plane.clock.now();
    assert_eq!((plane.reserved.effective(now), plane.mapping.effective(now).enabled), (Some(0), false));
    finish(&plane, plane.throttle.set(&WORKER, 1)).unwrap();
    plane.clock.advance(MAPPING_DELAY.1);
    let setting = plane.mapping.effective(plane.clock.now());
    assert_eq!(setting, MappingSetting { enabled: true, maximum_concurrency: Some(2) }, "a mapping's least is 2");
}

#[test]
fn writes_take_effect_in_their_order() {
    let plane = plane();
    for concurrency in (0..40).rev() {
        finish(&plane, plane.throttle.set(&WORKER, concurrency)).unwrap();
    }
    plane.clock.advance(MAPPING_DELAY.1);
    assert_eq!(plane.reserved.effective(plane.clock.now()), Some(0));
}

#[test]
fn more_than_fifteen_requests_a_second_are_refused_and_leave_no_trace() {
    let plane = plane();
    let sets: Vec<_> = (1..=20).map(|number| format!("worker-{number}")).collect();
    // All writes are for this worker: a write for a worker without reserved concurrency costs no request.
    let mut refused = 0;
    for (number, _) in sets.iter().enumerate() {
        let mut write = plane.throttle.set(&WORKER, number as u32 + 1);
        match (&mut write).now_or_never() {
            Some(written) => refused += u32::from(written.is_err()),
            None => drop(write),
        }
    }
    assert_eq!(refused, 20 - REQUESTS_PER_SECOND);
    let usage = plane.throttle.usage();
    assert_eq!((usage.requests, usage.refused), (20, 5));
    let set = plane.throttle.read(&WORKER).now_or_never().unwrap().unwrap().limit;
    assert_eq!(set, Some(REQUESTS_PER_SECOND), "what was refused is taken back");
    plane.clock.advance(Duration::from_secs(1));
    assert!(finish(&plane, plane.throttle.set(&WORKER, 30)).is_ok());
}

#[test]
fn setting_the_same_value_sends_no_request() {
    let plane = plane();
    finish(&plane, plane.throttle.set(&WORKER, 5)).unwrap();
    let requests = plane.throttle.usage().requests;
    finish(&plane, plane.throttle.set(&WORKER, 5)).unwrap();
    assert_eq!(plane.throttle.usage().requests, requests);
    assert_eq!(requests, 2, "reserved concurrency and mapping");
}

#[test]
fn an_operators_pause_outlives_sets() {
    let plane = plane();
    finish(&plane, plane.throttle.pause(&WORKER)).unwrap();
    finish(&plane, plane.throttle.set(&WORKER, 7)).unwrap();
    plane.clock.advance(MAPPING_DELAY.1);
    assert!(!plane.mapping.effective(plane.clock.now()).enabled);
    finish(&plane, plane.throttle.resume(&WORKER)).unwrap();
    plane.clock.advance(MAPPING_DELAY.1);
    let setting = plane.mapping.effective(plane.clock.now());
    assert_eq!((setting.enabled, setting.maximum_concurrency), (true, Some(7)));
}
