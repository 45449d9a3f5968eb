//! Faults of a process at chosen kill points: the instants before and after each of its port calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use futures::future::{Either, poll_fn, select};
use futures::task::AtomicWaker;
use stint_core::ports::{PortError, PortResult};

/// The fault plan of one process. Clones share their kill points.
///
/// The ports that the process uses are wrapped in a [`FaultInjector`](crate::FaultInjector), or in a test's own wrapper
/// implemented by [`fault_injected_port!`](crate::fault_injected_port).
#[derive(Clone)]
pub struct FaultPlan(Arc<Inner>);

struct Inner {
    fault: Fault,
    passed: AtomicU64,
    killed: AtomicBool,
    on_kill: AtomicWaker,
}

/// The fault, and when it happens.
enum Fault {
    Never,
    /// The process is killed at this kill point.
    Kill(u64),
    /// The port fails at this kill point, once.
    Fail(u64),
    /// The port fails while the function returns `true`.
    FailWhile(Box<dyn Fn() -> bool + Send + Sync>),
    /// The port does not answer while the function returns `true`. Calls made during that time are never answered.
    HangWhile(Box<dyn Fn() -> bool + Send + Sync>),
    /// At this kill point the function runs, as if another process acted at this instant.
    Run(u64, Box<dyn Fn() + Send + Sync>),
}

impl FaultPlan {
    /// A plan without faults.
    pub fn none() -> FaultPlan {
        FaultPlan::new(Fault::Never)
    }

    /// The process is killed at the kill point `at`, counted from 1.
    pub fn kill_at(at: u64) -> FaultPlan {
        FaultPlan::new(Fault::Kill(at))
    }

    /// The port fails at the kill point `at`, once, and the process goes on.
    pub fn fail_at(at: u64) -> FaultPlan {
        FaultPlan::new(Fault::Fail(at))
    }

    /// The ports fail while `fails` returns `true`, and the process goes on.
    pub fn fail_while(fails: impl Fn() -> bool + Send + Sync + 'static) -> FaultPlan {
        FaultPlan::new(Fault::FailWhile(Box::new(fails)))
    }

    /// The ports do not answer while `hangs` returns `true`, and the process goes on.
    pub fn hang_while(hangs: impl Fn() -> bool + Send + Sync + 'static) -> FaultPlan {
        FaultPlan::new(Fault::HangWhile(Box::new(hangs)))
    }

    /// The function `hook` runs at the kill point `at`.
    pub fn run_at(at: u64, hook: impl Fn() + Send + Sync + 'static) -> FaultPlan {
        FaultPlan::new(Fault::Run(at, Box::new(hook)))
    }

    /// Runs `work` to its end and returns its value. Returns `None` if the process is killed first, and drops `work`
    /// there.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let killed = poll_fn(|context| {
            self.0.on_kill.register(context.waker());
            if self.0.killed.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        match select(pin!(work), pin!(killed)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// The number of kill points passed so far.
    pub fn kill_points(&self) -> u64 {
        self.0.passed.load(Ordering::SeqCst)
    }

    /// A kill point. Never completes if the process is killed here, and fails if the port is to fail.
    pub async fn kill_point(&self) -> PortResult<()> {
        let number = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.0.fault {
            Fault::Kill(at) if number >= *at => {
                self.0.killed.store(true, Ordering::SeqCst);
                self.0.on_kill.wake();
                std::future::pending().await
            }
            Fault::Fail(at) if number == *at => Err(unavailable()),
            Fault::FailWhile(fails) if fails() => Err(unavailable()),
            Fault::HangWhile(hangs) if hangs() => std::future::pending().await,
            Fault::Run(at, hook) if number == *at => {
                hook();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn new(fault: Fault) -> FaultPlan {
        let (passed, killed, on_kill) = (AtomicU64::new(0), AtomicBool::new(false), AtomicWaker::new());
        FaultPlan(Arc::new(Inner { fault, passed, killed, on_kill }))
    }
}

fn unavailable() -> PortError {
    PortError::unavailable("could not reach the store", "injected fault")
}
