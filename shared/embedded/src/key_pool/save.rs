//! Writes what a batch has changed: each row once, in its final state.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Error, params};
use serde::Serialize;
use stint_core::ledger::{Account, HoldId, KeyId, WindowRecord};

use super::group;
use super::load::CachedLedger;

/// How many windows of a key are kept: six weeks of hourly ones.
const WINDOWS_KEPT: u64 = 1_000;

/// Writes what changed in the ledger since it was last written, and raises the revision.
pub(super) fn changes(connection: &Connection, loaded: &mut CachedLedger) -> rusqlite::Result<()> {
    let changes = loaded.ledger.take_changes();
    if changes.accounts.is_empty() && changes.holds.is_empty() && changes.windows.is_empty() {
        return Ok(());
    }
    let accounts = loaded.ledger.accounts();
    for key in &changes.accounts {
        if let Some(account) = accounts.get(key) {
            save_account(connection, &mut loaded.numbers, key, account)?;
        }
    }
    save_holds(connection, loaded, &changes.holds)?;
    for (key, window) in &changes.windows {
        if let Some(number) = loaded.numbers.get(key) {
            save_window(connection, *number, window)?;
        }
    }
    loaded.revision += 1;
    connection.prepare_cached("UPDATE ledger SET revision = ?1 WHERE id = 1")?.execute([loaded.revision]).map(|_| ())
}

fn save_account(
    connection: &Connection,
    numbers: &mut BTreeMap<KeyId, i64>,
    key: &KeyId,
    account: &Account,
) -> rusqlite::Result<()> {
    let record = json(account)?;
    match numbers.get(key) {
        Some(number) => {
            let mut statement = connection.prepare_cached("UPDATE accounts SET record = ?2 WHERE id = ?1")?;
            statement.execute(params![number, record])?;
        }
        None => {
            let mut statement = connection.prepare_cached("INSERT INTO accounts (key, record) VALUES (?1, ?2)")?;
            numbers.insert(key.clone(), statement.insert(params![key.0, record])?);
        }
    }
    Ok(())
}

/// Writes every group that contains a changed hold, once.
fn save_holds(connection: &Connection, loaded: &CachedLedger, changed: &BTreeSet<HoldId>) -> rusqlite::Result<()> {
    let mut write =
        connection.prepare_cached("INSERT OR REPLACE INTO hold_groups (account, number, holds) VALUES (?1, ?2, ?3)")?;
    let mut delete = connection.prepare_cached("DELETE FROM hold_groups WHERE account = ?1 AND number = ?2")?;
    let mut written = None;
    for id in changed {
        let group = (&id.key, group::number(id.sequence));
        // They are in order, so the holds of one group are adjacent.
        if written.replace(group) == Some(group) {
            continue;
        }
        let (Some(account), Some(key)) = (loaded.numbers.get(&id.key), loaded.ledger.accounts().get(&id.key)) else {
            continue;
        };
        let number = integer(group.1)?;
        match key.holds.write(group::sequences(group.1)).map_err(unwritable)? {
            Some(holds) => write.execute(params![account, number, holds])?,
            None => delete.execute([*account, number])?,
        };
    }
    Ok(())
}

fn save_window(connection: &Connection, number: i64, window: &WindowRecord) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR REPLACE INTO windows (account, number, record) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![number, integer(window.window)?, json(window)?])?;
    let oldest_kept = integer(window.window.saturating_sub(WINDOWS_KEPT))?;
    let mut forget = connection.prepare_cached("DELETE FROM windows WHERE account = ?1 AND number <= ?2")?;
    forget.execute([number, oldest_kept]).map(|_| ())
}

fn integer(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(unwritable)
}

fn json(record: &impl Serialize) -> rusqlite::Result<ToSqlOutput<'static>> {
    let text = serde_json::to_string(record).map_err(unwritable)?;
    Ok(ToSqlOutput::from(text))
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::ToSqlConversionFailure(Box::new(error))
}
