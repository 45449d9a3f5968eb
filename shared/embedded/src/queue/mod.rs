//! The queue port on SQLite.

mod statements;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use stint_core::clock::Clock;
use stint_core::ports::{
    Counts, DeadLetter, Delivery, MAX_BATCH, MAX_VISIBILITY, NewMessage, PortResult, Queue, QueueSettings, Receipt,
    validate,
};

use crate::database::Database;
use crate::set_back;
use crate::time::{millis_after, now_millis};
use statements::{ParsedReceipt, QueueId, reason_for_too_many_receives};

/// A queue in a [`Database`]. The message that has been visible for the longest time is received first.
///
/// Several objects, in one process or in many, may represent the same queue. Each has its own settings: it leases
/// messages for its own visibility timeout, and dead-letters them by its own `max_receives`.
pub struct SqliteQueue {
    database: Database,
    name: Arc<str>,
    settings: QueueSettings,
    clock: Arc<dyn Clock>,
}

impl SqliteQueue {
    /// Creates the queue `name` of a database that has the tables of queues. It is stored when its first message is
    /// sent.
    pub fn new(database: &Database, name: &str, settings: QueueSettings, clock: Arc<dyn Clock>) -> SqliteQueue {
        SqliteQueue { database: database.clone(), name: Arc::from(name), settings, clock }
    }

    /// Runs `work` on the queue if a message was ever sent to it, and otherwise returns the default value.
    async fn write<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Default + Send + 'static,
        W: FnOnce(&Connection, QueueId) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.name.clone();
        let write = self.database.write(what, move |connection| match QueueId::find(connection, &name)? {
            Some(queue) => work(connection, queue),
            None => Ok(T::default()),
        });
        write.await
    }

    async fn read<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Default + Send + 'static,
        W: FnOnce(&Connection, QueueId) -> rusqlite::Result<T> + Send + 'static,
    {
        let name = self.name.clone();
        let read = self.database.read(what, move |connection| match QueueId::find(connection, &name)? {
            Some(queue) => work(connection, queue),
            None => Ok(T::default()),
        });
        read.await
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    fn name(&self) -> &str {
        &self.name
    }

    fn visibility_timeout(&self) -> Duration {
        self.settings.visibility_timeout.min(MAX_VISIBILITY)
    }

    async fn send(&self, messages: &[NewMessage]) -> PortResult<()> {
        validate(messages)?;
        if messages.is_empty() {
            return Ok(());
        }
        let (name, clock, messages) = (self.name.clone(), self.clock.clone(), messages.to_vec());
        let write = self.database.write("send messages", move |connection| {
            let queue = QueueId::find_or_create(connection, &name)?;
            // Read here and not earlier: while the writer was busy another process may have written with a later time.
            let sent_at = now_millis(&*clock);
            set_back::record_write_time(connection, sent_at)?;
            messages.iter().try_for_each(|message| {
                let visible_at = millis_after(&*clock, message.delay).max(sent_at);
                queue.insert(connection, sent_at, visible_at, &message.body)
            })
        });
        write.await
    }

    async fn receive(&self, max: usize) -> PortResult<Vec<Delivery>> {
        let (visibility, clock) = (self.visibility_timeout(), self.clock.clone());
        let max_receives = self.settings.max_receives.max(1);
        self.write("receive messages", move |connection, queue| {
            // Read here and not earlier: the lease starts when it is granted, however long the writer was busy.
            let now = now_millis(&*clock);
            let leased_until = millis_after(&*clock, visibility);
            set_back::shift_deadlines(connection, now)?;
            let leased = queue.lease(connection, max.min(MAX_BATCH), now, leased_until, max_receives)?;
            if !leased.is_empty() {
                set_back::record_write_time(connection, now)?;
            }
            Ok(leased)
        })
        .await
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> PortResult<()> {
        let parsed = ParsedReceipt::of(receipts);
        if parsed.is_empty() {
            return Ok(());
        }
        self.write("acknowledge messages", move |connection, queue| {
            parsed.iter().try_for_each(|receipt| queue.delete(connection, receipt))
        })
        .await
    }

    async fn release(&self, receipts: &[Receipt], delay: Duration, reason: &str) -> PortResult<()> {
        let (parsed, clock, reason) = (ParsedReceipt::of(receipts), self.clock.clone(), reason.to_owned());
        let max_receives = self.settings.max_receives;
        if parsed.is_empty() {
            return Ok(());
        }
        self.write("release messages", move |connection, queue| {
            let (now, visible_at) = (now_millis(&*clock), millis_after(&*clock, delay.min(MAX_VISIBILITY)));
            set_back::record_write_time(connection, now)?;
            parsed.iter().try_for_each(|receipt| match queue.receives(connection, receipt)? {
                Some(receives) if receives >= max_receives => {
                    queue.dead_letter(connection, receipt, now, &reason_for_too_many_receives(receives, Some(&reason)))
                }
                _ => queue.release(connection, receipt, visible_at, &reason),
            })
        })
        .await
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> PortResult<()> {
        let (parsed, clock, reason) =
            (ParsedReceipt::of(std::slice::from_ref(receipt)), self.clock.clone(), reason.to_owned());
        self.write("reject a message", move |connection, queue| {
            let now = now_millis(&*clock);
            parsed.iter().try_for_each(|receipt| queue.dead_letter(connection, receipt, now, &reason))
        })
        .await
    }

    async fn counts(&self) -> PortResult<Counts> {
        let now = now_millis(&*self.clock);
        self.read("count messages", move |connection, queue| queue.counts(connection, now)).await
    }

    async fn dead_letters(&self, max: usize) -> PortResult<Vec<DeadLetter>> {
        self.read("read dead letters", move |connection, queue| queue.dead_letters(connection, max)).await
    }

    async fn peek(&self, max: usize) -> PortResult<Vec<Delivery>> {
        let now = now_millis(&*self.clock);
        self.read("peek at messages", move |connection, queue| queue.peek(connection, max, now)).await
    }

    async fn redrive(&self) -> PortResult<u64> {
        let clock = self.clock.clone();
        let write = self.write("redrive dead letters", move |connection, queue| {
            let now = now_millis(&*clock);
            set_back::record_write_time(connection, now)?;
            queue.redrive(connection, now)
        });
        write.await
    }

    async fn purge(&self, everything: bool) -> PortResult<u64> {
        self.write("purge a queue", move |connection, queue| queue.purge(connection, everything)).await
    }
}
