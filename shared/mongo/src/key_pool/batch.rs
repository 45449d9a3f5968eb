//! Steps on the ledger: applied in memory, and stored if no other process has changed the keys meanwhile.
//!
//! What may happen between any two lines:
//! * Another process changes a key between the read and the write. The write matches no document, and the steps on that
//!   key are repeated on the new state. Steps on other keys stand.
//! * A refusal or a list that followed such a step in its batch counted holds that do not exist. It is repeated too.
//! * The process crashes before the write: nothing has happened. It crashes after the write: the hold exists without a
//!   caller, and ends by itself like that of any caller that crashes.
//! * The outcome of a write is unknown. Its callers get that error, and the result of the write, if any, is read before
//!   the next batch.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures::lock::Mutex;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{Changes, KeyId, Ledger, LedgerSettings};
use stint_core::ports::PortResult;
use stint_core::steps::{LedgerStep, PendingSteps, Steps};

use super::accounts::{Accounts, Kept, Written};

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
    kept: Mutex<Kept>,
}

/// A step and its progress.
struct Turn {
    step: Box<dyn LedgerStep>,
    /// How often it was applied and lost to another process.
    losses: u32,
    /// The keys that it changed when it was last applied.
    changed: BTreeSet<KeyId>,
}

impl Batcher {
    pub(super) fn new(accounts: Accounts, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let (waiting, kept) = (PendingSteps::default(), Mutex::default());
        Batcher { shared: Arc::new(Shared { accounts, settings, clock, waiting, kept }) }
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
            tokio::spawn(self.shared.clone().work_off());
        }
        answer.await
    }
}

impl Shared {
    /// Works until no step is waiting.
    async fn work_off(self: Arc<Self>) {
        let mut kept = self.kept.lock().await;
        let mut turns = turns(self.waiting.take());
        while !turns.is_empty() {
            turns = self.run(&mut kept, turns).await;
            if let Some(losses) = turns.iter().map(|turn| turn.losses).max() {
                self.clock.sleep(pause(losses)).await;
            }
            turns.extend(self::turns(self.waiting.take()));
        }
    }

    /// Runs a batch. Returns the steps that must be repeated.
    async fn run(&self, kept: &mut Kept, mut turns: Vec<Turn>) -> Vec<Turn> {
        let now = self.clock.now();
        if let Err(error) = self.accounts.refresh(kept, now).await {
            *kept = Kept::default();
            turns.into_iter().for_each(|turn| turn.step.finish(Some(&error.to_string())));
            return Vec::new();
        }
        let mut ledger = Ledger::new(self.settings, mem::take(&mut kept.accounts));
        let changes = apply(&mut ledger, &mut turns, now);
        kept.accounts = ledger.into_accounts();
        let written = self.accounts.write(kept, changes).await;
        verdicts(turns, &written)
    }
}

/// Applies the steps, and records which keys each of them changed.
fn apply(ledger: &mut Ledger, turns: &mut [Turn], now: Timestamp) -> Changes {
    // Ended holds are removed before the steps, so that this change is not attributed to a step: every process makes
    // it.
    ledger.end_expired(now);
    let mut changes = ledger.take_changes();
    for turn in turns {
        turn.step.apply(ledger, now);
        let own = ledger.take_changes();
        changes.accounts.extend(own.accounts.iter().cloned());
        changes.windows.extend(own.windows);
        turn.changed = own.accounts;
    }
    changes
}

/// Reports success or failure of the finished steps to their callers, and returns the steps to repeat.
fn verdicts(turns: Vec<Turn>, written: &BTreeMap<KeyId, Written>) -> Vec<Turn> {
    let mut again = Vec::new();
    let mut in_doubt = false;
    for mut turn in turns {
        let outcomes = || turn.changed.iter().filter_map(|key| written.get(key));
        if let Some(Written::Failed(reason)) = outcomes().find(|outcome| matches!(outcome, Written::Failed(_))) {
            in_doubt = true;
            turn.step.finish(Some(reason));
            continue;
        }
        let lost = outcomes().any(|outcome| *outcome == Written::Lost);
        in_doubt |= lost;
        let stands = if turn.changed.is_empty() { !in_doubt } else { !lost };
        if stands {
            turn.step.finish(None);
        } else if turn.losses + 1 == TRIES {
            turn.step.finish(Some("other processes changed the key each time; there are too many of them for it"));
        } else {
            turn.losses += 1;
            again.push(turn);
        }
    }
    again
}

fn turns(steps: Steps) -> Vec<Turn> {
    steps.into_iter().map(|step| Turn { step, losses: 0, changed: BTreeSet::new() }).collect()
}

/// Returns the wait after `losses` losses: random up to a limit that doubles, so that the same processes do not collide
/// again.
fn pause(losses: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << losses.min(16)).min(LONGEST_WAIT);
    // Without random bytes every process waits equally long, which is slower and just as correct.
    let dice = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}
