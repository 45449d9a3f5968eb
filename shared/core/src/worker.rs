//! What a worker is: a stateless function of one event, described as data.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::clock::{Clock, between};
use crate::ports::Delivery;

/// A stateless function of one event.
///
/// Hosts build a worker once and call `run` many times, several calls at once. A worker hands off only through the
/// ports it was built with, keeps nothing between calls, and can be killed between any two lines: running it again
/// reaches the same end.
pub trait Worker: Send + Sync + 'static {
    /// Everything that a host must know to call the worker, and infrastructure to deploy it.
    const SPEC: Spec;

    /// One invocation. An error means that nothing is known about what was done: a scheduled worker is tried again
    /// by its next tick, a batch goes back to its queue as a whole.
    fn run(&self, event: Event, invocation: &Invocation) -> impl Future<Output = Result<Outcome, WorkerError>> + Send;
}

/// A worker as data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// The fleet it belongs to.
    pub fleet: &'static str,
    /// Its name, unique in the fleet, in kebab case.
    pub name: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// What starts it.
    pub triggers: &'static [Trigger],
    /// How many invocations may run at once when no throttle says otherwise.
    pub concurrency: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
}

impl Spec {
    /// The queue that feeds the worker, if one does.
    pub fn queue(&self) -> Option<QueueTrigger> {
        self.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Queue(queue) => Some(*queue),
            _ => None,
        })
    }
}

/// What starts a worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A clock.
    Every {
        /// Between two invocations.
        period: Duration,
    },
    /// A wake-up that another worker sets.
    Wakeup,
    /// A batch of messages.
    Queue(QueueTrigger),
}

/// The queue behind a queue-driven worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QueueTrigger {
    /// The queue's name.
    pub queue: &'static str,
    /// Messages per invocation at the most.
    pub batch: usize,
    /// How long an invocation owns its messages.
    pub visibility_timeout: Duration,
    /// A message that failed this often becomes a dead letter.
    pub max_receives: u32,
}

/// What an invocation is about.
#[derive(Clone, Debug)]
pub enum Event {
    /// A schedule or a wake-up came due.
    Tick {
        /// When it was due, which may be a while ago.
        due: Timestamp,
        /// The wake-up's name, where the host deletes it only after the run: see [`Wakeups::once`](crate::ports::Wakeups::once).
        wakeup: Option<String>,
    },
    /// Messages from the worker's queue.
    Batch(Vec<Delivery>),
    /// A person ran the worker, perhaps with an argument.
    Manual(Value),
}

impl Event {
    /// The name of the wake-up that is deleted when the run is over, if there is one: the worker sets its next one under
    /// another name.
    pub fn wakeup(&self) -> Option<&str> {
        match self {
            Event::Tick { wakeup, .. } => wakeup.as_deref(),
            Event::Batch(_) | Event::Manual(_) => None,
        }
    }
}

/// What came of an invocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What was done, in numbers: one JSON object, for logs and for whoever ran the worker by hand.
    pub report: Value,
    /// The fate of each message of a batch that is not simply done. The host acknowledges all others.
    pub exceptions: Vec<MessageException>,
    /// Nothing could be done: the invocation was wasted. Hosts count these.
    pub idle: bool,
}

impl Outcome {
    /// An outcome without message exceptions.
    pub fn report(report: impl Serialize) -> Outcome {
        let report = serde_json::to_value(report).unwrap_or_else(|error| Value::String(error.to_string()));
        Outcome { report, exceptions: Vec::new(), idle: false }
    }
}

/// A message of a batch that must not simply be acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageException {
    /// Which one.
    pub message_id: String,
    /// What is to happen to it.
    pub disposition: Disposition,
}

/// What is to happen to a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// A passing fault: give it back, to be visible again after its [`retry_delay`]. Counts as a failure; after
    /// `max_receives` of them it is a dead letter.
    Retry {
        /// What went wrong, in words.
        reason: String,
    },
    /// It can never succeed: to the dead letters at once.
    Reject {
        /// What is wrong with it, in words that name the field.
        reason: String,
    },
}

/// Before a message is visible again that has failed once: a store that elects a new primary, or a blip of the network, is
/// over by then.
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// Each further failure makes the wait so much longer.
const RETRY_GROWTH: u32 = 5;

/// No wait is longer: whoever has mended what was broken does not want to wait for much more.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);

/// How long a message that was received `receives` times, and failed each time, waits before the next: half a minute, two
/// and a half, twelve and a half, an hour. So a queue that allows five receives outlasts a fault of an hour and a quarter,
/// and one that lasts is not asked all the time.
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
    /// The worker was given an event that it does not take, or a malformed one.
    #[error("{0}")]
    Event(String),
    /// Anything else, with its causes in the text.
    #[error("{0}")]
    Failed(String),
}

/// The surroundings of one invocation: its deadline, and whether the host wants to stop.
#[derive(Clone)]
pub struct Invocation {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    /// From its beginning to its deadline.
    time: Duration,
    stop: Stop,
}

impl Invocation {
    /// An invocation that must be over by `deadline`.
    pub fn new(clock: Arc<dyn Clock>, deadline: Timestamp, stop: Stop) -> Invocation {
        let time = between(clock.now(), deadline);
        Invocation { clock, deadline, time, stop }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock, for waiting.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time left before the deadline. A clock that is set back does not make it longer than it was at first.
    pub fn remaining(&self) -> Duration {
        between(self.now(), self.deadline).min(self.time)
    }

    /// Whether to start another piece of work that may take `needed`: no when the host is stopping, or when it
    /// would run past the deadline. Long workers ask this between two pieces and keep their progress.
    pub fn has_time_for(&self, needed: Duration) -> bool {
        !self.stop.is_set() && self.remaining() > needed
    }
}

/// A request to stop that many may watch. Once set it stays set. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks everybody who watches to come to an end.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A worker behind a pointer: what a registry holds and a host calls.
pub trait AnyWorker: Send + Sync {
    /// The worker as data.
    fn spec(&self) -> Spec;

    /// One invocation.
    fn invoke<'a>(&'a self, event: Event, invocation: &'a Invocation) -> BoxFuture<'a, Result<Outcome, WorkerError>>;
}

impl<W: Worker> AnyWorker for W {
    fn spec(&self) -> Spec {
        W::SPEC
    }

    fn invoke<'a>(&'a self, event: Event, invocation: &'a Invocation) -> BoxFuture<'a, Result<Outcome, WorkerError>> {
        Box::pin(self.run(event, invocation))
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
