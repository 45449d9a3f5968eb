//! Functions against their documentation.

use stint_core::worker::{Worker, WorkerError};

use super::*;
use crate::driver;

/// Works for a second, or for the time in its event.
struct Sleeper;

impl Worker for Sleeper {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "sleeper",
        summary: "sleeps",
        triggers: &[],
        concurrency: 1,
        timeout: Duration::from_secs(10),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Manual(seconds) = event else { return Err(WorkerError::Event("no seconds".into())) };
        invocation.clock().sleep(Duration::from_secs(seconds.as_u64().unwrap_or(1))).await;
        Ok(Outcome::default())
    }
}

fn function(reserved: Option<u32>, faults: &Faults) -> (stint_core::clock::ManualClock, Arc<SimulatedFunction>) {
    let clock = stint_core::clock::ManualClock::new(Timestamp::UNIX_EPOCH);
    let reserved = Reserved::new(reserved);
    let function = SimulatedFunction::new(Arc::new(Sleeper), Some(reserved), Arc::new(clock.clone()), 1, faults);
    (clock, function)
}

/// Runs one invocation after the other, and returns whether each succeeded.
fn run(clock: &stint_core::clock::ManualClock, function: &Arc<SimulatedFunction>, events: Vec<Event>) -> Vec<bool> {
    let results = std::cell::RefCell::new(Vec::new());
    let work = async {
        for event in events {
            let slot = function.admit().unwrap();
            let done = slot.run(event).await.is_ok();
            results.borrow_mut().push(done);
        }
    };
    let end = after(clock.now(), Duration::from_secs(3_600));
    driver::run(clock, vec![Box::pin(work)], end).unwrap();
    results.into_inner()
}

fn seconds(seconds: u64) -> Event {
    Event::Manual(seconds.into())
}

#[test]
fn above_the_reserved_concurrency_invocations_are_throttled() {
    let (_, function) = function(Some(2), &Faults::none());
    let slots = [function.admit(), function.admit(), function.admit()];
    assert_eq!(slots.each_ref().map(Option::is_some), [true, true, false]);
    assert_eq!((function.running(), function.usage().throttled), (2, 1));
    drop(slots);
    assert_eq!(function.running(), 0);
    assert!(function.admit().is_some());
}

#[test]
fn the_first_start_is_cold_and_billed_and_the_next_is_warm() {
    let (clock, function) = function(None, &Faults::none());
    assert_eq!(run(&clock, &function, vec![seconds(1), seconds(1)]), [true, true]);
    let usage = function.usage();
    assert_eq!((usage.invocations, usage.cold_starts), (2, 1));
    assert_eq!(usage.billed_millis, 1_025 + 1_000);
    clock.advance(IDLE_ENVIRONMENT);
    run(&clock, &function, vec![seconds(1)]);
    assert_eq!(function.usage().cold_starts, 2, "idle environments go away");
}

#[test]
fn a_time_out_is_a_failure_billed_to_its_end() {
    let (clock, function) = function(None, &Faults::none());
    assert_eq!(run(&clock, &function, vec![seconds(60), Event::Batch(Vec::new())]), [false, false]);
    let usage = function.usage();
    assert_eq!((usage.failed, usage.wasted, usage.billed_millis), (2, 2, 10_025 + 25));
    assert_eq!(usage.cold_starts, 2, "an environment whose time ran out is not used again");
}

#[test]
fn kills_happen_only_with_the_fault() {
    let (clock, function) = function(None, &"kills".parse().unwrap());
    let results = run(&clock, &function, (0..1_000).map(|_| seconds(2)).collect());
    let killed = results.iter().filter(|done| !**done).count();
    assert!((2..40).contains(&killed), "{killed} of 1,000");
}
