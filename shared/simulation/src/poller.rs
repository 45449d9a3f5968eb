//! The event source mapping between a queue and a function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
//!
//! It does not know of reserved concurrency. It receives messages although the function cannot run, offers the batch
//! again until the visibility timeout, and then drops it, with a receive count that is higher by one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::select;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use stint_core::clock::{Clock, after};
use stint_core::ports::{Delivery, Queue, Receipt};
use stint_core::worker::{Disposition, Event, Outcome, retry_delay};

use crate::control_plane::MappingControl;
use crate::lambda::SimulatedFunction;
use crate::sqs::Sqs;

/// Concurrent batches of a mapping when it starts.
pub const FIRST_POLLERS: f64 = 5.0;

/// Concurrent batches of an idle mapping without a maximum.
pub const IDLE_POLLERS: f64 = 2.0;

/// Growth of concurrent batches per minute while there is a backlog.
pub const SCALE_UP_PER_MINUTE: f64 = 300.0;

/// The most concurrent batches of a mapping without a maximum of its own.
pub const MOST_POLLERS: f64 = 1_000.0;

/// The longest wait of a long poll.
pub const LONG_POLL: Duration = Duration::from_secs(20);

/// Duration of a request to the queue. (assumed)
pub const QUEUE_REQUEST_TIME: Duration = Duration::from_millis(10);

/// Interval between checks of backlog, errors and settings. (assumed)
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Delay before a throttled batch is offered again: the first and the longest. (assumed: documented as "gradually")
const RETRY_THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Decrease of concurrent batches for each throttled or failed invocation. (assumed: documented as "gradually")
const SLOW_DOWN: f64 = 1.0;

/// Concurrent batches below which a mapping does not slow down. (assumed)
const SLOWEST: f64 = 2.0;

/// Usage of a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MappingUsage {
    /// Batches whose invocation ran.
    pub batches: u64,
    /// Batches whose invocation failed: all of their messages come back.
    pub failed_batches: u64,
    /// Batches dropped because the function was throttled until the visibility timeout.
    pub dropped_batches: u64,
    /// Messages of batches that ran, and which were done.
    pub done: u64,
    /// The most pollers at once.
    pub most_pollers: u32,
}

/// An event source mapping.
pub struct SimulatedMapping {
    queue: Arc<Sqs>,
    function: Arc<SimulatedFunction>,
    batch: usize,
    control: Arc<MappingControl>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// The number of concurrent batches that the mapping has grown to.
    grown: f64,
    pollers: u32,
    /// Pollers that have a batch.
    busy: u32,
    /// Whether an invocation failed or was throttled since the last check.
    trouble: bool,
    usage: MappingUsage,
}

/// What the mapping keeps of a message that it hands over.
struct Received {
    message_id: String,
    receipt: Receipt,
    receive_count: u32,
}

impl From<&Delivery> for Received {
    fn from(delivery: &Delivery) -> Received {
        let Delivery { message_id, receipt, receive_count, .. } = delivery;
        Received { message_id: message_id.clone(), receipt: receipt.clone(), receive_count: *receive_count }
    }
}

impl SimulatedMapping {
    /// Returns a mapping from `queue` to `function` with `batch` messages per invocation.
    pub fn new(
        queue: Arc<Sqs>,
        function: Arc<SimulatedFunction>,
        batch: usize,
        control: Arc<MappingControl>,
        clock: Arc<dyn Clock>,
    ) -> SimulatedMapping {
        let usage = MappingUsage::default();
        let state = State { grown: FIRST_POLLERS, pollers: 0, busy: 0, trouble: false, usage };
        SimulatedMapping { queue, function, batch, control, clock, state: Mutex::new(state) }
    }

    /// Its usage so far.
    pub fn usage(&self) -> MappingUsage {
        self.lock().usage
    }

    /// Polls for ever.
    pub async fn run(&self) {
        let mut pollers = FuturesUnordered::new();
        loop {
            let wanted = self.check();
            for _ in 0..wanted {
                pollers.push(self.poll());
            }
            let next_check = self.clock.sleep(CHECK_INTERVAL);
            if pollers.is_empty() {
                next_check.await;
                continue;
            }
            let mut next_check = next_check;
            loop {
                match select(pollers.next(), next_check).await {
                    futures::future::Either::Left((Some(()), rest)) => next_check = rest,
                    futures::future::Either::Left((None, rest)) => {
                        rest.await;
                        break;
                    }
                    futures::future::Either::Right(_) => break,
                }
            }
        }
    }

