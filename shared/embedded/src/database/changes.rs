//! Notifies waiting tasks of commits.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;

/// Announces commits. All waiting tasks share one future, which the next commit completes and replaces.
pub(super) struct CommitSignal {
    next: Mutex<Next>,
}

struct Next {
    announce: oneshot::Sender<()>,
    announced: Shared<oneshot::Receiver<()>>,
}

impl CommitSignal {
    pub(super) fn new() -> CommitSignal {
        CommitSignal { next: Mutex::new(Next::new()) }
    }

    /// Returns a future that completes at the next commit after this call, even if it is polled later.
    pub(super) fn next(&self) -> impl Future<Output = ()> + Send + Unpin + 'static {
        // A database that is closed makes a last announcement, so that waiting tasks look once more and notice it.
        self.lock().announced.clone().map(|_| ())
    }

    pub(super) fn announce(&self) {
        let current = {
            let mut next = self.lock();
            if next.announced.strong_count() == Some(1) {
                return;
            }
            std::mem::replace(&mut *next, Next::new())
        };
        // Fails if no task is waiting any more.
        let _ = current.announce.send(());
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Next {
    fn new() -> Next {
        let (announce, announced) = oneshot::channel();
        Next { announce, announced: announced.shared() }
    }
}
