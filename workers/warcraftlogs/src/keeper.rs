//! Keeps what was paid for: answers go into the players' store, and wait in memory while it fails.
//!
//! # What may happen between any two lines
//! * *The store fails, or the queue that takes what is left of a player under another id:* the answer waits here, and its messages are given back. No further call is made by this process
//!   before the answer is stored; then its messages are acknowledged without a call, since they were fetched after they were
//!   sent.
//! * *The process ends while answers wait:* their messages come back, and are paid for again.
//! * *Another process has fetched a player meanwhile:* what is older than that is left out.

use std::sync::Arc;

use futures::lock::Mutex;
use stint_core::ports::{PortResult, Queue};

use crate::results::Results;
use crate::store::{Known, Players};

/// The players' store, and the answers that it could not take yet.
pub(crate) struct Keeper {
    pub(crate) players: Arc<dyn Players>,
    /// Locked while they are stored, so that no call is made meanwhile.
    waiting: Mutex<Vec<Results>>,
}

impl Keeper {
    /// A keeper without an answer.
    pub(crate) fn new(players: Arc<dyn Players>) -> Keeper {
        Keeper { players, waiting: Mutex::default() }
    }

    /// Stores what waits. To be called before each call: a store that takes nothing must stop the spending.
    pub(crate) async fn catch_up(&self, queue: &dyn Queue) -> PortResult<()> {
        let mut waiting = self.waiting.lock().await;
        while let Some(results) = waiting.last() {
            self.keep_late(results, queue).await?;
            waiting.pop();
        }
        Ok(())
    }

    /// Stores an answer, of messages from `queue`. When that fails, the answer waits.
    pub(crate) async fn keep(&self, results: Results, queue: &dyn Queue) -> PortResult<Results> {
        match results.keep(&*self.players, queue).await {
            Ok(()) => Ok(results),
            Err(error) => {
                tracing::warn!(%error, "cannot store an answer, no call is made until it is stored: {error}");
                self.waiting.lock().await.push(results);
                Err(error)
            }
        }
    }

    /// Stores an answer that has waited, but for what was fetched since.
    async fn keep_late(&self, results: &Results, queue: &dyn Queue) -> PortResult<()> {
        let known: Known = self.players.known(&results.ids()).await?;
        results.without_older_than(&known).keep(&*self.players, queue).await
    }
}
