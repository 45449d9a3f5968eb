//! Copies files and folders durably.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kill_point;
use super::manifest::sync_folder;

/// The number and size of the files in a folder and its subfolders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FolderCount {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Counts the files in a folder and its subfolders.
pub(super) fn count_files(folder: &Path) -> io::Result<FolderCount> {
    let mut count = FolderCount::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let below = count_files(&entry.path())?;
            count = FolderCount { files: count.files + below.files, bytes: count.bytes + below.bytes };
        } else if kind.is_file() {
            count = FolderCount { files: count.files + 1, bytes: count.bytes + entry.metadata()?.len() };
        }
    }
    Ok(count)
}

/// Copies a folder with its subfolders, and calls `on_progress` after each file. A file that disappears meanwhile is skipped:
/// it was part of an unfinished upload.
pub(super) fn copy_folder(
    from: &Path,
    to: &Path,
    on_progress: &mut impl FnMut(FolderCount),
) -> io::Result<FolderCount> {
    let mut count = FolderCount::default();
    copy_below(from, to, &mut count, on_progress)?;
    Ok(count)
}

fn copy_below(
    from: &Path,
    to: &Path,
    count: &mut FolderCount,
    on_progress: &mut impl FnMut(FolderCount),
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_below(&entry.path(), &target, count, on_progress)?;
        } else if kind.is_file() {
            match copy_file(&entry.path(), &target) {
                Ok(bytes) => *count = FolderCount { files: count.files + 1, bytes: count.bytes + bytes },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            on_progress(*count);
        }
    }
    sync_folder(to)
}

/// Copies a file. Returns once the copy is durable.
pub(super) fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    kill_point();
    let bytes = fs::copy(from, to)?;
    kill_point();
    File::open(to)?.sync_all()?;
    Ok(bytes)
}
