//! Opens a file: connection settings, migrations, and errors that say what to do.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use stint_core::ports::{PortError, PortResult};

use super::damage::{port_error, reason};
use super::{Mode, RowSize};

/// How many times the busy handler retries before it gives up, and how long it waits in between: 30 s in all. SQLite's
/// own handler waits up to 100 ms at a time and then loses every race against a process that commits group after group,
/// because the gap between two groups is some 10 µs.
const BUSY_ATTEMPTS: i32 = 60_000;
pub(crate) const BUSY_PAUSE: Duration = Duration::from_micros(500);

/// The number of pages in the write-ahead log before they are copied to the file: 16 MiB. With SQLite's default of
/// 1,000 pages a busy queue copies the same pages again and again.
const CHECKPOINT_PAGES: u32 = 4_000;

/// The number of statements that a connection keeps prepared: more than all adapters of one file have.
const STATEMENTS: usize = 64;

/// Opens the connection for writing, and applies the missing migrations.
pub(super) fn open_writer(path: &Path, migrations: &[&str], mode: Mode, rows: RowSize) -> PortResult<Connection> {
    let opened = Connection::open(path).and_then(|mut connection| {
        prepare(&mut connection)?;
        // The first write, which turns the log on, fixes the page size; an existing file keeps its own.
        connection.pragma_update(None, "page_size", rows.page_bytes())?;
        write_ahead(&connection, mode)?;
        Ok(connection)
    });
    let mut connection = opened.map_err(|error| open_error(path, error))?;
    migrate(&mut connection, path, migrations)?;
    Ok(connection)
}

/// Opens another connection for writing to a file that is open, and therefore migrated.
pub(super) fn open_second(path: &Path, mode: Mode) -> PortResult<Connection> {
    let opened = Connection::open(path).and_then(|mut connection| {
        prepare(&mut connection)?;
        write_ahead(&connection, mode)?;
        Ok(connection)
    });
    opened.map_err(|error| open_error(path, error))
}

/// Opens a database that exists as long as the connection.
pub(super) fn open_in_memory(migrations: &[&str]) -> PortResult<Connection> {
    let path = Path::new(":memory:");
    let opened = Connection::open_in_memory().and_then(|mut connection| {
        prepare(&mut connection)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        Ok(connection)
    });
    let mut connection = opened.map_err(|error| open_error(path, error))?;
    migrate(&mut connection, path, migrations)?;
    Ok(connection)
}

/// Opens a connection for reading.
pub(crate) fn open_reader(path: &Path) -> PortResult<Connection> {
    let opened = Connection::open(path).and_then(|mut connection| {
        prepare(&mut connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    });
    opened.map_err(|error| open_error(path, error))
}

pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_while_busy))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

pub(crate) fn write_ahead(connection: &Connection, mode: Mode) -> rusqlite::Result<()> {
    // Only one process can turn on a new file's log. SQLite tells the second that the file is locked, without calling
    // the busy handler.
    let mut attempt = 0;
    while let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
        let busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        if !busy || !wait_while_busy(attempt) {
            return Err(error);
        }
        attempt += 1;
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // FULL syncs the log at each commit. Without it a power cut loses the last commits.
    connection.pragma_update(None, "synchronous", if mode == Mode::Shared { "FULL" } else { "OFF" })
}

fn wait_while_busy(attempt: i32) -> bool {
    pause();
    attempt < BUSY_ATTEMPTS
}

/// Waits a moment for another process's lock.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite asks on its own thread, where nothing can be awaited; another process holds the file"
)]
pub(crate) fn pause() {
    std::thread::sleep(BUSY_PAUSE);
}

/// Applies the migrations that the file does not have yet, in one transaction. The file stores the number of the last
/// one.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> PortResult<()> {
    let migrated = || -> rusqlite::Result<Result<(), i64>> {
        // Two processes may open a new file at once, so the number is read under the lock that the migrations need.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let applied: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for (number, migration) in (1_i64..).zip(migrations).filter(|(number, _)| *number > applied) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        if applied > migrations.len() as i64 {
            return Ok(Err(applied));
        }
        transaction.commit()?;
        Ok(Ok(()))
    }();
    match migrated {
        Ok(Ok(())) => Ok(()),
        Ok(Err(applied)) => Err(PortError::Invalid(format!(
            "{} was written by a newer version of stint (its schema is number {applied}, this version knows {}): use \
             that version, or another folder",
            path.display(),
            migrations.len()
        ))),
        Err(error) => Err(open_error(path, error)),
    }
}

pub(super) fn open_error(path: &Path, error: rusqlite::Error) -> PortError {
    let path = path.display();
    let context = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            format!("could not open {path}: the folder must exist, and both it and the file be writable")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("could not open {path}: another process has kept it locked for too long")
        }
        _ => format!("could not open {path}"),
    };
    port_error(context, &error, &reason(&error))
}
