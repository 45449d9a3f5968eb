//! Copies several files as they were at one instant, while other processes continue to write to them.
//!
//! A worker hands work over from one file to another: it stores a player, then deletes the message; it holds points,
//! then calls, then settles. Copies from different instants could contain a deletion without the stored player, or a
//! call without the held points. All files are therefore copied as of the same instant. To get there, a write
//! transaction is opened in each file, in the order of their names. When all are open, no process is writing anywhere,
//! and a read transaction is begun in each file. The write transactions then end, after a few milliseconds, and the
//! copies are made from what the read transactions see. That is the state that a crash at that instant would have left,
//! and a crash loses or overspends nothing in any hand-over.
//!
//! While the copies are made the files' logs grow, because everything that a reader still sees is kept.

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use stint_core::ports::{PortError, PortResult};

use super::check::look;
use super::repair::sync;
use super::{CheckDepth, FileSpec, Finding, databases};
use crate::database::damage::{failed, reason};
use crate::database::open;

/// The number of pages copied between two progress reports: 4 MiB of small pages.
const PAGES: i32 = 1_024;

/// How many times a lock is tried, twice a millisecond. Meanwhile writers of files that are locked already wait, and
/// give up after 30 s.
const ATTEMPTS: i32 = 10_000;

/// Files as of one instant.
pub struct Snapshot {
    files: Vec<(PathBuf, Connection)>,
}

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedFile {
    /// The file's name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The number of its schema.
    pub schema: i64,
    /// What is wrong with it. The original has the same damage.
    pub findings: Vec<Finding>,
}

/// The progress of a copy.
#[derive(Clone, Copy, Debug)]
pub struct CopyProgress<'a> {
    /// The file's name.
    pub name: &'a str,
    /// The number of pages copied.
    pub done: u64,
    /// The number of pages in the file.
    pub pages: u64,
}

impl Snapshot {
    /// Takes a snapshot of all databases in the folder `home`. Processes that write to them wait until this returns.
    pub fn take(home: &Path) -> PortResult<Snapshot> {
        let list = || {
            let failed = |error| PortError::backend(format!("could not read the folder {}", home.display()), error);
            databases(home).map_err(failed)
        };
        loop {
            // Always in the same order, so that two backups at once do not wait for each other's locks.
            let paths = list()?;
            let locked: Vec<Connection> = paths.iter().map(|path| lock(path)).collect::<PortResult<_>>()?;
            // A file that was created before the last lock may have what the other files refer to, and belongs to it.
            if list()? != paths {
                continue;
            }
            let files = paths.into_iter().map(|path| begin(&path).map(|connection| (path, connection)));
            let snapshot = Snapshot { files: files.collect::<PortResult<_>>()? };
            // Closing a connection ends its transaction, which has written nothing.
            drop(locked);
            return Ok(snapshot);
        }
    }

    /// Copies each file into the folder `into` under its own name, and checks the copies. `specs` describes their
    /// tables.
    pub fn copy_into(
        &self,
        into: &Path,
        specs: &[FileSpec],
        mut tell: impl FnMut(CopyProgress<'_>),
    ) -> PortResult<Vec<CopiedFile>> {
        let copies = self.files.iter().map(|(path, from)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let target = into.join(&name);
            copy(from, &target, &name, &mut tell)?;
            let spec = specs.iter().find(|spec| spec.name == name);
            let damaged = |error| failed("check a copy", &target, &error);
            let (findings, _) = look(&target, spec, CheckDepth::Quick).map_err(damaged)?;
            let schema = from.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(damaged)?;
            merge_log(&target).map_err(damaged)?;
            sync(&target)
                .map_err(|error| PortError::backend(format!("could not write {}", target.display()), error))?;
            let bytes = target.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            Ok(CopiedFile { name, bytes, schema, findings })
        });
        copies.collect()
    }
}

/// Opens a write transaction that writes nothing.
fn lock(path: &Path) -> PortResult<Connection> {
    let locked = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|mut connection| {
        open::prepare(&mut connection)?;
        connection.busy_handler(Some(wait_for_a_lock))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    });
    locked.map_err(|error| {
        let waited = open::BUSY_PAUSE * ATTEMPTS.unsigned_abs();
        let context = format!("could not lock {} for a snapshot within {} s", path.display(), waited.as_secs());
        PortError::backend(context, reason(&error))
    })
}

fn wait_for_a_lock(attempt: i32) -> bool {
    open::pause();
    attempt < ATTEMPTS
}

/// Opens a read transaction, which sees the file as it is now for as long as it is open.
fn begin(path: &Path) -> PortResult<Connection> {
    let begun = open::open_reader(path)?;
    let read = begun.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;");
    read.map_err(|error| failed("read a file", path, &error)).map(|()| begun)
}

fn copy(from: &Connection, target: &Path, name: &str, tell: &mut impl FnMut(CopyProgress<'_>)) -> PortResult<()> {
    let copied = Connection::open(target).and_then(|mut to| {
        // The copy is synced as a whole once it is complete.
        to.pragma_update(None, "synchronous", "OFF")?;
        let backup = Backup::new(from, &mut to)?;
        // Nothing can block this: the copy is new, and the original is read in an open transaction.
        while backup.step(PAGES)? != StepResult::Done {
            let progress = backup.progress();
            let pages = u64::from(progress.pagecount.unsigned_abs());
            tell(CopyProgress { name, done: pages - u64::from(progress.remaining.unsigned_abs()).min(pages), pages });
        }
        Ok(())
    });
    copied.map_err(|error| failed(&format!("copy {name}"), target, &error))
}

/// Merges the log, so that a single file is left.
fn merge_log(target: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(target)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map(drop)?;
    connection.close().map_err(|(_, error)| error)
}
