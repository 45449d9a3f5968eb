//! Ledger steps that gather while a store is busy, and are then applied and stored together.
//!
//! When the store is free it takes every waiting step. A thousand concurrent reservations then cost one load and one
//! write, because an account that several steps of a batch change is stored once.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::ports::{PortError, PortResult};

/// A change to the ledger, and a caller that waits for its result.
pub trait LedgerStep: Send {
    /// Applies the change. If it is applied again to a newly loaded ledger, the result of the earlier attempt is
    /// discarded.
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp);

    /// Sends the caller the result, or an error of the kind and with the text of `lost` if the change was not stored.
    fn finish(self: Box<Self>, lost: Option<&PortError>);
}

/// The steps of a batch, in the order in which they were requested.
pub type Steps = Vec<Box<dyn LedgerStep>>;

/// Steps that wait for the store.
#[derive(Default)]
pub struct PendingSteps(Mutex<Steps>);

impl PendingSteps {
    /// Adds a step. `what` completes the sentence "could not …". The returned flag is true if no other step was
    /// waiting, in which case the caller must make the store take the waiting steps. The returned future completes with
    /// the step's result.
    pub fn add<T, W>(
        &self,
        what: &'static str,
        work: W,
    ) -> (bool, impl Future<Output = PortResult<T>> + Send + use<T, W>)
    where
        T: Send + 'static,
        W: FnMut(&mut Ledger, Timestamp) -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let first = {
            let mut waiting = self.lock();
            waiting.push(Box::new(PendingStep { what, work, value: None, sender }));
            waiting.len() == 1
        };
        let gone =
            move |_| Err(PortError::backend(format!("could not {what}"), "the writer of the ledger has stopped"));
        (first, async move { receiver.await.unwrap_or_else(gone) })
    }

    /// Takes all waiting steps.
    pub fn take(&self) -> Steps {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct PendingStep<T, W> {
    what: &'static str,
    work: W,
    value: Option<T>,
    sender: oneshot::Sender<PortResult<T>>,
}

impl<T, W> LedgerStep for PendingStep<T, W>
where
    T: Send,
    W: FnMut(&mut Ledger, Timestamp) -> T + Send,
{
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp) {
        self.value = Some((self.work)(ledger, now));
    }

    fn finish(self: Box<Self>, lost: Option<&PortError>) {
        let context = || format!("could not {}", self.what);
        let result = match (self.value, lost) {
            (_, Some(error)) => Err(error.within(context())),
            (Some(value), None) => Ok(value),
            (None, None) => Err(PortError::backend(context(), "the step was not attempted")),
        };
        // The caller may have stopped waiting. The step is stored all the same.
        let _ = self.sender.send(result);
    }
}
