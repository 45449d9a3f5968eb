//! Steps on the ledger, gathered while the writer is busy and done in one go.
//!
//! The first step in an empty list submits a write to the database, and when that write comes to its turn it takes the
//! whole list: a thousand reservers cost one commit.
//!
//! The ledger stays in memory between batches. Before each batch its revision is compared with the file's, so that
//! what another process wrote, or a batch that was never committed, is noticed, and the ledger is loaded anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use stint_core::clock::Clock;
use stint_core::ledger::{Ledger, LedgerSettings};
use stint_core::ports::PortResult;
use stint_core::steps::{Step, Steps, Waiting};

use super::load::{self, Loaded};
use super::save;
use crate::database::Database;

pub(super) struct Batcher {
    database: Database,
    shared: Arc<Shared>,
}

/// What the callers and the writer share. Does not hold the database, whose last clone must not end on the writer.
struct Shared {
    settings: LedgerSettings,
    clock: Arc<dyn Clock>,
    waiting: Waiting,
    ledger: Mutex<Option<Loaded>>,
}

impl Batcher {
    pub(super) fn new(database: &Database, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let shared = Shared { settings, clock, waiting: Waiting::default(), ledger: Mutex::new(None) };
        Batcher { database: database.clone(), shared: Arc::new(shared) }
    }

    /// Does `work` on the ledger, and answers when what it changed is durable.
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
            // A write that never had its turn leaves its list waiting: those steps share its fate.
            let steps = lock(&taken).take().unwrap_or_else(|| shared.waiting.take());
            let lost = written.err().map(|error| error.to_string());
            steps.into_iter().for_each(|step| step.answer(lost.as_deref()));
        });
    }
}

impl Shared {
    fn apply(&self, connection: &Connection, steps: &mut [Box<dyn Step>]) -> rusqlite::Result<()> {
        // Taken out while it is worked on: if anything below fails, the next batch loads what the file says.
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
