//! A folder of SQLite files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stint_core::ports::{PortError, PortResult};

use crate::database::{Database, Mode, RowSize};
use crate::lock::FolderLock;

/// A folder of SQLite files that several processes may open. Clones share its lock, which excludes other processes only
/// while files are replaced, by a repair or a restore.
///
/// A fleet whose queues are in the cloud opens its own files here without the shared ones of [`Embedded`](crate::Embedded).
#[derive(Clone)]
pub struct Folder {
    home: Option<PathBuf>,
    mode: Mode,
    _lock: Option<Arc<FolderLock>>,
}

impl Folder {
    /// Opens the folder `home`, creating it if needed.
    pub fn open(home: &Path, mode: Mode) -> PortResult<Folder> {
        std::fs::create_dir_all(home)
            .map_err(|error| PortError::backend(format!("could not create the folder {}", home.display()), error))?;
        let lock = FolderLock::shared(home)?;
        Ok(Folder { home: Some(home.to_owned()), mode, _lock: Some(Arc::new(lock)) })
    }

    /// Creates a folder in memory, in [`Mode::Inline`].
    pub fn in_memory() -> Folder {
        Folder { home: None, mode: Mode::Inline, _lock: None }
    }

    /// Opens the database `file`. In memory, each call creates a new one.
    pub fn database(&self, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        self.database_for(RowSize::Small, file, migrations)
    }

    /// Like [`Folder::database`], and lays out a new file for `rows`.
    pub fn database_for(&self, rows: RowSize, file: &str, migrations: &'static [&'static str]) -> PortResult<Database> {
        match self.path(file) {
            Some(path) => Database::open_for(rows, &path, migrations, self.mode),
            None => Database::in_memory(migrations),
        }
    }

    /// How its files run their statements.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the path of a file, or `None` in memory.
    pub(crate) fn path(&self, file: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(file))
    }
}
