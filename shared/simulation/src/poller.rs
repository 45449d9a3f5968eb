//! The event source mapping between a queue and a function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
//!
//! It knows nothing of reserved concurrency: it takes messages although the function cannot run, offers the batch
//! again and again until the visibility timeout, and then lets it go, with a receive count that is one higher.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::select;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use stint_core::clock::{Clock, after};
use stint_core::ports::{Delivery, Queue};
use stint_core::worker::{Disposition, Event, Outcome, retry_delay};

use crate::control_plane::MappingControl;
use crate::lambda::Function;
use crate::sqs::Sqs;

/// Concurrent batches that a mapping begins with.
pub const FIRST_POLLERS: f64 = 5.0;

/// Concurrent batches of an idle mapping without a maximum.
pub const IDLE_POLLERS: f64 = 2.0;

/// More concurrent batches a minute, while there is a backlog.
pub const SCALE_UP_PER_MINUTE: f64 = 300.0;

/// The most concurrent batches without a maximum of one's own.
pub const MOST_POLLERS: f64 = 1_000.0;

/// A long poll.
pub const LONG_POLL: Duration = Duration::from_secs(20);

/// What a request to the queue takes. (from memory)
pub const QUEUE_REQUEST_TIME: Duration = Duration::from_millis(10);

/// Between two looks at backlog, errors and settings. (assumed)
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Before a throttled batch is offered again: at first, and at the longest. [assumed: "gradually"]
const RETRY_THROTTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Concurrent batches fewer for each throttled or failed invocation. [assumed: "gradually"]
const SLOW_DOWN: f64 = 1.0;

/// A mapping slows down no further than this. (assumed)
const SLOWEST: f64 = 2.0;

/// What a mapping has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MappingUsage {
    /// Batches handed to the function that ran.
    pub batches: u64,
    /// Batches whose invocation failed: they come back as a whole.
    pub failed_batches: u64,
    /// Batches let go because the function was throttled until the visibility timeout.
    pub dropped_batches: u64,
    /// Messages of batches that ran and were done.
    pub done: u64,
    /// The most pollers at once.
    pub most_pollers: u32,
}

/// An event source mapping.
pub struct Mapping {
    queue: Arc<Sqs>,
    function: Arc<Function>,
    batch: usize,
    control: Arc<MappingControl>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// How many concurrent batches the mapping has grown to.
    grown: f64,
    pollers: u32,
    /// Pollers that have a batch.
    busy: u32,
    /// Something failed or was throttled since the last look.
    trouble: bool,
    usage: MappingUsage,
}

impl Mapping {
    /// A mapping from `queue` to `function`, `batch` messages to an invocation.
    pub fn new(
        queue: Arc<Sqs>,
        function: Arc<Function>,
        batch: usize,
        control: Arc<MappingControl>,
        clock: Arc<dyn Clock>,
    ) -> Mapping {
        let usage = MappingUsage::default();
        let state = State { grown: FIRST_POLLERS, pollers: 0, busy: 0, trouble: false, usage };
        Mapping { queue, function, batch, control, clock, state: Mutex::new(state) }
    }

    /// What it has done so far.
    pub fn usage(&self) -> MappingUsage {
        self.lock().usage
    }

    /// Polls for ever.
    pub async fn run(&self) {
        let mut pollers = FuturesUnordered::new();
        loop {
            let wanted = self.look();
            for _ in 0..wanted {
                pollers.push(self.poll());
            }
            let next_look = self.clock.sleep(LOOK_EVERY);
            if pollers.is_empty() {
                next_look.await;
                continue;
            }
            let mut next_look = next_look;
            loop {
                match select(pollers.next(), next_look).await {
                    futures::future::Either::Left((Some(()), rest)) => next_look = rest,
                    futures::future::Either::Left((None, rest)) => {
                        rest.await;
                        break;
                    }
                    futures::future::Either::Right(_) => break,
                }
            }
        }
    }

    /// Grows or shrinks, and answers how many pollers to add. Those too many leave by themselves.
    fn look(&self) -> u32 {
        let setting = self.control.effective(self.clock.now());
        let backlog = self.queue.exact_counts().visible > 0;
        let mut state = self.lock();
        let idle = if setting.maximum_concurrency.is_some() { FIRST_POLLERS } else { IDLE_POLLERS };
        if !setting.enabled {
            state.grown = FIRST_POLLERS;
        } else if backlog && !state.trouble && state.pollers > 0 && state.busy >= state.pollers {
            let step = SCALE_UP_PER_MINUTE / 60.0 * LOOK_EVERY.as_secs_f64();
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

    /// Whether this poller is one too many; it is then counted out.
    fn leaves(&self) -> bool {
        let mut state = self.lock();
        let leaves = state.pollers > self.target(&state);
        state.pollers -= u32::from(leaves);
        leaves
    }

    async fn poll(&self) {
        while !self.leaves() {
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

    /// Offers a batch to the function until it ran, or until the messages are no longer ours.
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
        let outcome = slot.run(Event::Batch(batch.clone())).await;
        self.lock().usage.batches += 1;
        match outcome {
            Ok(outcome) => self.dispose(batch, outcome).await,
            Err(_) => {
                // The whole batch comes back when its visibility times out.
                self.lock().usage.failed_batches += 1;
                self.slow_down();
            }
        }
    }

    /// What the worker's Lambda host and the mapping do with a batch that ran: the host gives back or rejects the
    /// exceptions and reports them as item failures, the mapping deletes the others.
    async fn dispose(&self, batch: Vec<Delivery>, outcome: Outcome) {
        let mut done = Vec::with_capacity(batch.len());
        for Delivery { message_id, receipt, receive_count, .. } in batch {
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
