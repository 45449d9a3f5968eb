//! Steps on the ledger, gathered while the writer is busy and done in one go.
//!
//! A step waits in a list. The first one in an empty list submits a write to the database, and when that write comes
//! to its turn it takes the whole list: a thousand reservers cost one commit, and what a batch changed is stored
//! once, however many steps changed it.
//!
//! The ledger stays in memory between batches. Before each batch its revision is compared with the file's, so that
//! what another process wrote, or a batch that was never committed, is noticed, and the ledger is loaded anew.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use jiff::Timestamp;
use rusqlite::Connection;
use stint_core::clock::Clock;
use stint_core::ledger::{Ledger, LedgerSettings};
use stint_core::ports::{PortError, PortResult};

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
    waiting: Mutex<Steps>,
    ledger: Mutex<Option<Loaded>>,
}

type Steps = Vec<Box<dyn Step>>;

/// Something to be done to the ledger, and somebody who waits for the answer.
trait Step: Send {
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp);
    fn answer(self: Box<Self>, lost: Option<&str>);
}

struct Asked<T, W> {
    what: &'static str,
    work: Option<W>,
    value: Option<T>,
    sender: oneshot::Sender<PortResult<T>>,
}

impl<T, W> Step for Asked<T, W>
where
    T: Send,
    W: FnOnce(&mut Ledger, Timestamp) -> T + Send,
{
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp) {
        self.value = self.work.take().map(|work| work(ledger, now));
    }

    fn answer(self: Box<Self>, lost: Option<&str>) {
        let result = match (self.value, lost) {
            (Some(value), None) => Ok(value),
            (_, reason) => Err(PortError::backend(
                format!("could not {}", self.what),
                reason.unwrap_or("the step was not attempted"),
            )),
        };
        // Whoever asked may have stopped listening; the step stands.
        let _ = self.sender.send(result);
    }
}

impl Batcher {
    pub(super) fn new(database: &Database, settings: LedgerSettings, clock: Arc<dyn Clock>) -> Batcher {
        let shared = Shared { settings, clock, waiting: Mutex::new(Vec::new()), ledger: Mutex::new(None) };
        Batcher { database: database.clone(), shared: Arc::new(shared) }
    }

    /// Does `work` on the ledger, and answers when what it changed is durable.
    pub(super) async fn step<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let step = Asked { what, work: Some(work), value: None, sender };
        let first = {
            let mut waiting = lock(&self.shared.waiting);
            waiting.push(Box::new(step));
            waiting.len() == 1
        };
        if first {
            self.submit();
        }
        let gone = |_| Err(PortError::backend(format!("could not {what}"), "the database's thread is gone"));
        receiver.await.unwrap_or_else(gone)
    }

    fn submit(&self) {
        let taken: Arc<Mutex<Option<Steps>>> = Arc::new(Mutex::new(None));
        let (shared, batch) = (self.shared.clone(), taken.clone());
        let work = move |connection: &Connection| {
            let mut batch = lock(&batch);
            let steps = batch.insert(mem::take(&mut *lock(&shared.waiting)));
            shared.apply(connection, steps)
        };
        let shared = self.shared.clone();
        self.database.submit("keep the ledger", work, move |written| {
            // A write that never had its turn leaves its list waiting: those steps share its fate.
            let steps = lock(&taken).take().unwrap_or_else(|| mem::take(&mut *lock(&shared.waiting)));
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
