//! The folder's lock: shared by all processes that have the folder open, and held exclusively by upkeep.
//!
//! SQLite shares each file transaction by transaction, which needs no lock on the folder. A repair and a restore
//! replace whole files, which no other process may have open at that time. The operating system releases the lock when
//! its process ends for any reason.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use stint_core::ports::{PortError, PortResult};

use crate::database::open::pause;

/// The name of the lock file in `STINT_HOME`. The file is empty and is never deleted.
pub(crate) const FILE: &str = ".lock";

/// How many times the lock is tried, twice a millisecond.
const ATTEMPTS: u32 = 2_000;

/// A lock on an installation's folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    /// `None` if the file system has no locks.
    _file: Option<File>,
}

impl FolderLock {
    /// Takes the lock of a process that works with the folder `home`, beside any number of others. Fails while the
    /// folder is being repaired or restored.
    pub fn shared(home: &Path) -> PortResult<FolderLock> {
        // If this file cannot be created, SQLite's files cannot either, and their error says what is wrong.
        let Some(file) = open(home) else { return Ok(FolderLock { _file: None }) };
        for _ in 0..ATTEMPTS {
            match file.try_lock_shared() {
                Ok(()) => return Ok(FolderLock { _file: Some(file) }),
                // A starting process holds the lock exclusively for a moment, to find out whether it is the only one.
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(error)) => return Ok(unlocked(home, &error)),
            }
        }
        let home = home.display();
        let reason = format!("another process repairs or restores the folder {home}: try again when it is done");
        Err(PortError::Invalid(reason))
    }

    /// Takes the exclusive lock on the folder `home`. Returns `None` while another process has the folder open.
    pub fn exclusive(home: &Path) -> Option<FolderLock> {
        let Some(file) = open(home) else { return Some(FolderLock { _file: None }) };
        match file.try_lock() {
            Ok(()) => Some(FolderLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => Some(unlocked(home, &error)),
        }
    }
}

fn open(home: &Path) -> Option<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(home.join(FILE)).ok()
}

/// Continues without a lock, as earlier versions did.
fn unlocked(home: &Path, error: &std::io::Error) -> FolderLock {
    tracing::debug!(%error, "the folder {} cannot be locked: {error}", home.display());
    FolderLock { _file: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_and_work_exclude_each_other() {
        let home = tempfile::tempdir().unwrap();
        let (first, second) = (FolderLock::shared(home.path()).unwrap(), FolderLock::shared(home.path()).unwrap());
        assert!(FolderLock::exclusive(home.path()).is_none());
        drop(first);
        assert!(FolderLock::exclusive(home.path()).is_none());
        drop(second);
        let alone = FolderLock::exclusive(home.path()).unwrap();
        let refused = FolderLock::shared(home.path()).unwrap_err().to_string();
        assert!(refused.starts_with("another process repairs or restores the folder "), "{refused}");
        drop(alone);
        drop(FolderLock::shared(home.path()).unwrap());
    }
}
