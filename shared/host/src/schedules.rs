//! The schedules of workers: which wake-ups the local host sets for them, and which of their ticks are run.
//!
//! # If the process exits between any two lines
//! * *While schedules are set:* those that were set keep their times. The next start sets all of them again.
//! * *After a tick was claimed, and before its run has ended:* its lease ends, and it fires again. An aligned tick then
//!   has the newest slot.
//! * *After the run, and before the tick was completed:* the same; the worker runs twice for one tick, which every
//!   worker tolerates.
//! * *While the tick of the start waits or runs:* the next start replaces it by its own.

use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ports::{Firing, PortError, PortResult, Wakeups};
use stint_core::schedule::Every;
use stint_core::worker::WorkerSpec;

/// Sets the schedule of a worker. A schedule that exists already keeps its times.
pub(crate) async fn set_schedule(spec: &WorkerSpec, wakeups: &dyn Wakeups, clock: &dyn Clock) -> PortResult<()> {
    let Some(every) = spec.schedule() else { return Ok(()) };
    let id = spec.id();
    if let Some(hours) = every.hours().filter(|hours| !hours.is_known()) {
        return Err(PortError::Invalid(format!("the schedule of {id}: there is no time zone '{}'", hours.zone())));
    }
    let name = schedule_name(spec.name);
    if every.is_aligned() {
        wakeups.every_aligned(&name, &id, every.period()).await?;
    } else {
        wakeups.every(&name, &id, every.period()).await?;
    }
    if every.fires_at_start() {
        wakeups.once(&start_name(spec.name), &id, clock.now()).await?;
    }
    Ok(())
}

/// Returns whether a firing belongs to its worker's schedule. Any other is a wake-up that a worker has set.
pub(crate) fn is_scheduled(firing: &Firing) -> bool {
    firing.name == schedule_name(&firing.worker.name) || firing.name == start_name(&firing.worker.name)
}

/// Returns the time for which a worker is run when these wake-ups fire together at `now`: the slot of its schedule if
/// that is aligned and among them, and otherwise the earliest time. Returns `None` if the schedule is not active now
/// and no other wake-up fires.
pub(crate) fn time_to_run(spec: &WorkerSpec, firings: &[Firing], now: Timestamp) -> Option<Timestamp> {
    let every = spec.schedule();
    let is_active = |firing: &&Firing| !is_scheduled(firing) || is_active(every, firing.due, now);
    let active = || firings.iter().filter(is_active);
    let slot = every.filter(Every::is_aligned).and_then(|_| {
        let schedule = schedule_name(spec.name);
        active().find(|firing| firing.name == schedule).map(|firing| firing.due)
    });
    slot.or_else(|| active().map(|firing| firing.due).min())
}

/// Returns whether a tick of this schedule is to be run.
pub(crate) fn is_active(every: Option<Every>, due: Timestamp, now: Timestamp) -> bool {
    every.is_none_or(|every| every.is_active(due, now))
}

/// Returns the name of the wake-up for a worker's own schedule, which is unique in its fleet.
fn schedule_name(worker: &str) -> String {
    format!("schedule-{worker}")
}

/// Returns the name of the wake-up for the tick at the start.
fn start_name(worker: &str) -> String {
    format!("start-{worker}")
}
