//! The operations of a queue as SQL statements. Each function runs inside the caller's transaction.

use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_core::clock::from_millis;
use stint_core::ports::{Counts, DeadLetter, Delivery, Receipt};

/// The number of a queue in the file.
#[derive(Clone, Copy)]
pub(super) struct QueueId(i64);

/// A parsed receipt: which message, and which receive of it.
pub(super) struct ParsedReceipt {
    message: i64,
    number: i64,
}

impl ParsedReceipt {
    /// Returns the parsed `receipts`. A receipt that this adapter did not create matches no message and is left out,
    /// like a stale one.
    pub(super) fn of(receipts: &[Receipt]) -> Vec<ParsedReceipt> {
        receipts.iter().filter_map(ParsedReceipt::parse).collect()
    }

    fn parse(receipt: &Receipt) -> Option<ParsedReceipt> {
        let (message, number) = receipt.0.split_once('.')?;
        Some(ParsedReceipt { message: message.parse().ok()?, number: number.parse().ok()? })
    }

    fn receipt(&self) -> Receipt {
        Receipt(format!("{}.{}", self.message, self.number))
    }
}

/// A message whose turn has come.
struct Candidate {
    receipt: ParsedReceipt,
    receives: u32,
    sent_at: i64,
    last_error: Option<String>,
    body: String,
}

impl QueueId {
    pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<QueueId>> {
        let mut statement = connection.prepare_cached("SELECT id FROM queues WHERE name = ?1")?;
        statement.query_row([name], |row| row.get(0).map(QueueId)).optional()
    }

    pub(super) fn find_or_create(connection: &Connection, name: &str) -> rusqlite::Result<QueueId> {
        if let Some(queue) = QueueId::find(connection, name)? {
            return Ok(queue);
        }
        connection.prepare_cached("INSERT INTO queues (name) VALUES (?1)")?.insert([name]).map(QueueId)
    }

    pub(super) fn insert(
        self,
        connection: &Connection,
        sent_at: i64,
        visible_at: i64,
        body: &str,
    ) -> rusqlite::Result<()> {
        let mut statement = connection
            .prepare_cached("INSERT INTO messages (queue, visible_at, sent_at, body) VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![self.0, visible_at, sent_at, body]).map(|_| ())
    }

    /// Leases up to `max` messages until `leased_until`. Messages that were received too often are dead-lettered on the
    /// way.
    pub(super) fn lease(
        self,
        connection: &Connection,
        max: usize,
        now: i64,
        leased_until: i64,
        max_receives: u32,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let mut leased = Vec::new();
        while leased.len() < max {
            let candidates = self.visible(connection, max - leased.len(), now)?;
            if candidates.is_empty() {
                break;
            }
            for candidate in candidates {
                if candidate.receives >= max_receives {
                    let reason = reason_for_too_many_receives(candidate.receives, candidate.last_error.as_deref());
                    self.move_to_dead_letters(connection, candidate.receipt.message, now, &reason)?;
                } else {
                    leased.push(candidate.lease(connection, now, leased_until)?);
                }
            }
        }
        Ok(leased)
    }

    fn visible(self, connection: &Connection, max: usize, now: i64) -> rusqlite::Result<Vec<Candidate>> {
        let mut statement = connection.prepare_cached(
            "SELECT id, loan, receives, sent_at, last_error, body FROM messages
             WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3",
        )?;
        statement.query_map(params![self.0, now, limit(max)], Candidate::read)?.collect()
    }

    pub(super) fn delete(self, connection: &Connection, receipt: &ParsedReceipt) -> rusqlite::Result<()> {
        let mut statement = connection
            .prepare_cached("DELETE FROM messages WHERE id = ?1 AND loan = ?2 AND queue = ?3 AND lent = 1")?;
        statement.execute([receipt.message, receipt.number, self.0]).map(|_| ())
    }

    pub(super) fn release(
        self,
        connection: &Connection,
        receipt: &ParsedReceipt,
        visible_at: i64,
        reason: &str,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE messages SET visible_at = ?4, last_error = ?5, lent = 0
             WHERE id = ?1 AND loan = ?2 AND queue = ?3 AND lent = 1",
        )?;
        statement.execute(params![receipt.message, receipt.number, self.0, visible_at, reason]).map(|_| ())
    }

    /// Returns how many times a leased message was received, or `None` if the receipt is stale.
    pub(super) fn receives(self, connection: &Connection, receipt: &ParsedReceipt) -> rusqlite::Result<Option<u32>> {
        let mut statement = connection
            .prepare_cached("SELECT receives FROM messages WHERE id = ?1 AND loan = ?2 AND queue = ?3 AND lent = 1")?;
        statement.query_row([receipt.message, receipt.number, self.0], |row| row.get(0)).optional()
    }

    /// Moves a leased message to the dead letters.
    pub(super) fn dead_letter(
        self,
        connection: &Connection,
        receipt: &ParsedReceipt,
        now: i64,
        reason: &str,
    ) -> rusqlite::Result<()> {
        if self.receives(connection, receipt)?.is_some() {
            self.move_to_dead_letters(connection, receipt.message, now, reason)?;
        }
        Ok(())
    }

