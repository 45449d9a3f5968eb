//! Schedules under the local host: aligned slots, the tick at the start, active hours, restarts and a clock that is set.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use stint_core::clock::{Clock, ManualClock, SteadyClock, after, before, between};
use stint_core::ports::PortError;
use stint_core::registry::Registry;
use stint_core::schedule::{ActiveHours, Every, slot_after, slot_at};
use stint_core::worker::{Event, Invocation, Outcome, StopSignal, Trigger, Worker, WorkerError, WorkerSpec};
use stint_embedded::Embedded;
use stint_host::{LocalHost, Ports};
use stint_testkit::Driver;

const MINUTE: Duration = Duration::from_secs(60);
const START: &str = "2026-11-20T10:57:13Z";

/// How often the host looks, and how long a run takes.
const LOOK: Duration = Duration::from_millis(500);
const WORK: Duration = Duration::from_secs(2);

/// By how much the lease of a tick exceeds its worker's time-out.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

const HOUR_OF_WORK: ActiveHours = ActiveHours::new(11, 12, "UTC");

/// A run: the time it was for, when it began by the clock and by a clock that is never set, and whether it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    due: Timestamp,
    began: Timestamp,
    steady: Timestamp,
    ended: bool,
}

type Runs = Arc<Mutex<Vec<Run>>>;

/// Notes its runs.
struct Sampler<const KIND: usize>(Runs, SteadyClock);

/// The schedules of the kinds of samplers.
const SCHEDULES: &[&[Trigger]] = &[
    &[Trigger::Every(Every::new(MINUTE).aligned())],
    &[Trigger::Every(Every::new(Duration::from_secs(10)).aligned().within(HOUR_OF_WORK))],
    &[Trigger::Every(Every::new(MINUTE).aligned().at_start())],
    &[Trigger::Every(Every::new(Duration::from_secs(7)).at_start().within(HOUR_OF_WORK))],
    &[Trigger::Every(Every::new(MINUTE).within(ActiveHours::new(0, 1, "Europe/Atlantis")))],
];

impl<const KIND: usize> Worker for Sampler<KIND> {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "test",
        name: "sampler",
        summary: "notes its runs",
        triggers: SCHEDULES[KIND],
        concurrency: 1,
        timeout: Duration::from_secs(5),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Tick { due, .. } = event else { return Err(WorkerError::Event("no tick".into())) };
        let began = invocation.now();
        let index = {
            let mut runs = self.0.lock().unwrap();
            runs.push(Run { due, began, steady: self.1.now(), ended: false });
            runs.len() - 1
        };
        invocation.clock().sleep(WORK).await;
        self.0.lock().unwrap()[index].ended = true;
        Ok(Outcome::default())
    }
}

struct ScheduleWorld {
    clock: ManualClock,
    embedded: Embedded,
    runs: Runs,
}

impl ScheduleWorld {
    fn new() -> ScheduleWorld {
        let clock = ManualClock::new(START.parse().unwrap());
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        ScheduleWorld { clock, embedded, runs: Runs::default() }
    }

    fn host<const KIND: usize>(&self, stop: &StopSignal) -> Arc<LocalHost> {
        let ports = Ports {
            queues: BTreeMap::new(),
            throttle: self.embedded.throttle(),
            wakeups: self.embedded.wakeups(),
            due: self.embedded.wakeups(),
            clock: Arc::new(self.clock.clone()),
            changed: Arc::new(|| std::future::pending().boxed()),
        };
        let registry = Registry::new().with(Sampler::<KIND>(self.runs.clone(), self.clock.steady()));
        Arc::new(LocalHost::new(registry, ports, stop.clone()).looking_every(LOOK))
    }

    /// Runs a host while `main` runs, and then drains it, or ends it at once.
    fn session<const KIND: usize>(&self, kill: bool, main: impl Future<Output = ()>) {
        let stop = StopSignal::default();
        let host = self.host::<KIND>(&stop);
        Driver::new(&self.clock).run(async {
            host.set_schedules().await.unwrap();
            let loops = join_all(host.loops());
            if kill {
                futures::future::select(loops, Box::pin(main)).await;
                return;
            }
            let end = async {
                main.await;
                stop.set();
            };
            join(loops, end).await;
        });
    }

