//! The key pool port on MongoDB: one ledger for all processes, a document for each key.

mod accounts;
mod batch;
mod document;
mod parked;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ledger::{KeyId, Ledger, LedgerSettings, WindowRecord};
use stint_core::ledger_store::LedgerStore;
use stint_core::ports::{Parked, PortResult};

use crate::connection::Mongo;
use accounts::Accounts;
use batch::Batcher;
use parked::ParkedMessages;
use windows::Windows;

/// The key pool of a database. All pools of a database share its keys, in this process and in others.
///
/// Requires tokio, as the driver does: a started operation continues when its caller is cancelled.
pub struct MongoKeyPool {
    ledger: Batcher,
    accounts: Accounts,
    parked: ParkedMessages,
}

impl MongoKeyPool {
    /// Opens the key pool of a database, and creates its indexes.
    pub async fn open(mongo: &Mongo, settings: LedgerSettings, clock: Arc<dyn Clock>) -> PortResult<MongoKeyPool> {
        let accounts = Accounts::new(mongo, Windows::open(mongo).await?);
        let parked = ParkedMessages::open(mongo, clock.clone()).await?;
        Ok(MongoKeyPool { ledger: Batcher::new(accounts.clone(), settings, clock), accounts, parked })
    }
}

#[async_trait]
impl LedgerStore for MongoKeyPool {
    fn step<T, W>(&self, what: &'static str, work: W) -> impl Future<Output = PortResult<T>> + Send
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        self.ledger.step(what, work)
    }

    async fn read_windows(&self, key: &KeyId, max: usize) -> PortResult<Vec<WindowRecord>> {
        self.accounts.windows(key, max).await
    }

    async fn store_parked(&self, messages: &[Parked]) -> PortResult<()> {
        self.parked.park(messages).await
    }

    async fn claim_stored(&self, queue: &str, max: usize, lease: Duration) -> PortResult<Vec<Parked>> {
        self.parked.claim(queue, max, lease).await
    }

    async fn forget_stored(&self, messages: &[Parked]) -> PortResult<()> {
        self.parked.forget(messages).await
    }

    async fn count_stored(&self, queue: &str) -> PortResult<u64> {
        self.parked.count(queue).await
    }
}
