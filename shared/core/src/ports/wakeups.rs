//! The wake-up port: run a worker later, once or again and again.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::PortResult;

/// Schedules invocations, idempotent by name.
///
/// A wake-up fires at least once, never before its time, and in the cloud up to a minute after it. A worker that is
/// woken twice, or late, does the same as one that is woken once, on time.
#[async_trait]
pub trait Wakeups: Send + Sync {
    /// Wakes `worker` once at `at`. A wake-up of the same name is replaced, whatever its time was; a time in the
    /// past fires as soon as possible. After firing it is gone.
    ///
    /// A run that a wake-up has started may set it again under the same name where the host takes wake-ups from a
    /// [`WakeupSource`]: completing the firing leaves the new one. EventBridge Scheduler deletes what has fired by its name,
    /// some time later, and may delete the new one too; a host on it says by which name the run was started
    /// ([`Event::wakeup`](crate::worker::Event::wakeup)), and the run takes another.
    async fn once(&self, name: &str, worker: &str, at: Timestamp) -> PortResult<()>;

    /// Wakes `worker` every `period`, the first time one period from now. Keeps the next firing of a wake-up of
    /// the same name and period, so that a restarted process does not start its schedules over.
    async fn every(&self, name: &str, worker: &str, period: Duration) -> PortResult<()>;

    /// Forgets a wake-up. One that is not there is not an error.
    async fn cancel(&self, name: &str) -> PortResult<()>;

    /// All wake-ups, soonest first.
    async fn list(&self) -> PortResult<Vec<Wakeup>>;
}

/// Where a host that keeps its own schedules reads what is due. The cloud has no such thing: it calls the worker.
#[async_trait]
pub trait WakeupSource: Send + Sync {
    /// Lends every wake-up of these `workers` that is due to the caller, each for the time beside its worker's name; those
    /// of others are left for the host that has them. One that is not completed by then is lent again, so a host that
    /// dies between the two calls delays a wake-up but never loses it.
    async fn claim_due(&self, workers: &[(&str, Duration)]) -> PortResult<Vec<Firing>>;

    /// Ends a firing: a one-shot wake-up is forgotten, a recurring one is due again a period after it was due last
    /// (periods that passed unnoticed are skipped, not made up for). A wake-up that was replaced meanwhile stays as
    /// it was replaced.
    async fn complete(&self, firing: &Firing) -> PortResult<()>;
}

/// A wake-up as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wakeup {
    /// Its name, by which it is replaced and cancelled.
    pub name: String,
    /// The worker that it runs.
    pub worker: String,
    /// When it is next due.
    pub at: Timestamp,
    /// Between firings; `None` for one that fires once.
    pub period: Option<Duration>,
}

/// A wake-up on loan to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The wake-up's name.
    pub name: String,
    /// The worker to run.
    pub worker: String,
    /// When it was due.
    pub due: Timestamp,
}
