//! Keeps what was paid for: results go into the players' store, and wait in memory while it fails.
//!
//! # What may happen between any two lines
//! * *The store fails, or the queue fails that takes what is left of a player under another id:* the results wait here,
//!   and their messages are released. This process makes no further call before the results are stored; then their
//!   messages are acknowledged without a call, since they were fetched after they were sent. Only a message that asks
//!   by name is paid for again.
//! * *The store fails after what is left of a player was sent:* it is not sent again when the results are stored.
//! * *The store rejects the results of one player, and accepts those of others:* no later try would help. It is logged
//!   as an error with the player, its raids and the reason, and its message becomes a dead letter. Everything else is
//!   stored.
//! * *The store rejects the results of several players, and accepts none:* handled as a failure of the store: the store
//!   has to be repaired.
//! * *The invocation ends while its results are being stored:* they wait here, and the next invocation stores them.
//!   What was stored already is stored once more, which changes nothing.
//! * *The process ends while results wait:* their messages come back, and are paid for again.
//! * *Another process has fetched a player meanwhile:* results that are older are left out.

use std::sync::{Arc, Mutex, PoisonError};

use futures::lock;
use stint_core::ports::{PortResult, Queue};

use crate::results::Results;
use crate::store::Players;

/// The players' store, and the results that it could not take yet.
pub(crate) struct ResultsBuffer {
    pub(crate) players: Arc<dyn Players>,
    /// The last results are stored first.
    waiting: Mutex<Vec<Results>>,
    /// Held while waiting results are stored, so that no call is made meanwhile.
    storing_waiting: lock::Mutex<()>,
}

/// Results on their way to the store. If this is dropped before they are stored, they wait.
struct PendingResults<'a> {
    results: Results,
    waiting: &'a Mutex<Vec<Results>>,
}

impl PendingResults<'_> {
    /// Marks the results as stored.
    fn stored(mut self) -> Results {
        std::mem::take(&mut self.results)
    }
}

impl Drop for PendingResults<'_> {
    fn drop(&mut self) {
        let results = std::mem::take(&mut self.results);
        if !results.is_stored() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(results);
        }
    }
}

impl ResultsBuffer {
    /// An empty buffer.
    pub(crate) fn new(players: Arc<dyn Players>) -> ResultsBuffer {
        ResultsBuffer { players, waiting: Mutex::default(), storing_waiting: lock::Mutex::default() }
    }

    /// Stores the waiting results. Call this before each API call: while the store accepts nothing, no points must be
    /// spent.
    pub(crate) async fn store_waiting(&self, queue: &dyn Queue) -> PortResult<()> {
        let _turn = self.storing_waiting.lock().await;
        while let Some(results) = self.last() {
            let mut late = self.pending(results);
            let known = self.players.known(&late.results.ids()).await?;
            late.results.leave_out_older_than(&known);
            late.results.store(&*self.players, queue).await?;
            late.stored();
        }
        Ok(())
    }

    /// Stores the results of messages from `queue`. If that fails, they wait.
    pub(crate) async fn store(&self, results: Results, queue: &dyn Queue) -> PortResult<Results> {
        let mut fresh = self.pending(results);
        match fresh.results.store(&*self.players, queue).await {
            Ok(()) => Ok(fresh.stored()),
            Err(error) => {
                tracing::warn!(%error, "cannot store results; no further call is made until they are stored: {error}");
                Err(error)
            }
        }
    }

    fn pending(&self, results: Results) -> PendingResults<'_> {
        PendingResults { results, waiting: &self.waiting }
    }

    fn last(&self) -> Option<Results> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
