//! Workers: stateless functions of one event, described as data.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::clock::{Clock, between};
use crate::http::{Request, Response, Route};
use crate::ports::{Delivery, PortResult};
use crate::schedule::Every;

pub use crate::worker_id::WorkerId;

/// A stateless function of one event.
///
/// A host builds a worker once and calls `run` many times, often several times at once. A worker hands work on only
/// through the ports it was built with (stores, queues, wake-ups) and keeps nothing in memory between calls.
///
/// There are two reasons for this. First, the same worker runs as a Lambda function and inside the local host, because
/// nothing in it depends on which process calls it or how long that process runs. Second, a worker may be killed
/// between any two lines: all progress is in a store or a queue, so running it again reaches the same end state.
/// Implementations must keep that property: send a message before deleting the record that caused it, and make every
/// write idempotent.
///
/// Running out of points is not an error. A worker parks messages that it cannot pay for in the
/// [`KeyPool`](crate::ports::KeyPool) and acknowledges them, so that waiting for points uses up no receives.
pub trait Worker: Send + Sync + 'static {
    /// What a host needs to know to call the worker, and what infrastructure needs to know to deploy it.
    const SPEC: WorkerSpec;

    /// Runs one invocation. An error means that it is unknown how much of the work was done: a scheduled worker runs
    /// again at its next tick, and a batch goes back to its queue as a whole. A failure of a single message is not an
    /// error; report it in [`Outcome::exceptions`].
    fn run(&self, event: Event, invocation: &Invocation) -> impl Future<Output = Result<Outcome, WorkerError>> + Send;

    /// Returns an error if a store that the worker needs cannot be reached. The host calls this with back-off after an
    /// invocation has failed with [`PortError::Unavailable`](crate::ports::PortError::Unavailable), before it tries a batch
    /// again. By default it does not know, and each try is a batch.
    fn ready(&self) -> impl Future<Output = PortResult<()>> + Send {
        async { Ok(()) }
    }
}

/// Describes a worker as data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WorkerSpec {
    /// The fleet it belongs to.
    pub fleet: &'static str,
    /// Its name in kebab case, unique within the fleet.
    pub name: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// What starts it.
    pub triggers: &'static [Trigger],
    /// How many invocations may run at once unless the throttle sets another value.
    pub concurrency: u32,
    /// The longest that one invocation may take.
    pub timeout: Duration,
}

impl WorkerSpec {
    /// Returns the fleet and the name of the worker, by which every port and record knows it.
    pub const fn id(&self) -> WorkerId {
        WorkerId::new(self.fleet, self.name)
    }

    /// Returns the queue that feeds the worker, if there is one.
    pub fn queue(&self) -> Option<QueueTrigger> {
        self.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Queue(queue) => Some(*queue),
            _ => None,
        })
    }

    /// Returns the schedule that starts the worker, if there is one.
    pub fn schedule(&self) -> Option<Every> {
        self.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Every(every) => Some(*every),
            _ => None,
        })
    }

    /// Returns the routes that the worker serves.
    pub fn routes(&self) -> &'static [Route] {
        let routes = self.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Http(routes) => Some(*routes),
            _ => None,
        });
        routes.unwrap_or_default()
    }
}

/// What starts a worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A schedule.
    Every(Every),
    /// A wake-up that another worker schedules.
    Wakeup,
    /// A batch of messages.
    Queue(QueueTrigger),
    /// A request to one of these routes.
    Http(&'static [Route]),
}

/// The queue that feeds a worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QueueTrigger {
    /// The queue's name.
    pub queue: &'static str,
    /// The most messages per invocation.
    pub batch: usize,
    /// How long a received message stays invisible to other invocations.
    pub visibility_timeout: Duration,
    /// A message that has failed this many times becomes a dead letter.
    pub max_receives: u32,
}

/// The event that an invocation handles.
#[derive(Clone, Debug)]
pub enum Event {
    /// A schedule or a wake-up came due.
    Tick {
        /// When it was due, which may be some time ago.
        due: Timestamp,
        /// The wake-up's name, if the host deletes the wake-up only after the run: see
        /// [`Wakeups::once`](crate::ports::Wakeups::once).
        wakeup: Option<String>,
    },
    /// Messages from the worker's queue.
    Batch(Vec<Delivery>),
    /// A request to one of the worker's routes. The worker returns [`Outcome::response`].
    Request(Box<Request>),
    /// A person ran the worker by hand, with an optional argument.
    Manual(Value),
}

impl Event {
    /// Returns the name of the wake-up that the host deletes after this run, if there is one. The worker must schedule
    /// its next wake-up under another name.
    pub fn wakeup(&self) -> Option<&str> {
        match self {
            Event::Tick { wakeup, .. } => wakeup.as_deref(),
            Event::Batch(_) | Event::Request(_) | Event::Manual(_) => None,
        }
    }
}