    /// Returns the times for which the worker was run, as seconds since the start of the test.
    fn times(&self) -> Vec<i64> {
        let start: Timestamp = START.parse().unwrap();
        self.runs.lock().unwrap().iter().map(|run| run.due.as_second() - start.as_second()).collect()
    }
}

#[test]
fn an_aligned_worker_runs_at_every_full_minute() {
    let world = ScheduleWorld::new();
    world.session::<0>(false, world.clock.sleep(MINUTE * 3));
    assert_eq!(world.times(), [47, 107, 167]);
    let late = world.runs.lock().unwrap().iter().all(|run| run.began <= after(run.due, LOOK));
    assert!(late, "each begins within one look of its slot");
}

/// The missed ticks lead to one run, for the newest slot.
#[test]
fn a_host_that_was_down_runs_a_missed_tick_once() {
    let world = ScheduleWorld::new();
    world.session::<0>(false, world.clock.sleep(MINUTE));
    world.clock.advance(MINUTE * 10);
    world.session::<0>(false, world.clock.sleep(MINUTE / 2));
    assert_eq!(world.times(), [47, 647]);
}

/// Two starts before the first run lead to one run. A start after it leads to another.
#[test]
fn a_start_runs_the_worker_once() {
    let world = ScheduleWorld::new();
    let host = world.host::<2>(&StopSignal::default());
    host.set_schedules().now_or_never().unwrap().unwrap();
    world.session::<2>(false, world.clock.sleep(Duration::from_secs(10)));
    assert_eq!(world.times(), [0]);
    world.session::<2>(true, world.clock.sleep(Duration::from_secs(1)));
    assert_eq!(world.times(), [0, 10], "killed during its run");
    world.session::<2>(false, world.clock.sleep(MINUTE));
    assert_eq!(world.times(), [0, 10, 11, 47], "the next start replaced the tick, and then comes the slot");
}

/// The tick at the start counts too.
#[test]
fn nothing_runs_outside_the_active_hours() {
    let world = ScheduleWorld::new();
    world.session::<3>(false, world.clock.sleep(MINUTE * 70));
    let runs = world.runs.lock().unwrap();
    assert!(runs.len() > 500 && runs.iter().all(|run| HOUR_OF_WORK.contains(run.began)));
}

#[test]
fn an_unknown_time_zone_is_refused_at_the_start() {
    let host = ScheduleWorld::new().host::<4>(&StopSignal::default());
    let refused = host.set_schedules().now_or_never().unwrap().unwrap_err();
    assert!(matches!(refused, PortError::Invalid(_)));
    let expected = "the schedule of test/sampler: there is no time zone 'Europe/Atlantis'";
    assert_eq!(refused.to_string(), expected);
}

/// A clock that was hours ahead goes on at once: waiting until it has caught up would be an outage.
#[test]
fn a_clock_that_is_set_back_by_hours_leaves_no_gap() {
    let world = ScheduleWorld::new();
    world.session::<0>(false, async {
        world.clock.sleep(MINUTE * 2).await;
        world.clock.jump(SignedDuration::from_hours(-3));
        world.clock.sleep(MINUTE * 2).await;
    });
    let back = -3 * 3_600;
    assert_eq!(world.times(), [47, 107, 167 + back, 227 + back]);
}

/// A part of a test: the host is up or down for a while, and then the clock is set back.
#[derive(Clone, Copy, Debug)]
struct Part {
    up: bool,
    killed: bool,
    seconds: u64,
    back: i64,
}

fn parts(most_back: i64) -> impl Strategy<Value = Vec<Part>> {
    let part = (any::<bool>(), any::<bool>(), 1_u64..200, prop_oneof![2 => Just(0), 1 => 0..=most_back]);
    prop::collection::vec(part.prop_map(|(up, killed, seconds, back)| Part { up, killed, seconds, back }), 1..12)
}