    /// Grows or shrinks, and returns how many pollers to add. Surplus pollers leave by themselves.
    fn check(&self) -> u32 {
        let setting = self.control.effective(self.clock.now());
        let backlog = self.queue.exact_counts().visible > 0;
        let mut state = self.lock();
        let idle = if setting.maximum_concurrency.is_some() { FIRST_POLLERS } else { IDLE_POLLERS };
        if !setting.enabled {
            state.grown = FIRST_POLLERS;
        } else if backlog && !state.trouble && state.pollers > 0 && state.busy >= state.pollers {
            let step = SCALE_UP_PER_MINUTE / 60.0 * CHECK_INTERVAL.as_secs_f64();
            state.grown = (state.grown + step).min(MOST_POLLERS);
        } else if !backlog && state.busy < state.pollers {
            state.grown = (state.grown - 1.0).max(idle);
        }
        state.trouble = false;
        let target = self.target(&state);
        let wanted = target.saturating_sub(state.pollers);
        state.pollers += wanted;
        state.usage.most_pollers = state.usage.most_pollers.max(state.pollers);
        wanted
    }

    fn target(&self, state: &State) -> u32 {
        let setting = self.control.effective(self.clock.now());
        if !setting.enabled {
            return 0;
        }
        let most = setting.maximum_concurrency.map_or(MOST_POLLERS, f64::from);
        state.grown.min(most) as u32
    }

    /// Returns whether this poller is surplus, and then removes it from the count.
    fn is_surplus(&self) -> bool {
        let mut state = self.lock();
        let surplus = state.pollers > self.target(&state);
        state.pollers -= u32::from(surplus);
        surplus
    }

    async fn poll(&self) {
        while !self.is_surplus() {
            let batch = self.queue.poll(self.batch, LONG_POLL).await;
            if batch.is_empty() {
                continue;
            }
            self.lock().busy += 1;
            self.clock.sleep(QUEUE_REQUEST_TIME).await;
            self.deliver(batch).await;
            self.lock().busy -= 1;
        }
    }

    /// Offers a batch to the function until it has run, or until the visibility timeout ends.
    async fn deliver(&self, batch: Vec<Delivery>) {
        let ends = after(self.clock.now(), self.queue.visibility_timeout());
        let (mut pause, longest) = RETRY_THROTTLED;
        let slot = loop {
            if let Some(slot) = self.function.admit() {
                break slot;
            }
            self.slow_down();
            if after(self.clock.now(), pause) >= ends {
                self.lock().usage.dropped_batches += 1;
                return;
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(longest);
        };
        let received = batch.iter().map(Received::from).collect();
        let outcome = slot.run(Event::Batch(batch)).await;
        self.lock().usage.batches += 1;
        match outcome {
            Ok(outcome) => self.dispose(received, outcome).await,
            Err(_) => {
                // The whole batch comes back when its visibility timeout ends.
                self.lock().usage.failed_batches += 1;
                self.slow_down();
            }
        }
    }

    /// Handles a batch that ran, as the worker's Lambda host and the mapping do: the host releases or rejects the
    /// exceptions and reports them as item failures, and the mapping deletes the others.
    async fn dispose(&self, batch: Vec<Received>, outcome: Outcome) {
        let mut done = Vec::with_capacity(batch.len());
        for Received { message_id, receipt, receive_count } in batch {
            let exception = outcome.exceptions.iter().find(|exception| exception.message_id == message_id);
            // The queue in memory does not fail.
            let _ = match exception.map(|exception| &exception.disposition) {
                None => {
                    done.push(receipt);
                    Ok(())
                }
                Some(Disposition::Retry { reason }) => {
                    self.queue.release(&[receipt], retry_delay(receive_count), reason).await
                }
                Some(Disposition::Reject { reason }) => self.queue.reject(&receipt, reason).await,
            };
        }
        self.clock.sleep(QUEUE_REQUEST_TIME).await;
        let _ = self.queue.acknowledge(&done).await;
        self.lock().usage.done += done.len() as u64;
    }

    fn slow_down(&self) {
        let mut state = self.lock();
        state.trouble = true;
        state.grown = (state.grown - SLOW_DOWN).max(SLOWEST);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