    fn move_to_dead_letters(
        self,
        connection: &Connection,
        message: i64,
        now: i64,
        reason: &str,
    ) -> rusqlite::Result<()> {
        let mut copy = connection.prepare_cached(
            "INSERT INTO dead_letters (id, queue, loan, receives, sent_at, died_at, reason, body)
             SELECT id, queue, loan, receives, sent_at, ?2, ?3, body FROM messages WHERE id = ?1",
        )?;
        copy.execute(params![message, now, reason])?;
        connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([message]).map(|_| ())
    }

    pub(super) fn counts(self, connection: &Connection, now: i64) -> rusqlite::Result<Counts> {
        let count = |statement: &str, parameters: &[i64]| -> rusqlite::Result<u64> {
            let mut statement = connection.prepare_cached(statement)?;
            let count: i64 = statement.query_row(rusqlite::params_from_iter(parameters), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let hidden = "SELECT count(*) FROM messages WHERE queue = ?1 AND visible_at > ?2 AND lent = ?3";
        Ok(Counts {
            visible: count("SELECT count(*) FROM messages WHERE queue = ?1 AND visible_at <= ?2", &[self.0, now])?,
            in_flight: count(hidden, &[self.0, now, 1])?,
            delayed: count(hidden, &[self.0, now, 0])?,
            dead_letters: count("SELECT count(*) FROM dead_letters WHERE queue = ?1", &[self.0])?,
        })
    }

    pub(super) fn dead_letters(self, connection: &Connection, max: usize) -> rusqlite::Result<Vec<DeadLetter>> {
        let mut statement = connection.prepare_cached(
            "SELECT id, body, receives, reason, died_at FROM dead_letters
             WHERE queue = ?1 ORDER BY died_at, id LIMIT ?2",
        )?;
        let rows = statement.query_map([self.0, limit(max)], |row| {
            Ok(DeadLetter {
                message_id: row.get::<_, i64>(0)?.to_string(),
                body: row.get(1)?,
                receive_count: row.get(2)?,
                reason: row.get(3)?,
                dead_lettered_at: from_millis(row.get(4)?),
            })
        })?;
        rows.collect()
    }

    pub(super) fn peek(self, connection: &Connection, max: usize, now: i64) -> rusqlite::Result<Vec<Delivery>> {
        let mut statement = connection.prepare_cached(
            "SELECT id, loan, receives, sent_at, last_error, body FROM messages
             WHERE queue = ?1 AND (visible_at <= ?2 OR lent = 0) ORDER BY visible_at, id LIMIT ?3",
        )?;
        let rows = statement.query_map([self.0, now, limit(max)], Candidate::read)?;
        // The deliveries have no receipt, because no message was leased.
        rows.map(|candidate| Ok(candidate?.deliver(Receipt(String::new()), 0))).collect()
    }

    pub(super) fn redrive(self, connection: &Connection, now: i64) -> rusqlite::Result<u64> {
        let mut copy = connection.prepare_cached(
            "INSERT INTO messages (id, queue, visible_at, loan, sent_at, body)
             SELECT id, queue, ?2, loan, sent_at, body FROM dead_letters WHERE queue = ?1 ORDER BY died_at, id",
        )?;
        copy.execute([self.0, now])?;
        self.delete_all(connection, "DELETE FROM dead_letters WHERE queue = ?1")
    }

    pub(super) fn purge(self, connection: &Connection, everything: bool) -> rusqlite::Result<u64> {
        let mut deleted = self.delete_all(connection, "DELETE FROM dead_letters WHERE queue = ?1")?;
        if everything {
            deleted += self.delete_all(connection, "DELETE FROM messages WHERE queue = ?1")?;
        }
        Ok(deleted)
    }

    fn delete_all(self, connection: &Connection, statement: &str) -> rusqlite::Result<u64> {
        connection.prepare_cached(statement)?.execute([self.0]).map(|rows| rows as u64)
    }
}

impl Candidate {
    fn read(row: &Row<'_>) -> rusqlite::Result<Candidate> {
        Ok(Candidate {
            receipt: ParsedReceipt { message: row.get(0)?, number: row.get(1)? },
            receives: row.get(2)?,
            sent_at: row.get(3)?,
            last_error: row.get(4)?,
            body: row.get(5)?,
        })
    }

    fn lease(mut self, connection: &Connection, now: i64, leased_until: i64) -> rusqlite::Result<Delivery> {
        let mut statement = connection.prepare_cached(
            "UPDATE messages SET visible_at = ?2, lent = 1, loan = loan + 1, receives = receives + 1 WHERE id = ?1",
        )?;
        // A visibility timeout of zero still hides the message for a moment, because otherwise one receive would see it
        // twice.
        statement.execute([self.receipt.message, leased_until.max(now + 1)])?;
        self.receipt.number += 1;
        let receipt = self.receipt.receipt();
        Ok(self.deliver(receipt, 1))
    }

    fn deliver(self, receipt: Receipt, receives: u32) -> Delivery {
        Delivery {
            message_id: self.receipt.message.to_string(),
            receipt,
            body: self.body,
            receive_count: self.receives + receives,
            sent_at: from_millis(self.sent_at),
        }
    }
}

pub(super) fn reason_for_too_many_receives(receives: u32, last_error: Option<&str>) -> String {
    match last_error {
        Some(error) => format!("received {receives} times; last error: {error}"),
        None => format!("received {receives} times, and never acknowledged"),
    }
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
