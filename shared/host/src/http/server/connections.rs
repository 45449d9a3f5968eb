//! The open connections: what each of them waits for, and since when.
//!
//! Time is counted in ticks, by one task for all connections. A request therefore sets no timer, and a clock that is set
//! closes nothing.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id, JoinSet};

use super::ServerLimits;

/// The time between two looks at the connections, at pauses, and at the stop signal.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// Not waiting.
const NEVER: u64 = u64::MAX;

/// An open connection.
pub(super) struct Connection {
    ticks: Arc<AtomicU64>,
    /// Counts the connections in the order in which they were opened.
    number: u64,
    /// The tick since which it waits for the head of a request.
    idle_since: AtomicU64,
    /// The tick since which the caller has read nothing of what is to be sent.
    blocked_since: AtomicU64,
    close: Notify,
}

impl Connection {
    /// Records that a request is being served.
    pub(super) fn set_busy(&self) {
        self.idle_since.store(NEVER, Ordering::Relaxed);
    }

    /// Records that the next request is waited for.
    pub(super) fn set_idle(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }

    /// Records whether the caller reads too little for anything to be sent.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        if is_blocked {
            let _ = self.blocked_since.compare_exchange(NEVER, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        } else {
            self.blocked_since.store(NEVER, Ordering::Relaxed);
        }
    }

    /// Completes when the connection is to be closed after the request that is being served.
    pub(super) async fn close_requested(&self) {
        self.close.notified().await;
    }

    fn now(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Returns since when the connection is idle, if it is and everything was sent.
    fn idle_since(&self) -> Option<u64> {
        let is_blocked = self.blocked_since.load(Ordering::Relaxed) != NEVER;
        Some(self.idle_since.load(Ordering::Relaxed)).filter(|since| *since != NEVER && !is_blocked)
    }

    /// Returns whether the caller has been too slow.
    fn is_overdue(&self, limits: &ServerLimits) -> bool {
        let passed = |since: u64| TICK * u32::try_from(self.now().saturating_sub(since)).unwrap_or(u32::MAX);
        let blocked_since = Some(self.blocked_since.load(Ordering::Relaxed)).filter(|since| *since != NEVER);
        blocked_since.is_some_and(|since| passed(since) > limits.write_timeout)
            || self.idle_since().is_some_and(|since| passed(since) > limits.head_timeout)
    }
}

/// The open connections.
#[derive(Default)]
pub(super) struct Connections {
    ticks: Arc<AtomicU64>,
    opened: u64,
    tasks: JoinSet<()>,
    open: HashMap<Id, (Arc<Connection>, AbortHandle)>,
}

impl Connections {
    pub(super) fn new_connection(&mut self) -> Arc<Connection> {
        let now = self.ticks.load(Ordering::Relaxed);
        self.opened += 1;
        Arc::new(Connection {
            ticks: self.ticks.clone(),
            number: self.opened,
            idle_since: AtomicU64::new(now),
            blocked_since: AtomicU64::new(NEVER),
            close: Notify::new(),
        })
    }

    /// Runs `serving` until it completes.
    pub(super) fn start(&mut self, connection: Arc<Connection>, serving: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(serving);
        self.open.insert(task.id(), (connection, task));
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Waits until one of the connections has ended, and removes it with all others that have. May be dropped.
    pub(super) async fn ended(&mut self) {
        let mut next = self.tasks.join_next_with_id().await;
        while let Some(ended) = next {
            let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
            self.open.remove(&id);
            next = self.tasks.try_join_next_with_id();
        }
    }

    /// Lets time pass, and closes the connections whose callers are too slow.
    pub(super) fn tick(&mut self, limits: &ServerLimits) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        for (_, task) in self.open.values().filter(|(connection, _)| connection.is_overdue(limits)) {
            task.abort();
        }
    }

    /// Returns whether a connection waits for a request.
    pub(super) fn has_idle(&self) -> bool {
        self.open.values().any(|(connection, _)| connection.idle_since().is_some())
    }

    /// Closes the connection that has waited longest for a request, if one waits.
    pub(super) fn close_longest_idle(&self) {
        let idle = self.open.values().filter_map(|(connection, _)| Some((connection.idle_since()?, connection)));
        if let Some((_, connection)) = idle.min_by_key(|(since, connection)| (*since, connection.number)) {
            // It counts as busy while it closes, so that the next call closes another one.
            connection.set_busy();
            connection.close.notify_one();
        }
    }

    /// Closes each connection after the request that is being served on it.
    pub(super) fn close_all(&self) {
        self.open.values().for_each(|(connection, _)| connection.close.notify_one());
    }
}
