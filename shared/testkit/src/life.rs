//! Faults of a process at chosen steps: the instants before and after each of its port calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use futures::future::{Either, poll_fn, select};
use futures::task::AtomicWaker;
use stint_core::ports::{PortError, PortResult};

/// The fault plan of one process. Clones share their steps.
///
/// The ports that the process uses are wrapped in a [`Mortal`](crate::Mortal), or in a test's own wrapper implemented
/// by [`mortal_port!`](crate::mortal_port).
#[derive(Clone)]
pub struct Life(Arc<Inner>);

struct Inner {
    end: End,
    steps: AtomicU64,
    over: AtomicBool,
    mourner: AtomicWaker,
}

/// The fault, and when it happens.
enum End {
    Never,
    /// The process is killed at this step.
    Killed(u64),
    /// The port fails at this step, once.
    Failed(u64),
    /// The port fails while the function returns `true`.
    Away(Box<dyn Fn() -> bool + Send + Sync>),
    /// The port does not answer while the function returns `true`. Calls made during that time are never answered.
    Silent(Box<dyn Fn() -> bool + Send + Sync>),
    /// At this step the function runs, as if another process acted at this instant.
    Interrupted(u64, Box<dyn Fn() + Send + Sync>),
}

impl Life {
    /// A process without faults.
    pub fn endless() -> Life {
        Life::new(End::Never)
    }

    /// A process that is killed at `step`, counted from 1.
    pub fn killed_at(step: u64) -> Life {
        Life::new(End::Killed(step))
    }

    /// A process whose port fails at `step`, and which goes on.
    pub fn failing_at(step: u64) -> Life {
        Life::new(End::Failed(step))
    }

    /// A process whose ports fail while `away` returns `true`, and which goes on.
    pub fn failing_while(away: impl Fn() -> bool + Send + Sync + 'static) -> Life {
        Life::new(End::Away(Box::new(away)))
    }

    /// A process whose ports do not answer while `silent` returns `true`, and which goes on.
    pub fn unanswered_while(silent: impl Fn() -> bool + Send + Sync + 'static) -> Life {
        Life::new(End::Silent(Box::new(silent)))
    }

    /// A process during whose step `step` the function `deed` runs.
    pub fn interrupted_at(step: u64, deed: impl Fn() + Send + Sync + 'static) -> Life {
        Life::new(End::Interrupted(step, Box::new(deed)))
    }

    /// Runs `work` to its end and returns its value. Returns `None` if the process is killed first, and drops `work` at
    /// that step.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let killed = poll_fn(|context| {
            self.0.mourner.register(context.waker());
            if self.0.over.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        match select(pin!(work), pin!(killed)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// The number of steps so far.
    pub fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::SeqCst)
    }

    /// One step. Never completes if the process is killed at this step, and fails if the port is to fail.
    pub async fn step(&self) -> PortResult<()> {
        let step = self.0.steps.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.0.end {
            End::Killed(last) if step >= *last => {
                self.0.over.store(true, Ordering::SeqCst);
                self.0.mourner.wake();
                std::future::pending().await
            }
            End::Failed(last) if step == *last => Err(away()),
            End::Away(is_away) if is_away() => Err(away()),
            End::Silent(is_silent) if is_silent() => std::future::pending().await,
            End::Interrupted(at, deed) if step == *at => {
                deed();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn new(end: End) -> Life {
        let (steps, over, mourner) = (AtomicU64::new(0), AtomicBool::new(false), AtomicWaker::new());
        Life(Arc::new(Inner { end, steps, over, mourner }))
    }
}

fn away() -> PortError {
    PortError::backend("could not reach the store", "it is away")
}
