//! Receives from one queue into this process: one receive at a time, in a future of its own. A receive that waits for a
//! first message therefore blocks nothing else, and the queue is not polled more often while a worker is busy.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, select};
use stint_core::clock::Clock;
use stint_core::ports::{Delivery, PortResult, Queue};

use crate::local::{LONG_POLL_WAIT, RETRY_WAIT};

/// Completes when something in this process may have changed.
pub(crate) type Change = BoxFuture<'static, ()>;

/// The receives from one queue.
pub(crate) struct QueueReceiver<'a> {
    queue: &'a dyn Queue,
    max: usize,
    clock: &'a dyn Clock,
    look_again: Duration,
    state: State<'a>,
}

enum State<'a> {
    Idle,
    /// Runs to completion in any case, because its messages are then leased to this process. The second field completes
    /// at a change since it began.
    Receiving(BoxFuture<'a, PortResult<Vec<Delivery>>>, Change),
    Paused(BoxFuture<'a, ()>),
}

impl<'a> QueueReceiver<'a> {
    /// Creates an intake of batches of up to `max` messages. It rests for `look_again` after a receive that returned none.
    pub(crate) fn new(
        queue: &'a dyn Queue,
        max: usize,
        clock: &'a dyn Clock,
        look_again: Duration,
    ) -> QueueReceiver<'a> {
        QueueReceiver { queue, max, clock, look_again, state: State::Idle }
    }

    /// Returns whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Returns whether a receive is under way, so that messages may be leased to this process.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self.state, State::Receiving(..))
    }

    /// Starts a receive. If it brings nothing, a rest follows, which ends at a change since `changed` was created.
    pub(crate) fn receive(&mut self, changed: Change) {
        self.state = State::Receiving(self.queue.receive_patiently(self.max, LONG_POLL_WAIT), changed);
    }

    /// Rests for `pause`, or until something changes.
    pub(crate) fn pause(&mut self, changed: Change, pause: Duration) {
        self.state = State::Paused(select(changed, self.clock.sleep(pause)).map(drop).boxed());
    }

    /// Ends a rest.
    pub(crate) fn wake(&mut self) {
        if matches!(self.state, State::Paused(_)) {
            self.state = State::Idle;
        }
    }

    /// Continues what is under way, and returns the messages that it brought, if any. The future may be dropped: the
    /// next call continues.
    pub(crate) async fn next(&mut self) -> Option<Vec<Delivery>> {
        let received = match &mut self.state {
            State::Idle => return None,
            State::Paused(rest) => {
                rest.await;
                self.state = State::Idle;
                return None;
            }
            State::Receiving(receive, _) => receive.await,
        };
        let State::Receiving(_, changed) = std::mem::replace(&mut self.state, State::Idle) else { return None };
        match received {
            Ok(batch) if !batch.is_empty() => return Some(batch),
            Ok(_) => self.pause(changed, self.look_again),
            Err(error) => {
                let queue = self.queue.name();
                tracing::error!(queue, %error, "cannot receive from {queue}: {error}");
                self.pause(changed, RETRY_WAIT);
            }
        }
        None
    }
}
