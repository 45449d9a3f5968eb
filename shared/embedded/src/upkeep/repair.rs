//! Repairs a damaged file, after making a copy of it.
//!
//! An index is rebuilt, and a row that makes no sense is removed, in the file itself. For damaged pages, a new file is
//! created from everything that can be read, and replaces the old one.
//!
//! # If the process exits between any two lines
//! * *While the copy is written:* the file is unchanged, and the next repair overwrites the incomplete copy, which has
//!   another name.
//! * *Between the names of the copy and of its log:* the file is unchanged. A log without its copy is left, which nothing
//!   reads.
//! * *After the copy:* the file is unchanged, beside its copy.
//! * *While an index is rebuilt or rows are removed:* this is one transaction.
//! * *After the log was merged into the file:* the file is damaged as before, and has everything that it had with its
//!   log.
//! * *While the new file is written:* it has another name, and the next repair removes it.
//! * *After the new file has replaced the old one:* the file is repaired.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;
use stint_core::ports::{PortError, PortResult};

use super::check::{findings, open_untouched};
use super::rows::broken_rows;
use super::salvage::{TableCount, salvage};
use super::{CheckDepth, FileSpec, Finding, FindingKind, kill_point, quoted};
use crate::database::damage::{failed, remedy};
use crate::database::{Mode, open};

/// What a repair has done, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// The kind of repair.
    #[serde(rename = "how")]
    pub kind: RepairKind,
    /// The copy of the original file; `None` if nothing was written.
    pub copy: Option<PathBuf>,
    /// The rows kept and lost, for each table that has lost rows, or for all tables of a new file.
    pub tables: Vec<TableCount>,
    /// What is still wrong.
    pub left: Vec<Finding>,
}

/// The kind of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// Nothing can be done.
    Nothing,
    /// The file itself was changed: indexes were rebuilt, rows were removed.
    InPlace,
    /// A new file was created from everything that could be read.
    Rebuilt,
}

/// Repairs the findings `found` in the file at `path`. The caller holds [`crate::FolderLock::exclusive`]. The name of the
/// copy is the file's name with `stamp`.
pub fn repair(path: &Path, spec: Option<&FileSpec>, found: &[Finding], stamp: &str) -> PortResult<RepairReport> {
    let copy = copy_original(path, stamp).map_err(|error| cannot("copy", path, error))?;
    kill_point();
    let outcome = match repair_kind(found) {
        RepairKind::Nothing => {
            Ok(RepairReport { kind: RepairKind::Nothing, copy: None, tables: Vec::new(), left: found.to_vec() })
        }
        RepairKind::InPlace => match repair_in_place(path, spec) {
            Ok(Some(mended)) => Ok(mended),
            Ok(None) => rebuild(path, spec),
            Err(error) if remedy(&error).is_some() => rebuild(path, spec),
            Err(error) => Err(error),
        },
        RepairKind::Rebuilt => rebuild(path, spec),
    };
    match outcome {
        Ok(repaired) => Ok(RepairReport { copy: Some(copy), ..repaired }),
        Err(error) if remedy(&error).is_some() => {
            let left = vec![Finding::new(FindingKind::Unreadable, error.to_string())];
            Ok(RepairReport { kind: RepairKind::Nothing, copy: Some(copy), tables: Vec::new(), left })
        }
        Err(error) => Err(failed("repair a file", path, &error)),
    }
}

/// Returns what [`repair`] would do, by doing the same in a file beside the damaged one, which is then removed.
pub fn try_repair(path: &Path, spec: Option<&FileSpec>, found: &[Finding]) -> PortResult<RepairReport> {
    let tried = || -> rusqlite::Result<RepairReport> {
        let kind = repair_kind(found);
        let tables = match kind {
            RepairKind::Nothing => Vec::new(),
            RepairKind::InPlace => would_remove(path, spec)?,
            RepairKind::Rebuilt => RebuiltFile::of(path, spec)?.tables.clone(),
        };
        Ok(RepairReport { kind, copy: None, tables, left: left_of(found, kind) })
    };
    match tried() {
        Ok(repaired) => Ok(repaired),
        Err(error) if remedy(&error).is_some() => {
            let left = vec![Finding::new(FindingKind::Unreadable, error.to_string())];
            Ok(RepairReport { kind: RepairKind::Nothing, copy: None, tables: Vec::new(), left })
        }
        Err(error) => Err(failed("try to repair a file", path, &error)),
    }
}

fn repair_kind(found: &[Finding]) -> RepairKind {
    match found.iter().map(|finding| finding.kind).filter(|kind| *kind != FindingKind::UnremovableRow).max() {
        None | Some(FindingKind::UnremovableRow | FindingKind::Unreadable) => RepairKind::Nothing,
        Some(FindingKind::Index | FindingKind::Row) => RepairKind::InPlace,
        Some(FindingKind::Page) => RepairKind::Rebuilt,
    }
}

fn left_of(found: &[Finding], kind: RepairKind) -> Vec<Finding> {
    let is_left = |finding: &&Finding| kind == RepairKind::Nothing || finding.kind == FindingKind::UnremovableRow;
    found.iter().filter(is_left).cloned().collect()
}

/// Copies the file and its log. The copy gets its name once it is complete.
fn copy_original(path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let copy = beside(path, "", &format!(".before-repair-{stamp}"));
    let (log, partial) = (beside(path, "", "-wal"), beside(path, ".", ".copy"));
    kill_point();
    copy_durably(path, &partial)?;
    kill_point();
    if log.is_file() {
        let partial_log = beside(&partial, "", "-wal");
        copy_durably(&log, &partial_log)?;
        kill_point();
        fs::rename(&partial_log, beside(&copy, "", "-wal"))?;
        kill_point();
    }
    fs::rename(&partial, &copy)?;
    kill_point();
    sync_folder(path)?;
    Ok(copy)
}