/// What the clock showed when a part began and ended in which the host was up, and what a clock that is never set showed
/// at its beginning.
type Segment = [Timestamp; 3];

/// Goes through the parts. Returns what the clock showed while the host was up, and for each run whether the clock was
/// later set to a time more than a period before the newest slot that had fired by then.
fn go<const KIND: usize>(world: &ScheduleWorld, parts: &[Part]) -> (Vec<Segment>, Vec<bool>) {
    let period = Sampler::<KIND>::SPEC.schedule().unwrap().period();
    let (mut segments, mut was_far_back) = (Vec::new(), Vec::new());
    for part in parts {
        let (begin, steady) = (world.clock.now(), world.clock.steady().now());
        let length = Duration::from_secs(part.seconds);
        if part.up {
            world.session::<KIND>(part.killed, world.clock.sleep(length));
            segments.push([begin, after(begin, length), steady]);
        } else {
            world.clock.advance(length);
        }
        world.clock.jump(SignedDuration::from_secs(-part.back));
        let runs = world.runs.lock().unwrap();
        was_far_back.resize(runs.len(), false);
        let newest = runs.iter().map(|run| run.due).max();
        if newest.is_some_and(|newest| world.clock.now() < before(newest, period)) {
            was_far_back.fill(true);
        }
    }
    (segments, was_far_back)
}

/// Returns whether the lease of a run that was killed may not have ended, so that no other can begin. Each second by which the
/// clock is set back lengthens it by one.
fn is_leased(runs: &[Run], steady: Timestamp, set_back: Duration) -> bool {
    let lease = Sampler::<0>::SPEC.timeout + LEASE_MARGIN + LOOK + set_back;
    runs.iter().any(|run| !run.ended && run.steady <= steady && steady <= after(run.steady, lease))
}

fn check<const KIND: usize>(parts: &[Part], most_back: i64) -> Result<(), TestCaseError> {
    let world = ScheduleWorld::new();
    let every = Sampler::<KIND>::SPEC.schedule().unwrap();
    let (segments, was_far_back) = go::<KIND>(&world, parts);
    let runs = world.runs.lock().unwrap().clone();
    for (index, run) in runs.iter().enumerate() {
        prop_assert_eq!(slot_at(every.period(), run.due), run.due);
        prop_assert!(every.is_active(run.due, run.began), "{:?} is not active", run);
        let again = runs[index + 1..].iter().any(|other| other.due == run.due);
        prop_assert!(!run.ended || !again || was_far_back[index], "{:?} came again", run);
    }
    let set_back = Duration::from_secs(parts.iter().map(|part| part.back.unsigned_abs()).sum());
    let Some([created, ..]) = segments.first().copied() else { return Ok(()) };
    for [begin, end, steady] in segments {
        let mut slot = slot_after(every.period(), begin);
        // A run that is under way delays the next one.
        while after(slot, WORK + LOOK) <= end {
            let ran = runs.iter().any(|run| run.due == slot);
            let at = after(steady, between(begin, slot));
            // The clock had passed it before. That a clock set far back leaves no gap has a test of its own.
            let newest = runs.iter().filter(|run| run.steady <= at).map(|run| run.due).max();
            let was_before = most_back > 0 && slot <= newest.unwrap_or(created).max(created);
            let is_leased = is_leased(&runs, at, set_back);
            prop_assert!(
                ran || was_before || is_leased || !every.is_active(slot, slot),
                "{} was skipped: {:?}",
                slot,
                runs
            );
            slot = slot_after(every.period(), slot);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_slot_fires_once_and_none_is_skipped(parts in parts(0)) {
        check::<0>(&parts, 0)?;
        check::<1>(&parts, 0)?;
    }

    #[test]
    fn a_slot_fires_again_only_if_the_clock_is_set_far_back(parts in parts(400)) {
        check::<0>(&parts, 400)?;
        check::<1>(&parts, 400)?;
    }
}
