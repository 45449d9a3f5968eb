//! A file that only appears under its name when it is complete.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file under a temporary name. If it is dropped before [`PartialFile::publish`], it is deleted; after a crash it
/// remains, and the next run's [`PartialFile::create`] overwrites it.
pub(crate) struct PartialFile {
    path: PathBuf,
    temporary: PathBuf,
    published: bool,
}

impl PartialFile {
    /// Creates the file as `.<name>.partial` in the folder of `path`, readable and writable.
    pub(crate) fn create(path: PathBuf) -> Result<(PartialFile, File)> {
        let temporary = temporary(&path);
        let opened = File::options().read(true).write(true).create(true).truncate(true).open(&temporary);
        let file = opened.with_context(|| format!("cannot create {}; is its folder writable?", temporary.display()))?;
        Ok((PartialFile { path, temporary, published: false }, file))
    }

    /// Its current path.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Changes its final path.
    pub(crate) fn rename(mut self, path: PathBuf) -> Result<PartialFile> {
        let temporary = temporary(&path);
        std::fs::rename(&self.temporary, &temporary)
            .with_context(|| format!("cannot rename {} to {}", self.temporary.display(), temporary.display()))?;
        self.published = true;
        Ok(PartialFile { path, temporary, published: false })
    }

    /// Gives it its final name, in place of an older file with that name.
    pub(crate) fn publish(mut self) -> Result<PathBuf> {
        std::fs::rename(&self.temporary, &self.path)
            .with_context(|| format!("cannot rename {} to {}", self.temporary.display(), self.path.display()))?;
        self.published = true;
        Ok(self.path.clone())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.published {
            // Nothing is lost when this fails: the next run truncates the file.
            std::fs::remove_file(&self.temporary).ok();
        }
    }
}

/// The path of a file until it is complete.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}
