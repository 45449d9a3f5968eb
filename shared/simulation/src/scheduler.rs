//! Amazon EventBridge Scheduler: schedules that fire within a minute, at least once.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::{PortResult, Wakeup, Wakeups};
use stint_core::worker::Event;

use crate::dice::Dice;
use crate::faults::{Fault, Faults};
use crate::lambda::Function;

/// A schedule fires within this time after it is due.
pub const PRECISION: Duration = Duration::from_secs(60);

/// With the fault `wakeups`: how many firings never happen, and how many happen twice, in per mille.
const LOST: u32 = 100;
const TWICE: u32 = 50;

/// A failed asynchronous invocation is retried twice, after one minute and after two more.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// Schedules of one account.
pub struct Scheduler {
    clock: Arc<dyn Clock>,
    dice: Dice,
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    schedules: BTreeMap<String, Schedule>,
    /// Notified when a schedule was set.
    changed: Option<oneshot::Sender<()>>,
    log: Vec<Fired>,
}

#[derive(Clone)]
struct Schedule {
    worker: String,
    due: Timestamp,
    fires_at: Timestamp,
    period: Option<Duration>,
}

/// A firing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The schedule's name.
    pub name: String,
    /// Whether it was a one-shot wake-up.
    pub once: bool,
    /// When it was due.
    pub due: Timestamp,
    /// How late it fired.
    pub late: Duration,
}

impl Scheduler {
    /// Returns a scheduler without schedules.
    pub fn new(clock: Arc<dyn Clock>, seed: u64, faults: &Faults) -> Scheduler {
        Scheduler { clock, dice: Dice::new(seed, "scheduler"), faults: faults.clone(), state: Mutex::default() }
    }

    /// Returns every firing so far.
    pub fn log(&self) -> Vec<Fired> {
        self.lock().log.clone()
    }

    /// Invokes the functions that are due, by their worker's name, for ever.
    pub async fn run(&self, functions: &[Arc<Function>]) {
        let mut running = FuturesUnordered::new();
        loop {
            let (sender, changed) = oneshot::channel();
            let next = {
                let mut state = self.lock();
                state.changed = Some(sender);
                state.schedules.values().map(|schedule| schedule.fires_at).min()
            };
            let next = self.clock.sleep_until(next.unwrap_or(Timestamp::MAX));
            let wait = select(changed, next);
            if running.is_empty() {
                wait.await;
            } else if let Either::Left(_) = select(running.next(), wait).await {
                continue;
            }
            for (worker, event) in self.fire() {
                if let Some(function) = functions.iter().find(|function| function.spec().name == worker) {
                    running.push(invoke(function, event, &self.clock));
                }
            }
        }
    }

    /// Removes and returns what fires now.
    fn fire(&self) -> Vec<(String, Event)> {
        let now = self.clock.now();
        let mut state = self.lock();
        let names: Vec<String> = state
            .schedules
            .iter()
            .filter(|(_, schedule)| schedule.fires_at <= now)
            .map(|(name, _)| name.clone())
            .collect();
        let mut fired = Vec::new();
        for name in names {
            let Some(schedule) = state.schedules.remove(&name) else { continue };
            let late = between(schedule.due, now);
            if let Some(period) = schedule.period {
                let due = after(schedule.due, period);
                let again = Schedule { due, fires_at: self.fires_at(due), ..schedule.clone() };
                state.schedules.insert(name.clone(), again);
            }
            if self.faults.strike(Fault::Wakeups, LOST, &self.dice) {
                continue;
            }
            let event = Event::Tick { due: schedule.due, wakeup: Some(name.clone()) };
            state.log.push(Fired { name, once: schedule.period.is_none(), due: schedule.due, late });
            let times = 1 + usize::from(self.faults.strike(Fault::Wakeups, TWICE, &self.dice));
            fired.extend(std::iter::repeat_n((schedule.worker, event), times));
        }
        fired
    }

    fn fires_at(&self, due: Timestamp) -> Timestamp {
        // The end of the minute is exclusive.
        after(due.max(self.clock.now()), self.dice.within((Duration::ZERO, PRECISION - Duration::from_millis(1))))
    }

    fn set(&self, name: &str, schedule: Schedule) {
        let mut state = self.lock();
        state.schedules.insert(name.to_owned(), schedule);
        if let Some(changed) = state.changed.take() {
            // A scheduler that does not run yet reads all schedules when it starts.
            let _ = changed.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an asynchronous invocation with its retries. The scheduler does not wait for its outcome.
async fn invoke(function: &Arc<Function>, event: Event, clock: &Arc<dyn Clock>) {
    for pause in RETRIES.into_iter().map(Some).chain([None]) {
        if let Some(slot) = function.admit()
            && slot.run(event.clone()).await.is_ok()
        {
            return;
        }
        if let Some(pause) = pause {
            clock.sleep(pause).await;
        }
    }
}

#[async_trait]
impl Wakeups for Scheduler {
    async fn once(&self, name: &str, worker: &str, at: Timestamp) -> PortResult<()> {
        let unchanged = self.lock().schedules.get(name).is_some_and(|known| known.due == at && known.worker == worker);
        if !unchanged {
            let fires_at = self.fires_at(at);
            self.set(name, Schedule { worker: worker.to_owned(), due: at, fires_at, period: None });
        }
        Ok(())
    }

    async fn every(&self, name: &str, worker: &str, period: Duration) -> PortResult<()> {
        let unchanged = self.lock().schedules.get(name).is_some_and(|known| known.period == Some(period));
        if !unchanged {
            let due = after(self.clock.now(), period);
            let fires_at = self.fires_at(due);
            self.set(name, Schedule { worker: worker.to_owned(), due, fires_at, period: Some(period) });
        }
        Ok(())
    }

    async fn cancel(&self, name: &str) -> PortResult<()> {
        self.lock().schedules.remove(name);
        Ok(())
    }

    async fn list(&self) -> PortResult<Vec<Wakeup>> {
        let state = self.lock();
        let wakeup = |(name, schedule): (&String, &Schedule)| Wakeup {
            name: name.clone(),
            worker: schedule.worker.clone(),
            at: schedule.due,
            period: schedule.period,
        };
        let mut list: Vec<Wakeup> = state.schedules.iter().map(wakeup).collect();
        list.sort_by_key(|wakeup| wakeup.at);
        Ok(list)
    }
}

#[cfg(test)]
mod tests;
