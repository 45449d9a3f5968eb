//! A clock that is set back, in the file of the queues.
//!
//! Every deadline in the file was written at some moment; the file keeps the latest of those moments. When the clock shows
//! an earlier one it has been set back, be it between two starts or while the fleet runs, and every deadline would come too
//! late by as much. So all of them are moved by the difference, and what had ten minutes to go still has ten. A deadline
//! that was written before the clock went ahead comes early then, which every worker bears: a message that is visible early
//! is received early. A wake-up that fires once does so at once: its worker finds out whether that is early, by what the
//! upstream says, and sets it anew.
//!
//! A clock that is set ahead cannot be told from a fleet that did not run for a while; there deadlines come early, too.

use rusqlite::{Connection, params};

/// The clocks of processes on one machine are one, but each reads it a little before it writes.
const SLACK_MILLIS: i64 = 2_000;

/// Deadlines are written at this moment. Called in each transaction that writes some.
pub(crate) fn note(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE clock SET latest = ?1 WHERE id = 1 AND latest < ?1")?;
    statement.execute([now]).map(|_| ())
}

/// Moves all deadlines if the clock was set back since one of them was written. Called in each transaction that looks for
/// what is due, before it looks.
pub(crate) fn mend(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT latest FROM clock WHERE id = 1")?;
    let latest: i64 = statement.query_row([], |row| row.get(0))?;
    let back = latest.saturating_sub(now);
    if back <= SLACK_MILLIS {
        return Ok(());
    }
    let seconds = back / 1_000;
    tracing::warn!(seconds, "the clock was set back by {seconds} s: everything that waits is due as much earlier");
    connection.execute("UPDATE messages SET visible_at = visible_at - ?1", [back])?;
    let wakeups = "UPDATE wakeups SET lent_until = lent_until - ?1,
                   at = CASE WHEN period IS NULL THEN min(at - ?1, ?2) ELSE at - ?1 END";
    connection.execute(wakeups, [back, now])?;
    connection.execute("UPDATE clock SET latest = ?1 WHERE id = 1", params![now]).map(|_| ())
}
