//! How many invocations of a worker run at once.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// The running invocations of one worker, and how many there may be.
pub(super) struct Slots {
    limit: AtomicU32,
    used: AtomicU32,
    freed: Notify,
}

/// A running invocation.
pub(super) struct Slot<'s>(&'s Slots);

impl Slots {
    pub(super) fn new(limit: u32) -> Slots {
        Slots { limit: AtomicU32::new(limit), used: AtomicU32::new(0), freed: Notify::new() }
    }

    /// Sets how many there may be. Running invocations are not ended.
    pub(super) fn set_limit(&self, limit: u32) {
        if self.limit.swap(limit, Ordering::Relaxed) < limit {
            self.freed.notify_waiters();
        }
    }

    /// Returns how many there may be: 0 while the worker is paused.
    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Waits for a free slot.
    pub(super) async fn take(&self) -> Slot<'_> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // Must be before the count is read: a slot that is freed in between is then noticed.
            freed.as_mut().enable();
            if let Some(slot) = self.try_take() {
                return slot;
            }
            freed.await;
        }
    }

    /// Takes a free slot, if there is one.
    pub(super) fn try_take(&self) -> Option<Slot<'_>> {
        let limit = self.limit();
        let taken =
            self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < limit).then_some(used + 1));
        taken.ok().map(|_| Slot(self))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_freed_slot_and_a_higher_limit_end_a_wait() {
        let slots = Slots::new(1);
        let first = slots.try_take().unwrap();
        let mut waiting = Box::pin(slots.take());
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        let second = (&mut waiting).now_or_never();
        assert!(second.is_some());
        let mut waiting = Box::pin(slots.take());
        assert!((&mut waiting).now_or_never().is_none());
        slots.set_limit(2);
        assert!((&mut waiting).now_or_never().is_some());
        slots.set_limit(0);
        assert!(slots.try_take().is_none());
    }
}
