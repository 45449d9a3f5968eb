//! A file that appears under its final name only once it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Written to a temporary file beside the target and then renamed. A reader never sees half a file, and a failed export
/// leaves an older file unchanged.
pub(crate) struct AtomicFile {
    target: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    done: bool,
}

impl AtomicFile {
    /// Creates the temporary file. An existing target is replaced only with `force`.
    pub(crate) fn create(target: &Path, force: bool) -> Result<AtomicFile> {
        ensure!(
            force || target.symlink_metadata().is_err(),
            "{} exists: add --force to replace it, or choose another name",
            target.display()
        );
        let name = target.file_name().with_context(|| format!("{} is not the name of a file", target.display()))?;
        let partial = target.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(&partial);
        let file = opened
            .with_context(|| format!("cannot write to {}: its folder must exist and be writable", target.display()))?;
        Ok(AtomicFile {
            target: target.to_owned(),
            partial,
            file: BufWriter::with_capacity(1 << 18, file),
            done: false,
        })
    }

    /// Makes the file durable and renames it to its final name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let placed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        placed.and_then(|()| fs::rename(&self.partial, &self.target)).with_context(|| self.failed())?;
        self.done = true;
        Ok(())
    }

    fn failed(&self) -> String {
        format!("cannot write {}", self.target.display())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.done {
            // If the removal fails, the file's name still shows that it is not a finished export.
            let _ = fs::remove_file(&self.partial);
        }
    }
}
