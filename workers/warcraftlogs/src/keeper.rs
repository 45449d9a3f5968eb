//! Keeps what was paid for: answers go into the players' store, and wait in memory while it fails.
//!
//! # What may happen between any two lines
//! * *The store fails, or the queue that takes what is left of a player under another id:* the answer waits here, and its
//!   messages are given back. No further call is made by this process before the answer is stored; then its messages are
//!   acknowledged without a call, since they were fetched after they were sent. Only one that asks by name is paid for again.
//! * *The store fails after what is left of a player was sent:* it is not sent again when the answer is stored.
//! * *The store rejects what came of a player, and takes that of others:* no later try would help. It is logged as an error
//!   with the player, its raids and the reason, and its message becomes a dead letter. Everything else is stored.
//! * *The store rejects what came of several players, and all of it:* as if it had failed: it is the store that must be mended.
//! * *The invocation ends while its answer is on its way to the store:* it waits here, and the next invocation stores it. What
//!   was stored already is stored once more, which changes nothing.
//! * *The process ends while answers wait:* their messages come back, and are paid for again.
//! * *Another process has fetched a player meanwhile:* what is older than that is left out.

use std::sync::{Arc, Mutex, PoisonError};

use futures::lock;
use stint_core::ports::{PortResult, Queue};

use crate::results::Results;
use crate::store::Players;

/// The players' store, and the answers that it could not take yet.
pub(crate) struct Keeper {
    pub(crate) players: Arc<dyn Players>,
    /// The last one is stored first.
    waiting: Mutex<Vec<Results>>,
    /// Held while those who wait are stored, so that no call is made meanwhile.
    catching_up: lock::Mutex<()>,
}

/// An answer on its way to the store. Dropped before it is there, it waits.
struct OnItsWay<'a> {
    results: Results,
    waiting: &'a Mutex<Vec<Results>>,
}

impl OnItsWay<'_> {
    /// It is stored.
    fn arrived(mut self) -> Results {
        std::mem::take(&mut self.results)
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let results = std::mem::take(&mut self.results);
        if !results.is_kept() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(results);
        }
    }
}

impl Keeper {
    /// A keeper without an answer.
    pub(crate) fn new(players: Arc<dyn Players>) -> Keeper {
        Keeper { players, waiting: Mutex::default(), catching_up: lock::Mutex::default() }
    }

    /// Stores what waits. To be called before each call: a store that takes nothing must stop the spending.
    pub(crate) async fn catch_up(&self, queue: &dyn Queue) -> PortResult<()> {
        let _turn = self.catching_up.lock().await;
        while let Some(results) = self.last() {
            let mut late = self.on_its_way(results);
            let known = self.players.known(&late.results.ids()).await?;
            late.results.leave_out_older_than(&known);
            late.results.keep(&*self.players, queue).await?;
            late.arrived();
        }
        Ok(())
    }

    /// Stores an answer, of messages from `queue`. When that fails, the answer waits.
    pub(crate) async fn keep(&self, results: Results, queue: &dyn Queue) -> PortResult<Results> {
        let mut fresh = self.on_its_way(results);
        match fresh.results.keep(&*self.players, queue).await {
            Ok(()) => Ok(fresh.arrived()),
            Err(error) => {
                tracing::warn!(%error, "cannot store an answer, no call is made until it is stored: {error}");
                Err(error)
            }
        }
    }

    fn on_its_way(&self, results: Results) -> OnItsWay<'_> {
        OnItsWay { results, waiting: &self.waiting }
    }

    fn last(&self) -> Option<Results> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
