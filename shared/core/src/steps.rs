//! Steps on a ledger that gather while a store is busy, and are then done and stored together.
//!
//! A store that has its turn takes every step that waits: a thousand reservers cost one load and one write, and what a
//! batch changed is stored once, however many steps changed it.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::ports::{PortError, PortResult};

/// Something to be done to the ledger, and somebody who waits for the answer.
pub trait Step: Send {
    /// Does it. A second time, on a ledger that was loaded anew, what was done before is forgotten.
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp);

    /// Answers whoever waits: with what the step came to, or, when it was not stored, with `lost`, the reason.
    fn answer(self: Box<Self>, lost: Option<&str>);
}

/// The steps of a batch, in the order in which they were asked for.
pub type Steps = Vec<Box<dyn Step>>;

/// Steps that wait for the store.
#[derive(Default)]
pub struct Waiting(Mutex<Steps>);

impl Waiting {
    /// Adds a step. `what` completes the sentence "could not …". Says whether nobody waited before, so that the caller
    /// must call the store; then comes the answer.
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
            waiting.push(Box::new(Asked { what, work, value: None, sender }));
            waiting.len() == 1
        };
        let gone = move |_| Err(PortError::backend(format!("could not {what}"), "whoever writes the ledger is gone"));
        (first, async move { receiver.await.unwrap_or_else(gone) })
    }

    /// Everything that waits now.
    pub fn take(&self) -> Steps {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Asked<T, W> {
    what: &'static str,
    work: W,
    value: Option<T>,
    sender: oneshot::Sender<PortResult<T>>,
}

impl<T, W> Step for Asked<T, W>
where
    T: Send,
    W: FnMut(&mut Ledger, Timestamp) -> T + Send,
{
    fn apply(&mut self, ledger: &mut Ledger, now: Timestamp) {
        self.value = Some((self.work)(ledger, now));
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
