//! How long a process lives, counted in steps: the instants before and after each of its port calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use futures::future::{Either, poll_fn, select};
use futures::task::AtomicWaker;
use stint_core::ports::{PortError, PortResult};

/// The life of one process. Clones are one.
///
/// Ports that the process works through are wrapped in a [`Mortal`](crate::Mortal), or in a wrapper of the test's own that
/// [`mortal_port!`](crate::mortal_port) fills.
#[derive(Clone)]
pub struct Life(Arc<Inner>);

struct Inner {
    end: End,
    steps: AtomicU64,
    over: AtomicBool,
    mourner: AtomicWaker,
}

/// What happens at a certain step.
enum End {
    Never,
    /// The process is killed.
    Killed(u64),
    /// The port fails, once.
    Failed(u64),
    /// The port fails for as long as this says so.
    Away(Box<dyn Fn() -> bool + Send + Sync>),
    /// The port does not answer for as long as this says so; what was asked then is never answered.
    Silent(Box<dyn Fn() -> bool + Send + Sync>),
    /// Somebody else does something at this very moment.
    Interrupted(u64, Box<dyn Fn() + Send + Sync>),
}

impl Life {
    /// Ends with the test.
    pub fn endless() -> Life {
        Life::new(End::Never)
    }

    /// Is killed at step `step`, from 1.
    pub fn killed_at(step: u64) -> Life {
        Life::new(End::Killed(step))
    }

    /// Meets a port that fails at step `step`, and lives on.
    pub fn failing_at(step: u64) -> Life {
        Life::new(End::Failed(step))
    }

    /// Meets ports that fail for as long as they are `away`, and lives on.
    pub fn failing_while(away: impl Fn() -> bool + Send + Sync + 'static) -> Life {
        Life::new(End::Away(Box::new(away)))
    }

    /// Meets ports that do not answer for as long as they are `silent`, and lives on.
    pub fn unanswered_while(silent: impl Fn() -> bool + Send + Sync + 'static) -> Life {
        Life::new(End::Silent(Box::new(silent)))
    }

    /// Is interrupted at step `step` by somebody who does `deed`.
    pub fn interrupted_at(step: u64, deed: impl Fn() + Send + Sync + 'static) -> Life {
        Life::new(End::Interrupted(step, Box::new(deed)))
    }

    /// Runs `work` until it is done or the process is killed, which drops it where it stands.
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

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.0.steps.load(Ordering::SeqCst)
    }

    /// One step. The last one never completes. Fails when the port is to fail at this step.
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
