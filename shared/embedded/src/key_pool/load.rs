//! Loads the ledger from its tables.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_core::ledger::{Account, Holds, KeyId, Ledger, LedgerSettings, WindowRecord};

use super::group;

/// A ledger in memory, and the revision of the file that it was loaded from.
pub(super) struct CachedLedger {
    pub(super) revision: i64,
    pub(super) ledger: Ledger,
    /// The numbers of the keys in the file.
    pub(super) numbers: BTreeMap<KeyId, i64>,
}

/// Returns the ledger as it is in the file now. This is the `kept` one if no process has written since.
pub(super) fn current(
    connection: &Connection,
    kept: Option<CachedLedger>,
    settings: LedgerSettings,
    now: Timestamp,
) -> rusqlite::Result<CachedLedger> {
    let mut statement = connection.prepare_cached("SELECT revision FROM ledger WHERE id = 1")?;
    let revision = statement.query_row([], |row| row.get(0))?;
    match kept {
        Some(loaded) if loaded.revision == revision => Ok(loaded),
        _ => load(connection, revision, settings, now),
    }
}

fn load(
    connection: &Connection,
    revision: i64,
    settings: LedgerSettings,
    now: Timestamp,
) -> rusqlite::Result<CachedLedger> {
    let mut numbers = BTreeMap::new();
    let mut accounts = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT id, key, record FROM accounts")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, key) = (row.get(0)?, KeyId(row.get(1)?));
        let account = load_account(connection, number, &key, row, now)?;
        numbers.insert(key.clone(), number);
        accounts.insert(key, account);
    }
    Ok(CachedLedger { revision, ledger: Ledger::new(settings, accounts), numbers })
}

/// Loads an account and its holds. A row that cannot be decoded closes the key: it counts as never read, and grants
/// nothing before the upstream has been read.
fn load_account(
    connection: &Connection,
    number: i64,
    key: &KeyId,
    row: &Row<'_>,
    now: Timestamp,
) -> rusqlite::Result<Account> {
    let parsed = serde_json::from_str::<Account>(row.get_ref(2)?.as_str().unwrap_or_default());
    let mut account = match parsed {
        Ok(account) => account,
        Err(error) => {
            tracing::warn!(key = %key, %error, "the stored account of a key is unreadable: it must be read again");
            unread_account(connection, number, now)?
        }
    };
    let mut statement = connection.prepare_cached("SELECT number, holds FROM hold_groups WHERE account = ?1")?;
    let mut rows = statement.query([number])?;
    while let Some(row) = rows.next()? {
        if !load_holds(row, &mut account.holds) {
            tracing::warn!(key = %key, "a stored hold of a key is unreadable: the key must be read again");
            account.limit = None;
        }
    }
    account.sequence = account.sequence.max(account.holds.last_sequence());
    Ok(account)
}

/// Loads the holds of a row. Returns whether all of it could be decoded.
fn load_holds(row: &Row<'_>, holds: &mut Holds) -> bool {
    let number = row.get::<_, i64>(0).ok().and_then(|number| u64::try_from(number).ok());
    let text = row.get_ref(1).ok().and_then(|text| text.as_str().ok());
    number.zip(text).is_some_and(|(number, text)| holds.read(text, &group::sequences(number)))
}

/// Returns an account to continue with, with numbers beyond every one that the key can have used.
fn unread_account(connection: &Connection, number: i64, now: Timestamp) -> rusqlite::Result<Account> {
    let mut account = Account::unread();
    // A key counts a few steps per call, far fewer than one per microsecond.
    account.sequence = u64::try_from(now.as_microsecond()).unwrap_or_default();
    let mut statement = connection.prepare_cached("SELECT max(number) FROM windows WHERE account = ?1")?;
    let last: Option<i64> = statement.query_row([number], |row| row.get(0))?;
    account.window = last.unwrap_or_default().unsigned_abs();
    Ok(account)
}

/// Returns the records of a key's windows, newest first. A record that cannot be decoded is left out, with a warning.
pub(super) fn windows(connection: &Connection, key: &KeyId, max: usize) -> rusqlite::Result<Vec<WindowRecord>> {
    let mut find = connection.prepare_cached("SELECT id FROM accounts WHERE key = ?1")?;
    let Some(number) = find.query_row([&key.0], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(Vec::new());
    };
    let mut statement =
        connection.prepare_cached("SELECT record FROM windows WHERE account = ?1 ORDER BY number DESC LIMIT ?2")?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![number, limit])?;
    let mut windows = Vec::new();
    while let Some(row) = rows.next()? {
        match serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default()) {
            Ok(window) => windows.push(window),
            Err(error) => tracing::warn!(key = %key, %error, "the stored record of a window is unreadable"),
        }
    }
    Ok(windows)
}
