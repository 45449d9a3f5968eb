//! Steps on the ledger: applied in memory, and stored if no other process has changed the keys meanwhile.
//!
//! What may happen between any two lines:
//! * Another process changes a key between the read and the write. The write matches no document, and the steps on that
//!   key are repeated on the new state. Steps on other keys stand.
//! * A refusal or a list that followed such a step in its batch counted holds that do not exist. It is repeated too.
//! * The process crashes before the write: nothing has happened. It crashes after the write: the hold exists without a
//!   caller, and ends by itself like that of any caller that crashes.
//! * The answer to a write is lost. The document tells whether the write was applied.
//! * Its outcome stays unknown. Its callers get that error, and the result of the write, if any, is read before the next
//!   batch.
//! * A new primary has rolled back what a majority did not have, and other processes have written since. The revision is
//!   another one, so the document is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures::lock::Mutex;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{Changes, KeyId, Ledger, LedgerSettings};
use stint_core::ports::{PortError, PortResult};
use stint_core::steps::{LedgerStep, PendingSteps, Steps};

use super::accounts::{Accounts, Cache};
use crate::guarded::WriteOutcome;

/// How often a step is tried before its caller gets an error because other processes were faster each time. In each
/// round one process wins, and the waits spread the others: eight processes under constant load, for 100,000
/// operations, never reached the limit.
const TRIES: u32 = 30;

/// The longest wait after a step's first loss. It doubles with each loss, up to `LONGEST_WAIT`. A write takes some
/// milliseconds.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(200);

pub(super) struct Batcher {
    shared: Arc<Shared>,
}

/// State shared by the callers and the one task that writes.
struct Shared {
    accounts: Accounts,
    settings: LedgerSettings,
    clock: Arc<dyn Clock>,
    waiting: PendingSteps,
    /// Locked by the task that writes. While one batch is written, the next one collects.
    cache: Mutex<Cache>,
}

/// A step and its progress.
struct PendingStep {
    step: Box<dyn LedgerStep>,
    /// How often it was applied and lost to another process.
    losses: u32,
    /// The keys that it changed when it was last applied.
    changed: BTreeSet<KeyId>,
}

impl Batcher {
    pub(super) fn new(accounts: Accounts, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let (waiting, cache) = (PendingSteps::default(), Mutex::default());
        Batcher { shared: Arc::new(Shared { accounts, settings, clock, waiting, cache }) }
    }

    /// Applies `work` to the ledger, more than once if needed, and returns when its changes are stored.
    pub(super) async fn step<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        let (first, answer) = self.shared.waiting.add(what, work);
        if first {
            // A task of its own: other callers' steps must continue if this caller is cancelled.
            tokio::spawn(self.shared.clone().run_until_empty());
        }
        answer.await
    }
}

impl Shared {
    /// Works until no step is waiting.
    async fn run_until_empty(self: Arc<Self>) {
        let mut cache = self.cache.lock().await;
        let mut pending_steps = pending_steps(self.waiting.take());
        while !pending_steps.is_empty() {
            pending_steps = self.run(&mut cache, pending_steps).await;
            if let Some(losses) = pending_steps.iter().map(|pending| pending.losses).max() {
                self.clock.sleep(pause(losses)).await;
            }
            pending_steps.extend(self::pending_steps(self.waiting.take()));
        }
    }

    /// Runs a batch. Returns the steps that must be repeated.
    async fn run(&self, cache: &mut Cache, mut pending_steps: Vec<PendingStep>) -> Vec<PendingStep> {
        let now = self.clock.now();
        if let Err(error) = self.accounts.refresh(cache, now).await {
            *cache = Cache::default();
            pending_steps.into_iter().for_each(|pending| pending.step.finish(Some(&error)));
            return Vec::new();
        }
        let mut ledger = Ledger::new(self.settings, mem::take(&mut cache.accounts));
        let changes = apply(&mut ledger, &mut pending_steps, now);
        cache.accounts = ledger.into_accounts();
        let written = self.accounts.write(cache, changes).await;
        finish(pending_steps, &written)
    }
}

/// Applies the steps, and records which keys each of them changed.
fn apply(ledger: &mut Ledger, pending_steps: &mut [PendingStep], now: Timestamp) -> Changes {
    // Ended holds are removed before the steps, so that this change is not attributed to a step: every process makes
    // it.
    ledger.end_expired(now);
    let mut changes = ledger.take_changes();
    for pending in pending_steps {
        pending.step.apply(ledger, now);
        let own = ledger.take_changes();
        changes.accounts.extend(own.accounts.iter().cloned());
        changes.windows.extend(own.windows);
        pending.changed = own.accounts;
    }
    changes
}

/// Reports success or failure of the finished steps to their callers, and returns the steps to repeat.
fn finish(pending_steps: Vec<PendingStep>, written: &BTreeMap<KeyId, WriteOutcome>) -> Vec<PendingStep> {
    let mut again = Vec::new();
    let mut is_uncertain = false;
    for mut pending in pending_steps {
        let outcomes = || pending.changed.iter().filter_map(|key| written.get(key));
        let unknown = outcomes().find_map(|outcome| match outcome {
            WriteOutcome::Unknown(error) => Some(error),
            _ => None,
        });
        if let Some(error) = unknown {
            is_uncertain = true;
            pending.step.finish(Some(error));
            continue;
        }
        let lost = outcomes().any(|outcome| matches!(outcome, WriteOutcome::Conflict));
        is_uncertain |= lost;
        let stands = if pending.changed.is_empty() { !is_uncertain } else { !lost };
        if stands {
            pending.step.finish(None);
        } else if pending.losses + 1 == TRIES {
            pending.step.finish(Some(&gave_up()));
        } else {
            pending.losses += 1;
            again.push(pending);
        }
    }
    again
}

fn gave_up() -> PortError {
    PortError::backend("gave up after 30 conflicts", "too many processes change the key at the same time")
}

fn pending_steps(steps: Steps) -> Vec<PendingStep> {
    steps.into_iter().map(|step| PendingStep { step, losses: 0, changed: BTreeSet::new() }).collect()
}

/// Returns the wait after `losses` losses: random up to a limit that doubles, so that the same processes do not collide
/// again.
fn pause(losses: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << losses.min(16)).min(LONGEST_WAIT);
    // Without random bytes every process waits equally long, which is slower and just as correct.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
