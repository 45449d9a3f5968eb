//! Upkeep of an installation's files: checks, repairs, copies for a backup, and what a restore must change.
//!
//! Everything here works on files by their paths, beside [`crate::Embedded`], since a damaged file cannot be opened as usual.

mod check;
mod count;
mod repair;
mod restored;
mod rows;
mod salvage;
mod scan;
mod snapshot;
mod stops;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use check::{Checked, Depth, check};
pub use repair::{How, Repaired, repair, try_repair};
pub use restored::forget_the_present;
pub use salvage::TableCount;
pub use snapshot::{Copied, CopyProgress, Snapshot};
pub use stops::{hosts, was_killed};

/// A file of SQLite that an installation may have.
#[derive(Clone, Copy)]
pub struct FileSpec {
    /// Its name in `STINT_HOME`.
    pub name: &'static str,
    /// Its schema, as [`crate::Database::open`] applies it.
    pub migrations: &'static [&'static str],
    /// What its rows must be like, beyond what SQLite itself keeps.
    pub rows: &'static [RowRule],
}

/// What the rows of a table must be like.
#[derive(Clone, Copy)]
pub enum RowRule {
    /// The text in a column can be read.
    Reads {
        /// The table.
        table: &'static str,
        /// What names a row.
        key: &'static str,
        /// The column with the text; `NULL` is no text.
        column: &'static str,
        /// Reads it.
        read: fn(&str) -> Result<(), String>,
        /// Whether a repair takes such rows out. Else the row is only told: without it, more would be lost than it holds.
        removable: bool,
    },
    /// A column names a row of another table.
    Belongs {
        /// The table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// The other table.
        to: &'static str,
        /// The column there.
        key: &'static str,
    },
    /// A table has one row.
    One {
        /// The table.
        table: &'static str,
        /// The statement that makes the row.
        make: &'static str,
    },
}

impl RowRule {
    /// The table that the rule is about, and its column, in SQL.
    fn about(&self) -> (&'static str, String) {
        match *self {
            RowRule::Reads { table, column, .. } | RowRule::Belongs { table, column, .. } => (table, quoted(column)),
            RowRule::One { table, .. } => (table, "1".to_owned()),
        }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// It in words.
    pub text: String,
}

/// Kinds of findings, by what mends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An index disagrees with its table: it is made anew, and nothing is lost.
    Index,
    /// A row belongs to nothing, or cannot be read: it is taken out.
    Row,
    /// A row cannot be read, and no repair takes it out.
    LeftRow,
    /// Pages are damaged, or tables are missing: what can be read is copied into a new file.
    Page,
    /// Nothing of the file can be read.
    Unreadable,
}

impl Finding {
    fn new(kind: FindingKind, text: impl Into<String>) -> Finding {
        Finding { kind, text: text.into() }
    }
}

/// The databases in the folder `home`, by name: every file that ends in `.db`. Empty where there is no folder.
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

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