/// Rebuilds indexes and removes rows. Returns `None` if pages turn out to be damaged.
fn repair_in_place(path: &Path, spec: Option<&FileSpec>) -> rusqlite::Result<Option<RepairReport>> {
    let mut connection = Connection::open(path)?;
    open::prepare(&mut connection)?;
    open::write_ahead(&connection, Mode::Shared)?;
    kill_point();
    let transaction = connection.transaction()?;
    make_missing_indexes(&transaction, spec)?;
    transaction.execute_batch("REINDEX")?;
    kill_point();
    let tables = remove_broken(&transaction, spec)?;
    let (left, _) = findings(&transaction, spec, CheckDepth::Full)?;
    if left.iter().any(|finding| finding.kind != FindingKind::UnremovableRow) {
        return Ok(None);
    }
    kill_point();
    transaction.commit()?;
    kill_point();
    Ok(Some(RepairReport { kind: RepairKind::InPlace, copy: None, tables, left }))
}

/// Creates the indexes that belong to the file's schema and are missing.
fn make_missing_indexes(connection: &Connection, spec: Option<&FileSpec>) -> rusqlite::Result<()> {
    let applied: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let applied = usize::try_from(applied).unwrap_or_default();
    let Some(migrations) = spec.and_then(|spec| spec.migrations.get(..applied)) else { return Ok(()) };
    let whole = Connection::open_in_memory()?;
    migrations.iter().try_for_each(|migration| whole.execute_batch(migration))?;
    let mut select = whole.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?;
    let indexes = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for index in indexes {
        let (name, sql) = index?;
        let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1)";
        if !connection.query_row(there, [name], |row| row.get::<_, bool>(0))? {
            connection.execute_batch(&sql)?;
        }
    }
    Ok(())
}

/// Removes the rows that break a rule.
fn remove_broken(connection: &Connection, spec: Option<&FileSpec>) -> rusqlite::Result<Vec<TableCount>> {
    let mut counts: Vec<TableCount> = Vec::new();
    let Some(spec) = spec else { return Ok(counts) };
    for broken in broken_rows(connection, spec)? {
        let Some((table, lost)) = broken.remove(connection)? else { continue };
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        let kept = connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        match counts.iter_mut().find(|count| count.table == table) {
            Some(count) => (count.kept, count.lost) = (kept, count.lost + lost),
            None => counts.push(TableCount { table: table.to_owned(), kept, lost, exact: true }),
        }
    }
    Ok(counts)
}

/// Returns the rows that a repair would remove, by a transaction that is rolled back.
fn would_remove(path: &Path, spec: Option<&FileSpec>) -> rusqlite::Result<Vec<TableCount>> {
    let connection = open_untouched(path)?;
    connection.pragma_update(None, "query_only", false)?;
    let transaction = connection.unchecked_transaction()?;
    remove_broken(&transaction, spec)
}

/// A new file with everything that can be read, under another name. It is removed if it is dropped before it has
/// replaced the old one.
struct RebuiltFile {
    path: PathBuf,
    tables: Vec<TableCount>,
}

impl RebuiltFile {
    fn of(path: &Path, spec: Option<&FileSpec>) -> rusqlite::Result<RebuiltFile> {
        let mut new = RebuiltFile { path: beside(path, ".", ".repaired"), tables: Vec::new() };
        new.remove();
        let from = open_untouched(path)?;
        let mut to = Connection::open(&new.path)?;
        let rights = fs::metadata(path).and_then(|old| fs::set_permissions(&new.path, old.permissions()));
        rights.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        open::prepare(&mut to)?;
        let page: i64 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
        to.pragma_update(None, "page_size", page)?;
        // The file is synced as a whole before it gets its final name.
        to.pragma_update(None, "synchronous", "OFF")?;
        kill_point();
        new.tables = salvage(&from, &mut to)?;
        kill_point();
        for removed in remove_broken(&to, spec)? {
            if let Some(count) = new.tables.iter_mut().find(|count| count.table == removed.table) {
                (count.kept, count.lost) = (removed.kept, count.lost + removed.lost);
            }
        }
        Ok(new)
    }

    fn remove(&self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            // A missing file need not be removed. If a file cannot be removed, opening it fails.
            let _ = fs::remove_file(beside(&self.path, "", end));
        }
    }
}

impl Drop for RebuiltFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn rebuild(path: &Path, spec: Option<&FileSpec>) -> rusqlite::Result<RepairReport> {
    merge_log(path)?;
    kill_point();
    let new = RebuiltFile::of(path, spec)?;
    let (left, _) = super::check::look(&new.path, spec, CheckDepth::Full)?;
    kill_point();
    // The old log is empty. Beside the new file it would belong to another file.
    let placed = sync(&new.path).and_then(|()| {
        fs::rename(&new.path, path)?;
        kill_point();
        sync_folder(path)
    });
    placed.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(RepairReport { kind: RepairKind::Rebuilt, copy: None, tables: new.tables.clone(), left })
}

/// Copies the contents of the log into the file, so that the log is no longer needed.
fn merge_log(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    open::prepare(&mut connection)?;
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        // Another program has the file open, such as the SQLite shell.
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("another program has the file open: end it, and try again".to_owned()),
        ));
    }
    Ok(())
}

/// Returns the path of a file beside `path`, with `before` and `behind` added to its name.
pub(super) fn beside(path: &Path, before: &str, behind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{behind}"))
}

fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).and_then(|_| sync(to))
}

pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> PortError {
    PortError::backend(format!("could not {verb} {}", path.display()), error)
}
