//! The cached clone: objects that need not be fetched again. It may be deleted at any time.
//!
//! It has the files of the branch's latest commit, and what earlier runs committed. Those objects are never
//! garbage-collected, so a clone that has grown is recreated, which costs one fetch of the latest files.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use git2::Repository;

use super::PublishError;

/// A delta of a database against yesterday's needs memory for both; above this size git sends it whole.
const BIG_FILE_BYTES: i64 = 16 << 20;

/// Above this the clone is recreated. A function has 512 MiB of disk, also for the databases and two generations of
/// objects.
const MAX_BYTES: u64 = 128 << 20;

/// The clone in a state folder.
pub(super) struct Cache(PathBuf);

impl Cache {
    /// Uses a folder name of Stint's own, so that nothing else is ever removed.
    pub(super) fn in_folder(state: &Path) -> Cache {
        Cache(state.join("publish.git"))
    }

    /// The folder into which earlier databases are written to be read.
    pub(super) fn scratch(&self) -> PathBuf {
        self.0.with_extension("earlier")
    }

    /// Waits until no other process uses the clone: `stint wcl publish` may run beside `stint up`. The lock ends when
    /// the returned file is closed, or with the process.
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
            // Some file systems have no locks: on them the clone is used without one.
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
            _ => Ok(file),
        }
    }

    /// Opens the clone, or creates an empty one. Only its objects are used: every run reads the branch from the remote.
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
        // A redirected request would carry the token to the redirect's target.
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

/// The size of a folder; files that cannot be read count as 0.
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
