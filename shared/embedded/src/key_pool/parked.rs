//! Messages that wait for points. Each function runs inside the caller's transaction.

use rusqlite::{Connection, params};
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::Parked;

/// Stores messages. Parking a message again ends the claim of a caller that holds it.
pub(super) fn park(connection: &Connection, messages: &[Parked]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO parked (queue, id, parked_at, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (queue, id)
         DO UPDATE SET parked_at = excluded.parked_at, body = excluded.body, claimed_until = NULL",
    )?;
    for message in messages {
        statement.execute(params![message.queue, message.id, to_millis(message.parked_at), message.body])?;
    }
    Ok(())
}

/// Claims messages until `claimed_until`. An existing claim that ends later than `latest` has lapsed.
pub(super) fn claim(
    connection: &Connection,
    queue: &str,
    max: usize,
    now: i64,
    claimed_until: i64,
    latest: i64,
) -> rusqlite::Result<Vec<Parked>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, body, parked_at FROM parked
         WHERE queue = ?1 AND (claimed_until IS NULL OR claimed_until <= ?2 OR claimed_until > ?4)
         ORDER BY parked_at, rowid LIMIT ?3",
    )?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![queue, now, limit, latest], |row| {
        Ok(Parked { id: row.get(0)?, queue: queue.to_owned(), body: row.get(1)?, parked_at: from_millis(row.get(2)?) })
    })?;
    let messages = rows.collect::<rusqlite::Result<Vec<Parked>>>()?;
    let mut claim = connection.prepare_cached("UPDATE parked SET claimed_until = ?3 WHERE queue = ?1 AND id = ?2")?;
    for message in &messages {
        claim.execute(params![message.queue, message.id, claimed_until])?;
    }
    Ok(messages)
}

/// Deletes the messages that are unchanged since they were claimed. A message that was parked again is not claimed. One
/// that was parked and claimed again differs in time or body; if it does not, the second claimant sends the very same
/// message.
pub(super) fn forget(connection: &Connection, messages: &[Parked]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM parked
         WHERE queue = ?1 AND id = ?2 AND parked_at = ?3 AND body = ?4 AND claimed_until IS NOT NULL",
    )?;
    for message in messages {
        statement.execute(params![message.queue, message.id, to_millis(message.parked_at), message.body])?;
    }
    Ok(())
}

pub(super) fn count(connection: &Connection, queue: &str) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM parked WHERE queue = ?1")?;
    statement.query_row([queue], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}
