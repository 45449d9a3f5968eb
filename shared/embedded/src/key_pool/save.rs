//! Writing what a batch changed: each row once, as it is in the end.

use std::collections::BTreeMap;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Error, params};
use serde::Serialize;
use stint_core::clock::to_millis;
use stint_core::ledger::{Account, Hold, HoldId, HoldState, KeyId, WindowRecord};

use super::load::Loaded;

/// How many windows of a key are remembered: six weeks of hourly ones.
const WINDOWS_KEPT: u64 = 1_000;

/// Writes what changed in the ledger since it was last written, and raises the revision.
pub(super) fn changes(connection: &Connection, loaded: &mut Loaded) -> rusqlite::Result<()> {
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
    for id in &changes.holds {
        let Some(number) = loaded.numbers.get(&id.key) else { continue };
        let hold = accounts.get(&id.key).and_then(|account| account.holds.get(id.sequence));
        save_hold(connection, *number, id, hold)?;
    }
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

fn save_hold(connection: &Connection, number: i64, id: &HoldId, hold: Option<&Hold>) -> rusqlite::Result<()> {
    let sequence = integer(id.sequence)?;
    let Some(hold) = hold else {
        let mut statement = connection.prepare_cached("DELETE FROM holds WHERE account = ?1 AND sequence = ?2")?;
        return statement.execute([number, sequence]).map(|_| ());
    };
    let ended = match hold.state {
        HoldState::InFlight => None,
        HoldState::Unconfirmed { ended } => Some(integer(ended)?),
    };
    let mut statement = connection.prepare_cached(
        "INSERT INTO holds (account, sequence, amount, expires_at, ended) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account, sequence) DO UPDATE SET ended = excluded.ended",
    )?;
    let amount = integer(hold.amount.micros())?;
    statement.execute(params![number, sequence, amount, to_millis(hold.expires_at), ended]).map(|_| ())
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
    i64::try_from(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn json(record: &impl Serialize) -> rusqlite::Result<ToSqlOutput<'static>> {
    let text = serde_json::to_string(record).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(ToSqlOutput::from(text))
}
