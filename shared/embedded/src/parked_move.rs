//! Moves parked messages from `keys.db`, where earlier versions kept them, to `queues.db`.
//!
//! # What may happen between any two lines
//! SQLite commits to one file at a time. The move therefore has a token that is stored in both files.
//! * *The process exits before the token is written:* nothing has happened.
//! * *It exits before the copy:* the next process finds the token and copies under it.
//! * *It exits after the copy:* the next process finds the token in both files, copies nothing, and deletes. A copy
//!   that was sent to its queue meanwhile does not come back.
//! * *It exits after the deletion:* there is nothing to move. A ledger with nothing to move is opened without another
//!   connection.
//! * *Two processes open the ledger at once:* both use the same token, and the second finds that the copy is done.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use stint_core::ports::{PortError, PortResult};

use crate::database::damage::reason;
use crate::database::{Database, Mode};

/// Returns whether an earlier version has parked anything in the `keys.db` open in `keys`.
pub(crate) fn any_parked(keys: &Connection) -> rusqlite::Result<bool> {
    keys.query_row("SELECT EXISTS (SELECT 1 FROM parked_before)", [], |row| row.get(0))
}

/// Moves the messages that an earlier version has parked, if there are any.
pub(crate) fn move_parked(keys: &Path, queues: &Path, mode: Mode) -> PortResult<()> {
    let mut from = Database::second_connection(keys, mode)?;
    let failed = |error| {
        let files = format!("{} to {}", keys.display(), queues.display());
        PortError::backend(format!("could not move the parked messages from {files}"), reason(&error))
    };
    let Some(token) = begin(&mut from).map_err(failed)? else { return Ok(()) };
    let mut to = Database::second_connection(queues, mode)?;
    let moved = copy(&from, &mut to, &token).and_then(|copied| finish(&mut from).map(|()| copied));
    let copied = moved.map_err(failed)?;
    tracing::info!(copied, "{copied} parked messages were moved from keys.db to queues.db");
    Ok(())
}

/// Writes the token of the move, unless an earlier process has. Returns `None` if nothing is parked.
fn begin(keys: &mut Connection) -> rusqlite::Result<Option<String>> {
    let transaction = immediate(keys)?;
    if !any_parked(&transaction)? {
        return Ok(None);
    }
    transaction.execute("INSERT OR IGNORE INTO parked_move (id, token) VALUES (1, hex(randomblob(16)))", [])?;
    let token = transaction.query_row("SELECT token FROM parked_move", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(Some(token))
}

/// Copies every message in one commit, unless that was done under this token before. Returns how many were copied.
fn copy(keys: &Connection, queues: &mut Connection, token: &str) -> rusqlite::Result<usize> {
    let transaction = immediate(queues)?;
    let done = transaction.query_row("SELECT 1 FROM parked_moves WHERE token = ?1", [token], |_| Ok(())).optional()?;
    if done.is_some() {
        return Ok(0);
    }
    let mut copied = 0;
    {
        let mut read = keys.prepare("SELECT queue, id, parked_at, lent_until, body FROM parked_before")?;
        let mut write = transaction.prepare(
            "INSERT OR IGNORE INTO parked (queue, id, parked_at, claimed_until, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (queue, id, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(4)?);
            let (parked_at, claimed_until): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
            copied += write.execute(params![queue, id, parked_at, claimed_until, body])?;
        }
    }
    transaction.execute("INSERT INTO parked_moves (token) VALUES (?1)", [token])?;
    transaction.commit()?;
    Ok(copied)
}

/// Deletes the copied messages and the token of the move.
fn finish(keys: &mut Connection) -> rusqlite::Result<()> {
    let transaction = immediate(keys)?;
    transaction.execute("DELETE FROM parked_before", [])?;
    transaction.execute("DELETE FROM parked_move", [])?;
    transaction.commit()
}

fn immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::schema;

    /// Creates a folder with three messages that the previous version has parked.
    fn folder() -> (TempDir, Connection, Connection) {
        let home = tempfile::tempdir().unwrap();
        let open = |file: &str, migrations| {
            let path = home.path().join(file);
            drop(Database::open(&path, migrations, Mode::Inline).unwrap());
            Database::second_connection(&path, Mode::Inline).unwrap()
        };
        let (keys, queues) = (open("keys.db", schema::KEYS), open("queues.db", schema::QUEUES));
        for id in 1..=3 {
            let row = params![id.to_string(), id, format!("body {id}")];
            keys.execute("INSERT INTO parked_before (queue, id, parked_at, body) VALUES ('work', ?1, ?2, ?3)", row)
                .unwrap();
        }
        (home, keys, queues)
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_message_is_moved_once_wherever_the_process_exits() {
        for steps in 0..=3 {
            let (home, mut keys, mut queues) = folder();
            if steps > 0 {
                let token = begin(&mut keys).unwrap().unwrap();
                assert_eq!(begin(&mut keys).unwrap(), Some(token.clone()), "the next process goes on with the move");
                if steps > 1 {
                    assert_eq!(copy(&keys, &mut queues, &token).unwrap(), 3);
                }
            }
            if steps > 2 {
                finish(&mut keys).unwrap();
            }
            // The copied messages have gone back to their queue by the time the folder is opened again.
            let sent = queues.execute("DELETE FROM parked", []).unwrap();
            for _ in 0..2 {
                move_parked(&home.path().join("keys.db"), &home.path().join("queues.db"), Mode::Inline).unwrap();
            }
            assert_eq!(sent as i64 + count(&queues, "parked"), 3, "exited after step {steps}");
            assert_eq!((count(&keys, "parked_before"), count(&keys, "parked_move")), (0, 0));
        }
    }

    /// Two processes open the folder; their three steps run in every order.
    #[test]
    fn two_handles_move_each_message_once() {
        for order in (0_usize..1 << 6).filter(|order| order.count_ones() == 3) {
            let (home, keys, queues) = folder();
            let open = |file: &str| Database::second_connection(&home.path().join(file), Mode::Inline).unwrap();
            let mut handles = [0, 1].map(|_| (open("keys.db"), open("queues.db"), None::<String>, 0));
            for place in (0..6).map(|step| order >> step & 1) {
                let (keys, queues, token, step) = &mut handles[place];
                match (*step, &token) {
                    (0, _) => *token = begin(keys).unwrap(),
                    (1, Some(token)) => drop(copy(keys, queues, token).unwrap()),
                    (_, Some(_)) => finish(keys).unwrap(),
                    // The other process has moved everything.
                    (_, None) => {}
                }
                *step += 1;
            }
            assert_eq!(count(&queues, "parked"), 3, "in the order {order:06b}");
            assert_eq!(
                (count(&keys, "parked_before"), count(&keys, "parked_move")),
                (0, 0),
                "in the order {order:06b}"
            );
        }
    }

    #[test]
    fn another_keys_file_is_another_move() {
        let (home, keys, queues) = folder();
        let paths = [home.path().join("keys.db"), home.path().join("queues.db")];
        move_parked(&paths[0], &paths[1], Mode::Inline).unwrap();
        // A copy of the file from before the move is restored.
        keys.execute("INSERT INTO parked_before (queue, id, parked_at, body) VALUES ('work', '9', 9, 'nine')", [])
            .unwrap();
        move_parked(&paths[0], &paths[1], Mode::Inline).unwrap();
        assert_eq!((count(&queues, "parked"), count(&queues, "parked_moves")), (4, 2));
    }
}
