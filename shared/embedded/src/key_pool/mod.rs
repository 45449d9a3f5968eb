//! The key pool port on SQLite: one ledger for all processes, cached in memory.

mod batch;
mod group;
mod load;
mod parked;
mod save;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{KeyId, Ledger, LedgerSettings, WindowRecord};
use stint_core::ledger_store::LedgerStore;
use stint_core::ports::{LONGEST_CLAIM, Parked, PortResult};

use crate::database::Database;
use crate::time::{millis_after, now_millis};
use batch::Batcher;

/// The key pool of a [`Database`]. All pools on the same file share one ledger, in this process and in others.
///
/// Parked messages are stored with the queues: the ledger can be restored from the upstream's counters, and parked
/// messages cannot.
pub struct SqliteKeyPool {
    database: Database,
    queues: Database,
    clock: Arc<dyn Clock>,
    ledger: Batcher,
}

impl SqliteKeyPool {
    /// Creates the key pool of a database that has the tables of the ledger, and of one that has the tables of the
    /// queues.
    pub fn new(
        database: &Database,
        queues: &Database,
        settings: LedgerSettings,
        clock: Arc<dyn Clock>,
    ) -> SqliteKeyPool {
        let ledger = Batcher::new(database, settings, clock.clone());
        SqliteKeyPool { database: database.clone(), queues: queues.clone(), clock, ledger }
    }
}

#[async_trait]
impl LedgerStore for SqliteKeyPool {
    fn step<T, W>(&self, what: &'static str, work: W) -> impl Future<Output = PortResult<T>> + Send
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        self.ledger.step(what, work)
    }

    async fn read_windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        let key = key.clone();
        self.database.read("read a key's windows", move |connection| load::windows(connection, &key, max)).await
    }

    async fn store_parked(&self, messages: &[Parked]) -> PortResult<()> {
        let messages = messages.to_vec();
        self.queues.write("park messages", move |connection| parked::park(connection, &messages)).await
    }

    async fn claim_stored(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        let (queue, clock) = (queue.to_owned(), self.clock.clone());
        let write = self.queues.write("claim parked messages", move |connection| {
            let claimed_until = millis_after(&*clock, lease.min(LONGEST_CLAIM));
            let (now, latest) = (now_millis(&*clock), millis_after(&*clock, LONGEST_CLAIM));
            parked::claim(connection, &queue, max, now, claimed_until, latest)
        });
        write.await
    }

    async fn forget_stored(&self, messages: &[Parked]) -> PortResult<()> {
        let messages = messages.to_vec();
        self.queues.write("forget parked messages", move |connection| parked::forget(connection, &messages)).await
    }

    async fn count_stored(&self, queue: &str) -> PortResult<u64> {
        let queue = queue.to_owned();
        self.queues.read("count parked messages", move |connection| parked::count(connection, &queue)).await
    }
}
