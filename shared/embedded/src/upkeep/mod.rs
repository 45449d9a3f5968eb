//! Upkeep of an installation's files: checks, repairs, copies for a backup, and the changes that a restore needs.
//!
//! Everything here works on files by their paths, without [`crate::Embedded`], because a damaged file cannot be opened
//! as usual.

mod check;
mod count;
mod repair;
mod restore;
mod rows;
mod salvage;
mod scan;
mod snapshot;
#[cfg(test)]
mod tests;
mod unclean_stop;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use check::{CheckDepth, CheckReport, check};
pub use repair::{RepairKind, RepairReport, repair, try_repair};
pub use restore::prepare_restored_files;
pub use salvage::TableCount;
pub use snapshot::{CopiedFile, CopyProgress, Snapshot};
pub use unclean_stop::{had_unclean_stop, hosts};

/// An SQLite file that an installation may have.
#[derive(Clone, Copy)]
pub struct FileSpec {
    /// Its name in `STINT_HOME`.
    pub name: &'static str,
    /// Its migrations, as passed to [`crate::Database::open`].
    pub migrations: &'static [&'static str],
    /// Rules for its rows, beyond those that SQLite itself enforces.
    pub rows: &'static [RowRule],
}

/// A rule for the rows of a table.
#[derive(Clone, Copy)]
pub enum RowRule {
    /// The text in a column can be decoded.
    Decodes {
        /// The table.
        table: &'static str,
        /// The column that identifies a row.
        key: &'static str,
        /// The column with the text. `NULL` is not checked.
        column: &'static str,
        /// Decodes the text.
        read: fn(&str) -> Result<(), String>,
        /// Whether a repair removes such rows. If not they are only reported, because removing them would lose more
        /// than they contain.
        removable: bool,
    },
    /// A column refers to a row of another table.
    References {
        /// The table.
        table: &'static str,
        /// The referring column.
        column: &'static str,
        /// The table that is referred to.
        to: &'static str,
        /// The column that is referred to.
        key: &'static str,
    },
    /// A table has exactly one row.
    SingleRow {
        /// The table.
        table: &'static str,
        /// The statement that creates the row.
        make: &'static str,
    },
}

impl RowRule {
    /// Returns the table and, in SQL, the column of the rule.
    fn about(&self) -> (&'static str, String) {
        match *self {
            RowRule::Decodes { table, column, .. } | RowRule::References { table, column, .. } => {
                (table, quoted(column))
            }
            RowRule::SingleRow { table, .. } => (table, "1".to_owned()),
        }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// A description of it.
    pub text: String,
}

/// The kinds of findings, by the repair that they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An index disagrees with its table. It is rebuilt, and nothing is lost.
    Index,
    /// A row refers to nothing, or cannot be decoded. It is removed.
    Row,
    /// A row cannot be decoded, and no repair removes it.
    #[serde(rename = "left_row")]
    UnremovableRow,
    /// Pages are damaged, or tables are missing. Everything that can be read is copied into a new file.
    Page,
    /// Nothing in the file can be read.
    Unreadable,
}

impl Finding {
    fn new(kind: FindingKind, text: impl Into<String>) -> Finding {
        Finding { kind, text: text.into() }
    }
}

/// Returns the databases in the folder `home`, by name: every file that ends in `.db`. Empty if there is no folder.
pub fn databases(home: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !home.is_dir() {
        return Ok(Vec::new());
    }
    let entries: Vec<std::fs::DirEntry> = std::fs::read_dir(home)?.collect::<std::io::Result<_>>()?;
    let files = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "db")).collect();
    files.sort();
    Ok(files)
}

/// A place at which the tests of this folder exit the process. Does nothing in other builds.
fn kill_point() {
    #[cfg(test)]
    stint_testkit::kill_points::kill_point();
}

/// Quotes a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