/// The result of an invocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What was done, in numbers: one JSON object for logs and for a person who runs the worker by hand.
    pub report: Value,
    /// The messages of a batch that must not simply be acknowledged. The host acknowledges all others.
    pub exceptions: Vec<MessageException>,
    /// Whether nothing could be done, so that the invocation was wasted. Hosts count these.
    pub idle: bool,
    /// The response to a request. It is ignored for other events.
    pub response: Option<Response>,
    /// Why a store could not be reached, if that has stopped the work on a batch of which other messages have an outcome
    /// already. If no message has one, the worker returns the port's error instead.
    pub unavailable: Option<String>,
}

impl Outcome {
    /// Creates the outcome of a request.
    pub fn response(response: Response) -> Outcome {
        Outcome { response: Some(response), ..Outcome::default() }
    }

    /// Creates an outcome without message exceptions.
    pub fn report(report: impl Serialize) -> Outcome {
        let report = serde_json::to_value(report).unwrap_or_else(|error| Value::String(error.to_string()));
        Outcome { report, ..Outcome::default() }
    }
}

/// A message of a batch that must not simply be acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageException {
    /// The message's id.
    pub message_id: String,
    /// What the host does with it.
    pub disposition: Disposition,
}

/// What the host does with a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// A passing fault: the host releases the message, which becomes visible again after its [`retry_delay`]. This
    /// counts as a failure; after `max_receives` failures the message is a dead letter.
    Retry {
        /// What went wrong.
        reason: String,
    },
    /// The message can never succeed: the host moves it to the dead letters at once.
    Reject {
        /// What is wrong with the message. Names the field.
        reason: String,
    },
}

/// The delay before the first retry of a message. A store that elects a new primary and a short network fault are over
/// by then.
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// The factor by which each further failure lengthens the delay.
const RETRY_GROWTH: u32 = 5;

/// The upper bound of the delay. After a repair, messages do not wait much longer than this.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);

/// Returns how long a message waits before its next attempt after it was received and failed `receives` times: 30
/// seconds, then 2.5 minutes, 12.5 minutes, and one hour from then on. A queue that allows five receives therefore
/// outlasts a fault of an hour and a quarter, and a fault that lasts longer does not cause constant retries. A store that
/// cannot be reached is not such a fault: the host pauses the worker.
pub fn retry_delay(receives: u32) -> Duration {
    let growth = RETRY_GROWTH.saturating_pow(receives.saturating_sub(1));
    FIRST_RETRY.saturating_mul(growth).min(LONGEST_RETRY)
}

/// An invocation that failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A port failed.
    #[error(transparent)]
    Port(#[from] crate::ports::PortError),
    /// The event is malformed, or is of a kind that the worker does not handle.
    #[error("{0}")]
    Event(String),
    /// It took longer than this.
    #[error("timed out after {:.0} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Any other failure. The text includes its causes.
    #[error("{0}")]
    Failed(String),
}

impl WorkerError {
    /// Returns whether a port that the worker needs cannot be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, WorkerError::Port(error) if error.is_unavailable())
    }
}

/// The context of one invocation: its deadline, and whether the host is stopping.
#[derive(Clone)]
pub struct Invocation {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    /// The time from the start of the invocation to its deadline.
    time: Duration,
    stop: StopSignal,
}

impl Invocation {
    /// Creates an invocation that must end by `deadline`.
    pub fn new(clock: Arc<dyn Clock>, deadline: Timestamp, stop: StopSignal) -> Invocation {
        let time = between(clock.now(), deadline);
        Invocation { clock, deadline, time, stop }
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the clock, for waiting.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Returns the time left before the deadline. It never exceeds the initial time, even if the clock is set back.
    pub fn remaining(&self) -> Duration {
        between(self.now(), self.deadline).min(self.time)
    }

    /// Returns whether another piece of work that may take `needed` should be started. Returns `false` if the host is
    /// stopping or if the work would run past the deadline. Long workers check this between pieces and keep their
    /// progress.
    pub fn has_time_for(&self, needed: Duration) -> bool {
        !self.stop.is_set() && self.remaining() > needed
    }
}

/// A request to stop, shared by its clones. Once set it stays set.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Requests a stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Returns whether a stop was requested.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A [`Worker`] behind a pointer: the form in which a registry keeps workers and a host calls them.
pub trait AnyWorker: Send + Sync {
    /// Returns the worker's description.
    fn spec(&self) -> WorkerSpec;

    /// Runs one invocation.
    fn invoke<'a>(&'a self, event: Event, invocation: &'a Invocation) -> BoxFuture<'a, Result<Outcome, WorkerError>>;

    /// Returns an error if a store that the worker needs cannot be reached.
    fn ready(&self) -> BoxFuture<'_, PortResult<()>>;
}

impl<W: Worker> AnyWorker for W {
    fn spec(&self) -> WorkerSpec {
        W::SPEC
    }

    fn invoke<'a>(&'a self, event: Event, invocation: &'a Invocation) -> BoxFuture<'a, Result<Outcome, WorkerError>> {
        Box::pin(self.run(event, invocation))
    }

    fn ready(&self) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(Worker::ready(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_rarer_and_rarer_and_outlast_a_fault_of_an_hour() {
        let delays = [1, 2, 3, 4, 5, u32::MAX].map(|receives| retry_delay(receives).as_secs());
        assert_eq!(delays, [30, 150, 750, 3_600, 3_600, 3_600]);
    }
}
