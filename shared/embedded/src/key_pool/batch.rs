//! Ledger steps that gather while the writer is busy, and are then applied together.
//!
//! The first step in an empty list submits a write to the database, and when that write's turn comes it takes the whole
//! list: a thousand concurrent reservations cost one commit.
//!
//! The ledger stays in memory between batches. Before each batch its revision is compared with the one in the file. If
//! another process has written, or a batch was not committed, the revisions differ and the ledger is loaded again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use stint_core::clock::Clock;
use stint_core::ledger::{Ledger, LedgerSettings};
use stint_core::ports::PortResult;
use stint_core::steps::{LedgerStep, PendingSteps, Steps};

use super::load::{self, CachedLedger};
use super::save;
use crate::database::Database;

pub(super) struct Batcher {
    database: Database,
    shared: Arc<Shared>,
}

/// Shared by the callers and the writer. Does not contain the database, whose last clone must not be dropped on the
/// writer.
struct Shared {
    settings: LedgerSettings,
    clock: Arc<dyn Clock>,
    waiting: PendingSteps,
    ledger: Mutex<Option<CachedLedger>>,
}

impl Batcher {
    pub(super) fn new(database: &Database, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let shared = Shared { settings, clock, waiting: PendingSteps::default(), ledger: Mutex::new(None) };
        Batcher { database: database.clone(), shared: Arc::new(shared) }
    }

    /// Applies `work` to the ledger, and returns when the change is durable.
    pub(super) async fn step<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        let (first, answer) = self.shared.waiting.add(what, work);
        if first {
            self.submit();
        }
        answer.await
    }

    fn submit(&self) {
        let taken: Arc<Mutex<Option<Steps>>> = Arc::new(Mutex::new(None));
        let (shared, batch) = (self.shared.clone(), taken.clone());
        let work = move |connection: &Connection| {
            let mut batch = lock(&batch);
            let steps = batch.insert(shared.waiting.take());
            shared.apply(connection, steps)
        };
        let shared = self.shared.clone();
        self.database.submit("keep the ledger", work, move |written| {
            // A write that never had its turn leaves its list waiting; those steps get the same error.
            let steps = lock(&taken).take().unwrap_or_else(|| shared.waiting.take());
            let lost = written.err();
            steps.into_iter().for_each(|step| step.finish(lost.as_ref()));
        });
    }
}

impl Shared {
    fn apply(&self, connection: &Connection, steps: &mut [Box<dyn LedgerStep>]) -> rusqlite::Result<()> {
        // Taken out while it is used: if anything below fails, the next batch loads the ledger from the file.
        let kept = lock(&self.ledger).take();
        let now = self.clock.now();
        let mut loaded = load::current(connection, kept, self.settings, now)?;
        for step in steps {
            step.apply(&mut loaded.ledger, now);
        }
        save::changes(connection, &mut loaded)?;
        *lock(&self.ledger) = Some(loaded);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
