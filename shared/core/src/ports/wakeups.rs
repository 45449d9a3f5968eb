//! The wake-up port: run a worker later, once or periodically.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::PortResult;
use crate::worker::WorkerId;

/// Schedules invocations, idempotent by fleet and name: two fleets may use the same name for a wake-up. In the cloud each
/// fleet has a schedule group of its own.
///
/// A wake-up fires at least once, never before its time, and in the cloud up to a minute late. A worker that is woken
/// twice or late must do the same as a worker that is woken once and on time.
#[async_trait]
pub trait Wakeups: Send + Sync {
    /// Wakes `worker` once at `at`. Replaces a wake-up of the same name in the worker's fleet, whatever its time was. A
    /// time in the past fires as soon as possible. The wake-up is deleted after it fires.
    ///
    /// On a host that takes wake-ups from a [`WakeupSource`], a run that a wake-up has started may schedule it again
    /// under the same name: completing the firing keeps the new one. EventBridge Scheduler deletes a fired schedule by
    /// its name some time later and may then delete the new one too. A host on EventBridge Scheduler therefore passes
    /// the name under which the run was started ([`Event::wakeup`](crate::worker::Event::wakeup)), and the run uses
    /// another.
    async fn once(&self, name: &str, worker: &WorkerId, at: Timestamp) -> PortResult<()>;

    /// Wakes `worker` every `period`, the first time one period from now. If a wake-up of the same name and period
    /// exists, its next firing is kept, so that a restarted process does not restart its schedules.
    async fn every(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()>;

    /// Wakes `worker` every `period`, at multiples of the period since the Unix epoch, the first time at the next one. If
    /// an aligned wake-up of the same name and period exists, its next firing is kept.
    async fn every_aligned(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()>;

    /// Deletes a wake-up of `fleet`. Does nothing if it does not exist.
    async fn cancel(&self, fleet: &str, name: &str) -> PortResult<()>;

    /// Returns all wake-ups of all fleets that share the store, soonest first.
    async fn list(&self) -> PortResult<Vec<Wakeup>>;

    /// Returns everything that will start a worker by time, soonest first: the wake-ups, and in the cloud also the
    /// schedules that infrastructure has created. For operators.
    async fn schedules(&self) -> PortResult<Vec<Schedule>> {
        Ok(self.list().await?.into_iter().map(Schedule::from).collect())
    }
}

/// The source of due wake-ups for a host that keeps its own schedules. The cloud needs none: there the scheduler calls
/// the worker.
#[async_trait]
pub trait WakeupSource: Send + Sync {
    /// Leases every due wake-up of these `workers` to the caller, each for the duration given with its worker. Wake-ups of
    /// other workers are left for the host that runs them. A wake-up that is not completed in time is leased again, so a
    /// host that crashes before it completes one delays that wake-up but never loses it. An aligned wake-up is due at the
    /// newest multiple of its period, even if it was not claimed for several periods.
    async fn claim_due(&self, workers: &[(WorkerId, Duration)]) -> PortResult<Vec<Firing>>;

    /// Ends a firing. A one-shot wake-up is deleted. A recurring one is due again one period after it was last due;
    /// periods that passed unnoticed are skipped. A wake-up that was replaced meanwhile keeps its replacement. An
    /// aligned one that has fired is not due again for the same instant, unless the clock was set back by more than a
    /// period since: see [`Every`](crate::schedule::Every).
    async fn complete(&self, firing: &Firing) -> PortResult<()>;
}

/// A stored wake-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wakeup {
    /// Its name in its worker's fleet, by which it is replaced and cancelled.
    pub name: String,
    /// The worker that it runs.
    pub worker: WorkerId,
    /// When it is next due.
    pub at: Timestamp,
    /// The time between firings. `None` for a one-shot wake-up.
    pub period: Option<Duration>,
}

/// A wake-up or a schedule as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// Its name in its group.
    pub name: String,
    /// The group that the scheduler keeps it in, if it has groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The worker that it starts.
    pub worker: WorkerId,
    /// When it fires, in the words of the scheduler.
    pub expression: String,
    /// Whether it fires at all.
    pub enabled: bool,
    /// When it is next due, if it is enabled and its expression says so.
    pub next_due: Option<Timestamp>,
}

impl From<Wakeup> for Schedule {
    fn from(wakeup: Wakeup) -> Schedule {
        let expression = match wakeup.period {
            Some(period) => format!("every {} s", period.as_secs()),
            None => "once".to_owned(),
        };
        Schedule {
            name: wakeup.name,
            group: None,
            worker: wakeup.worker,
            expression,
            enabled: true,
            next_due: Some(wakeup.at),
        }
    }
}

/// A due wake-up that is leased to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The wake-up's name.
    pub name: String,
    /// The worker to run.
    pub worker: WorkerId,
    /// When it was due.
    pub due: Timestamp,
}
