//! AWS Lambda: a function with reserved concurrency, its execution environments, and its billed time.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{Clock, after, between};
use stint_core::worker::{AnyWorker, Event, Invocation, Outcome, StopSignal, WorkerSpec};

use crate::control_plane::Reserved;
use crate::faults::{Fault, Faults};
use crate::random::Random;

/// Time from the request until the handler starts in an existing environment. (assumed)
pub const WARM_START: Duration = Duration::from_millis(5);

/// Time until a new environment exists, before Stint's code is loaded. Not billed. (assumed)
pub const ENVIRONMENT_START: Duration = Duration::from_millis(150);

/// Stint's own initialisation, which is billed: the design's limit, ready for the first event 25 ms after exec.
pub const INIT: Duration = Duration::from_millis(25);

/// An environment that was idle for this long is removed. (assumed: 5 to 15 minutes have been observed)
pub const IDLE_ENVIRONMENT: Duration = Duration::from_secs(10 * 60);

/// With the fault `kills`: how many invocations are killed, in per mille, and the range of time after their start.
const KILLS: (u32, (Duration, Duration)) = (10, (Duration::ZERO, Duration::from_millis(1_500)));

/// Usage of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Invocations that ran. Each is billed as a request.
    pub invocations: u64,
    /// Of these, in a new environment.
    pub cold_starts: u64,
    /// Invocations that were refused because the concurrency was used up. Not billed.
    pub throttled: u64,
    /// Invocations that returned an error, were killed or timed out.
    pub failed: u64,
    /// Invocations that failed or found nothing to do.
    pub wasted: u64,
    /// Billed time, each run rounded up to a millisecond.
    pub billed_millis: u64,
}

/// A deployed worker.
pub struct SimulatedFunction {
    worker: Arc<dyn AnyWorker>,
    reserved: Option<Arc<Reserved>>,
    clock: Arc<dyn Clock>,
    random: Random,
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: u32,
    /// The most concurrent invocations since the last call of `take_peak`.
    peak: u32,
    /// When each idle environment was last used, the longest idle first.
    idle: Vec<Timestamp>,
    usage: Usage,
}

/// A slot of the reserved concurrency. Dropping it frees it.
pub struct Slot {
    function: Arc<SimulatedFunction>,
    cold: bool,
    survives: bool,
}

impl SimulatedFunction {
    /// Returns a function that runs `worker`, within `reserved` if it has reserved concurrency.
    pub fn new(
        worker: Arc<dyn AnyWorker>,
        reserved: Option<Arc<Reserved>>,
        clock: Arc<dyn Clock>,
        seed: u64,
        faults: &Faults,
    ) -> Arc<SimulatedFunction> {
        let random = Random::new(seed, worker.spec().name);
        Arc::new(SimulatedFunction { worker, reserved, clock, random, faults: faults.clone(), state: Mutex::default() })
    }

    /// The specification of the worker.
    pub fn spec(&self) -> WorkerSpec {
        self.worker.spec()
    }

    /// Its usage so far.
    pub fn usage(&self) -> Usage {
        self.lock().usage
    }

    /// The number of invocations that run now.
    pub fn running(&self) -> u32 {
        self.lock().running
    }

    /// Returns the most concurrent invocations since the last call.
    pub fn take_peak(&self) -> u32 {
        let mut state = self.lock();
        let running = state.running;
        std::mem::replace(&mut state.peak, running)
    }

    /// Returns a slot to run in. `None` if the reserved concurrency is used up, which is Lambda's 429.
    pub fn admit(self: &Arc<Self>) -> Option<Slot> {
        let now = self.clock.now();
        let reserved = self.reserved.as_ref().and_then(|reserved| reserved.effective(now));
        let mut state = self.lock();
        if reserved.is_some_and(|reserved| state.running >= reserved) {
            state.usage.throttled += 1;
            return None;
        }
        state.running += 1;
        state.peak = state.peak.max(state.running);
        state.idle.retain(|used| between(*used, now) < IDLE_ENVIRONMENT);
        let cold = state.idle.pop().is_none();
        state.usage.invocations += 1;
        state.usage.cold_starts += u64::from(cold);
        Some(Slot { function: self.clone(), cold, survives: true })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Runs one invocation, at most as long as the worker's time-out. The error is the one that Lambda reports.
    pub async fn run(mut self, event: Event) -> Result<Outcome, String> {
        let function = self.function.clone();
        let clock = &function.clock;
        clock.sleep(if self.cold { ENVIRONMENT_START + WARM_START } else { WARM_START }).await;
        let begun = clock.now();
        if self.cold {
            clock.sleep(INIT).await;
        }
        let result = self.invoke(event).await;
        let mut state = function.lock();
        state.usage.billed_millis += (between(begun, clock.now()).as_micros().div_ceil(1_000)) as u64;
        state.usage.failed += u64::from(result.is_err());
        state.usage.wasted += u64::from(result.as_ref().map_or(true, |outcome| outcome.idle));
        result
    }

    async fn invoke(&mut self, event: Event) -> Result<Outcome, String> {
        let function = self.function.clone();
        let timeout = function.worker.spec().timeout;
        let timed_out = after(function.clock.now(), timeout);
        let invocation = Invocation::new(function.clock.clone(), timed_out, StopSignal::default());
        let killed = function
            .random
            .chance(function.faults.chance(Fault::Kills, KILLS.0))
            .then(|| function.random.within(KILLS.1));
        let end = killed.map_or(timed_out, |killed| after(function.clock.now(), killed).min(timed_out));
        let run = function.worker.invoke(event, &invocation);
        match select(run, function.clock.sleep_until(end)).await {
            Either::Left((outcome, _)) => outcome.map_err(|error| error.to_string()),
            Either::Right(_) => {
                self.survives = false;
                Err(match killed {
                    Some(_) => {
                        // Counted here, because a kill that was drawn for a time after the end of the work has not
                        // happened.
                        function.faults.count(Fault::Kills, 1);
                        "the process was killed".to_owned()
                    }
                    None => format!("timed out after {} s", timeout.as_secs()),
                })
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = self.function.clock.now();
        let mut state = self.function.lock();
        state.running -= 1;
        if self.survives {
            state.idle.push(now);
        }
    }
}

#[cfg(test)]
mod tests;
