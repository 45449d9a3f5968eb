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
use stint_core::schedule::{slot_after, slot_at};
use stint_core::worker::{Event, WorkerId};

use crate::faults::{Fault, Faults};
use crate::lambda::SimulatedFunction;
use crate::random::Random;

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
    random: Random,
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By fleet and name.
    schedules: BTreeMap<Key, Schedule>,
    /// Notified when a schedule was set.
    changed: Option<oneshot::Sender<()>>,
    log: Vec<Fired>,
}

/// The fleet and the name of a schedule.
type Key = (String, String);

#[derive(Clone)]
struct Schedule {
    worker: WorkerId,
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
        Scheduler { clock, random: Random::new(seed, "scheduler"), faults: faults.clone(), state: Mutex::default() }
    }

    /// Returns every firing so far.
    pub fn log(&self) -> Vec<Fired> {
        self.lock().log.clone()
    }

    /// Invokes the functions that are due, by their worker, for ever.
    pub async fn run(&self, functions: &[Arc<SimulatedFunction>]) {
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
                if let Some(function) = functions.iter().find(|function| function.spec().id() == worker) {
                    running.push(invoke(function, event, &self.clock));
                }
            }
        }
    }

    /// Removes and returns what fires now.
    fn fire(&self) -> Vec<(WorkerId, Event)> {
        let now = self.clock.now();
        let mut state = self.lock();
        let due = state.schedules.iter().filter(|(_, schedule)| schedule.fires_at <= now);
        let keys: Vec<Key> = due.map(|(key, _)| key.clone()).collect();
        let mut fired = Vec::new();
        for key in keys {
            let Some(schedule) = state.schedules.remove(&key) else { continue };
            let late = between(schedule.due, now);
            if let Some(period) = schedule.period {
                let due = after(schedule.due, period);
                let again = Schedule { due, fires_at: self.fires_at(due), ..schedule.clone() };
                state.schedules.insert(key.clone(), again);
            }
            let (_, name) = key;
            if self.faults.happens(Fault::Wakeups, LOST, &self.random) {
                continue;
            }
            let event = Event::Tick { due: schedule.due, wakeup: Some(name.clone()) };
            state.log.push(Fired { name, once: schedule.period.is_none(), due: schedule.due, late });
            let times = 1 + usize::from(self.faults.happens(Fault::Wakeups, TWICE, &self.random));
            fired.extend(std::iter::repeat_n((schedule.worker, event), times));
        }
        fired
    }

    fn fires_at(&self, due: Timestamp) -> Timestamp {
        // The end of the minute is exclusive.
        after(due.max(self.clock.now()), self.random.within((Duration::ZERO, PRECISION - Duration::from_millis(1))))
    }

    fn set(&self, key: Key, schedule: Schedule) {
        let mut state = self.lock();
        state.schedules.insert(key, schedule);
        if let Some(changed) = state.changed.take() {
            // A scheduler that does not run yet reads all schedules when it starts.
            let _ = changed.send(());
        }
    }

    /// Sets a schedule to begin at `first`, unless one of the same period whose next firing fits is there already.
    fn set_recurring(
        &self,
        name: &str,
        worker: &WorkerId,
        period: Duration,
        fits: impl Fn(Timestamp) -> bool,
        first: Timestamp,
    ) -> PortResult<()> {
        let key = key(&worker.fleet, name);
        let unchanged = |known: &Schedule| known.period == Some(period) && fits(known.due);
        if !self.lock().schedules.get(&key).is_some_and(unchanged) {
            let fires_at = self.fires_at(first);
            self.set(key, Schedule { worker: worker.clone(), due: first, fires_at, period: Some(period) });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an asynchronous invocation with its retries. The scheduler does not wait for its outcome.
async fn invoke(function: &Arc<SimulatedFunction>, event: Event, clock: &Arc<dyn Clock>) {
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

fn key(fleet: &str, name: &str) -> Key {
    (fleet.to_owned(), name.to_owned())
}

#[async_trait]
impl Wakeups for Scheduler {
    async fn once(&self, name: &str, worker: &WorkerId, at: Timestamp) -> PortResult<()> {
        let key = key(&worker.fleet, name);
        let unchanged = self.lock().schedules.get(&key).is_some_and(|known| known.due == at && known.worker == *worker);
        if !unchanged {
            let fires_at = self.fires_at(at);
            self.set(key, Schedule { worker: worker.clone(), due: at, fires_at, period: None });
        }
        Ok(())
    }

    async fn every(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        self.set_recurring(name, worker, period, |_| true, after(self.clock.now(), period))
    }

    async fn every_aligned(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        let is_aligned = |due| slot_at(period, due) == due;
        self.set_recurring(name, worker, period, is_aligned, slot_after(period, self.clock.now()))
    }

    async fn cancel(&self, fleet: &str, name: &str) -> PortResult<()> {
        self.lock().schedules.remove(&key(fleet, name));
        Ok(())
    }

    async fn list(&self) -> PortResult<Vec<Wakeup>> {
        let state = self.lock();
        let wakeup = |((_, name), schedule): (&Key, &Schedule)| Wakeup {
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
