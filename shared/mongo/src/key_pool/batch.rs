//! Steps on the ledger: applied to what is in memory, and stored if nobody else has changed it meanwhile.
//!
//! What may happen between any two lines:
//! * Another process changes a key between our look and our write: the write does not match, and the steps that were
//!   about that key are done again on what the other has left. Steps about other keys stand.
//! * A refusal, or a list, that came behind such a step in its batch saw points held that are not: it is done again.
//! * The process dies before the write: nothing has happened. It dies after it: nobody knows of the hold, which ends by
//!   itself, as that of every caller that does not come back.
//! * A write is not answered: its callers are told so, and what it did, if anything, is read before the next batch.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures::lock::Mutex;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{Changes, KeyId, Ledger, LedgerSettings};
use stint_core::ports::PortResult;
use stint_core::steps::{Step, Steps, Waiting};

use super::accounts::{Accounts, Kept, Written};

/// How often a step is done before its caller is told that others were faster each time. In each round one process
/// wins, and the waits spread the others: eight that did nothing else, for 100,000 operations, never ran out.
const TRIES: u32 = 30;

/// The longest wait after a step's first loss; it doubles with each, up to `LONGEST_WAIT`. A write takes some
/// milliseconds.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(200);

pub(super) struct Batcher {
    shared: Arc<Shared>,
}

/// What the callers and the one task that writes share.
struct Shared {
    accounts: Accounts,
    settings: LedgerSettings,
    clock: Arc<dyn Clock>,
    waiting: Waiting,
    /// Held by whoever writes: while one batch is under way the next one gathers.
    kept: Mutex<Kept>,
}

/// A step and how it goes.
struct Turn {
    step: Box<dyn Step>,
    /// Whether it was done and lost, and how often.
    losses: u32,
    /// The keys that it changed when it was last done.
    changed: BTreeSet<KeyId>,
}

impl Batcher {
    pub(super) fn new(accounts: Accounts, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let (waiting, kept) = (Waiting::default(), Mutex::default());
        Batcher { shared: Arc::new(Shared { accounts, settings, clock, waiting, kept }) }
    }

    /// Does `work` on the ledger, more than once if need be, and answers when what it changed is stored.
    pub(super) async fn step<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        let (first, answer) = self.shared.waiting.add(what, work);
        if first {
            // A task of its own: the steps of others must not end with this caller.
            tokio::spawn(self.shared.clone().work_off());
        }
        answer.await
    }
}

impl Shared {
    /// Works until nobody waits any more.
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

    /// Does a batch. Answers the steps that must be done again.
    async fn run(&self, kept: &mut Kept, mut turns: Vec<Turn>) -> Vec<Turn> {
        let now = self.clock.now();
        if let Err(error) = self.accounts.refresh(kept, now).await {
            *kept = Kept::default();
            turns.into_iter().for_each(|turn| turn.step.answer(Some(&error.to_string())));
            return Vec::new();
        }
        let mut ledger = Ledger::new(self.settings, mem::take(&mut kept.accounts));
        let changes = apply(&mut ledger, &mut turns, now);
        kept.accounts = ledger.into_accounts();
        let written = self.accounts.write(kept, changes).await;
        verdicts(turns, &written)
    }
}

/// Applies the steps, and notes which keys each of them changed.
fn apply(ledger: &mut Ledger, turns: &mut [Turn], now: Timestamp) -> Changes {
    // First, so that it is no step's doing: a hold that has ended is found by everybody.
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

/// Answers the steps that stand, and those that came to nothing. The others are left.
fn verdicts(turns: Vec<Turn>, written: &BTreeMap<KeyId, Written>) -> Vec<Turn> {
    let mut again = Vec::new();
    let mut in_doubt = false;
    for mut turn in turns {
        let outcomes = || turn.changed.iter().filter_map(|key| written.get(key));
        if let Some(Written::Failed(reason)) = outcomes().find(|outcome| matches!(outcome, Written::Failed(_))) {
            in_doubt = true;
            turn.step.answer(Some(reason));
            continue;
        }
        let lost = outcomes().any(|outcome| *outcome == Written::Lost);
        in_doubt |= lost;
        let stands = if turn.changed.is_empty() { !in_doubt } else { !lost };
        if stands {
            turn.step.answer(None);
        } else if turn.losses + 1 == TRIES {
            turn.step.answer(Some("other processes changed the key each time; there are too many of them for it"));
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

/// How long to wait after so many losses: anything up to a bound that doubles, so that those who lost to each other do
/// not meet again.
fn pause(losses: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << losses.min(16)).min(LONGEST_WAIT);
    // Without random bytes everybody waits for as long, which is slower and no less right.
    let dice = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}
