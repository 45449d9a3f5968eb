//! Schedules against their documentation.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use stint_core::clock::ManualClock;
use stint_core::worker::{Invocation, Outcome, Worker, WorkerError, WorkerSpec};

use super::*;
use crate::driver;

const ABSENT: WorkerId = WorkerId::new("test", "absent");

static RUNS: AtomicU32 = AtomicU32::new(0);

/// Fails on its first run.
struct FailsOnce;

impl Worker for FailsOnce {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "fails-once",
        summary: "fails once",
        triggers: &[],
        concurrency: 1,
        timeout: Duration::from_secs(10),
    };

    async fn run(&self, _: Event, _: &Invocation) -> Result<Outcome, WorkerError> {
        match RUNS.fetch_add(1, Ordering::SeqCst) {
            0 => Err(WorkerError::Failed("the first time".into())),
            _ => Ok(Outcome::default()),
        }
    }
}

fn scheduler(faults: &Faults) -> (ManualClock, Scheduler) {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let scheduler = Scheduler::new(Arc::new(clock.clone()), 3, faults);
    (clock, scheduler)
}

fn run(clock: &ManualClock, scheduler: &Scheduler, functions: &[Arc<SimulatedFunction>], seconds: u64) {
    let end = after(clock.now(), Duration::from_secs(seconds));
    driver::run(clock, vec![Box::pin(scheduler.run(functions))], end).unwrap();
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_schedule_fires_within_its_minute_and_never_early() {
    let (clock, scheduler) = scheduler(&Faults::none());
    block_on(scheduler.every("often", &ABSENT, Duration::from_secs(600))).unwrap();
    run(&clock, &scheduler, &[], 600 * 500);
    let log = scheduler.log();
    assert!((498..=499).contains(&log.len()), "{}", log.len());
    assert!(log.iter().all(|fired| fired.late < PRECISION));
    let late: Duration = log.iter().map(|fired| fired.late).sum::<Duration>() / log.len() as u32;
    assert!((25..35).contains(&late.as_secs()), "{late:?} late on average");
    let due: Vec<Timestamp> = log.iter().take(3).map(|fired| fired.due).collect();
    assert_eq!(due, [at(600), at(1_200), at(1_800)], "lateness does not add up");
}

#[test]
fn a_wake_up_of_the_same_name_is_replaced_and_fires_once() {
    let (clock, scheduler) = scheduler(&Faults::none());
    block_on(scheduler.once("wake", &ABSENT, at(5_000))).unwrap();
    block_on(scheduler.once("wake", &ABSENT, at(100))).unwrap();
    assert_eq!(block_on(scheduler.list()).unwrap().len(), 1);
    run(&clock, &scheduler, &[], 10_000);
    let log = scheduler.log();
    assert_eq!((log.len(), log[0].due, log[0].once), (1, at(100), true));
    assert!(block_on(scheduler.list()).unwrap().is_empty());
    block_on(scheduler.once("wake", &ABSENT, at(20_000))).unwrap();
    block_on(scheduler.cancel(&ABSENT.fleet, "wake")).unwrap();
    run(&clock, &scheduler, &[], 20_000);
    assert_eq!(scheduler.log().len(), 1);
}

#[test]
fn a_failed_invocation_is_tried_again_after_a_minute() {
    let (clock, scheduler) = scheduler(&Faults::none());
    let function = SimulatedFunction::new(Arc::new(FailsOnce), None, Arc::new(clock.clone()), 1, &Faults::none());
    block_on(scheduler.once("wake", &FailsOnce::SPEC.id(), at(0))).unwrap();
    run(&clock, &scheduler, std::slice::from_ref(&function), 300);
    assert_eq!((RUNS.load(Ordering::SeqCst), function.usage().failed), (2, 1));
}

#[test]
fn wake_ups_are_lost_only_with_the_fault() {
    let (clock, scheduler) = scheduler(&"lost-wakeups".parse().unwrap());
    block_on(scheduler.every("often", &ABSENT, Duration::from_secs(600))).unwrap();
    run(&clock, &scheduler, &[], 600 * 1_000);
    let came = scheduler.log().len();
    assert!((850..950).contains(&came), "{came} of 999");
}
