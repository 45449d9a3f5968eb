//! The changes that the files of a backup need before a fleet continues with them.
//!
//! Since the backup the fleet has gone on: points were spent that the ledger of the backup does not contain, and the
//! processes that ran then do not run now. Each key is therefore closed until its counter is read, and the upstream's
//! counter applies. Holds of calls that were in flight stay until a reading confirms them, as after a crash.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};
use stint_core::ledger::Account;
use stint_core::ports::PortResult;

use crate::database::damage::failed;
use crate::database::{Mode, open};
use crate::home::{KEYS_FILE, QUEUES_FILE};

/// Changes the files in the folder `home`, which no process may have open. Doing it twice changes nothing more.
pub fn prepare_restored_files(home: &Path) -> PortResult<()> {
    let keys = home.join(KEYS_FILE);
    if keys.is_file() {
        change(&keys, close_keys).map_err(|error| failed("mark the keys as unread", &keys, &error))?;
    }
    let queues = home.join(QUEUES_FILE);
    if queues.is_file() {
        change(&queues, forget_hosts)
            .map_err(|error| failed("remove the list of running processes", &queues, &error))?;
    }
    Ok(())
}

fn change(path: &Path, work: impl Fn(&Connection) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    open::prepare(&mut connection)?;
    open::write_ahead(&connection, Mode::Shared)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&transaction)?;
    transaction.commit()
}

/// Closes the keys: a key without a known limit grants nothing before it is read. A call whose cost was still unknown
/// is forgotten, because the next reading shows everything that was spent since. A record that cannot be decoded closes
/// its key when it is loaded.
fn close_keys(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT id, record FROM accounts")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let accounts: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
    for (id, record) in accounts {
        let Ok(account) = serde_json::from_str::<Account>(&record) else { continue };
        let closed = Account {
            limit: None,
            reading_until: None,
            read_not_before: None,
            idle_readings: 0,
            doubted: None,
            alone: None,
            unpriced: None,
            ..account
        };
        let record =
            serde_json::to_string(&closed).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        connection.execute("UPDATE accounts SET record = ?2 WHERE id = ?1", params![id, record])?;
    }
    connection.execute("UPDATE ledger SET revision = revision + 1", []).map(drop)
}

/// Deletes the rows of hosts. Files of earlier versions do not have that table.
fn forget_hosts(connection: &Connection) -> rusqlite::Result<()> {
    if connection.prepare("SELECT 1 FROM hosts").is_ok() {
        connection.execute("DELETE FROM hosts", [])?;
    }
    Ok(())
}
