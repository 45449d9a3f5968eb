//! The cached clone: objects that need not be fetched again. It may be deleted at any time.
//!
//! Of the branch it has the files of the latest commit, and what earlier runs have committed. Those are never collected, so
//! a clone that has grown is made anew, which costs one fetch of the latest files.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use git2::Repository;

use super::PublishError;

/// Deltas of a database against yesterday's take memory for both; above this size git sends it whole.
const BIG_FILE_BYTES: i64 = 16 << 20;

/// Above this the clone is made anew. A function has 512 MiB of disk, for the databases and two generations of objects too.
const MAX_BYTES: u64 = 128 << 20;

/// The clone in a state folder.
pub(super) struct Cache(PathBuf);

impl Cache {
    /// A name of our own: what is removed here was never anybody else's.
    pub(super) fn in_folder(state: &Path) -> Cache {
        Cache(state.join("publish.git"))
    }

    /// Where earlier databases are written to be read.
    pub(super) fn scratch(&self) -> PathBuf {
        self.0.with_extension("earlier")
    }

    /// Waits until no other process uses the clone: `stint wcl publish` may run beside `stint up`. The lock ends with the file
    /// that is returned, and with the process.
    pub(super) fn lock(&self) -> Result<File, PublishError> {
        let path = self.0.with_extension("lock");
        let failed = |source| PublishError::File {
            step: "lock",
            path: path.clone(),
            remedy: "see that the state folder is writable",
            source,
        };
        if let Some(state) = path.parent() {
            std::fs::create_dir_all(state).map_err(failed)?;
        }
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tracing::info!("another process is publishing: waiting for it"),
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the lock cannot be tried"),
        }
        match file.lock() {
            // There are file systems without locks: there it is as it was.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
            _ => Ok(file),
        }
    }

    /// Opens the clone, or starts an empty one. What is in it is only ever objects: every run takes the branch from the
    /// remote.
    pub(super) fn open(&self) -> Result<Repository, git2::Error> {
        let remove = || self.remove().map_err(|error| git2::Error::from_str(&error.to_string()));
        if size(&self.0) > MAX_BYTES {
            remove()?;
        }
        let repository = match Repository::open_bare(&self.0) {
            Ok(repository) => repository,
            Err(_) => {
                remove()?;
                Repository::init_bare(&self.0)?
            }
        };
        let mut config = repository.config()?;
        config.set_i64("core.bigFileThreshold", BIG_FILE_BYTES)?;
        // A redirected request would carry the token to wherever it is sent.
        config.set_bool("http.followRedirects", false)?;
        Ok(repository)
    }

    pub(super) fn remove(&self) -> Result<(), PublishError> {
        let cache = &self.0;
        let removed = if cache.is_dir() { std::fs::remove_dir_all(cache) } else { std::fs::remove_file(cache) };
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PublishError::File {
                step: "remove the damaged clone in",
                path: cache.clone(),
                remedy: "remove it by hand",
                source,
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// The size of a folder; what cannot be read counts nothing.
fn size(folder: &Path) -> u64 {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
