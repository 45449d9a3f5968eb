//! Publishing into a folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{FreshFile, PublishError, Published, Publisher, fresh_files};

/// Copies the files into a folder, which is created when it is missing.
#[derive(Clone, Debug)]
pub struct Folder {
    target: PathBuf,
}

impl Folder {
    /// A publisher into this folder.
    pub fn new(target: impl Into<PathBuf>) -> Folder {
        Folder { target: target.into() }
    }
}

#[async_trait]
impl Publisher for Folder {
    async fn publish(&self, folder: &Path, _message: &str) -> Result<Published, PublishError> {
        let (source, target) = (folder.to_owned(), self.target.clone());
        tokio::task::spawn_blocking(move || copy_all(&source, &target)).await?
    }
}

fn copy_all(source: &Path, target: &Path) -> Result<Published, PublishError> {
    let files = fresh_files(source)?;
    std::fs::create_dir_all(target).map_err(|source| write_error(target, source))?;
    let mut copied = 0;
    for file in &files {
        copied += usize::from(copy_when_different(file, target)?);
    }
    match copied {
        0 => Ok(Published::Unchanged),
        files => Ok(Published::Copied { files, folder: target.to_owned() }),
    }
}

/// Copies aside and renames: whoever reads the target sees a whole file at any time.
fn copy_when_different(file: &FreshFile, target: &Path) -> Result<bool, PublishError> {
    let path = target.join(&file.name);
    // The same folder twice ends here too: a file has the content of itself.
    if same_content(&file.path, &path) {
        return Ok(false);
    }
    let temporary = target.join(format!(".{}.partial", file.name));
    std::fs::copy(&file.path, &temporary)
        .and_then(|_| File::open(&temporary)?.sync_all())
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(|source| write_error(&path, source))?;
    Ok(true)
}

fn write_error(path: &Path, source: io::Error) -> PublishError {
    PublishError::File {
        step: "write",
        path: path.to_owned(),
        remedy: "see that the folder is writable and the disk not full",
        source,
    }
}

/// Whether both can be read and are equal, a buffer at a time.
fn same_content(left: &Path, right: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        let (left, right) = (File::open(left)?, File::open(right)?);
        if left.metadata()?.len() != right.metadata()?.len() {
            return Ok(false);
        }
        let (mut left, mut right) = (BufReader::new(left), BufReader::new(right));
        loop {
            let (ours, theirs) = (left.fill_buf()?, right.fill_buf()?);
            let length = ours.len().min(theirs.len());
            if ours[..length] != theirs[..length] {
                return Ok(false);
            }
            if length == 0 {
                return Ok(ours.len() == theirs.len());
            }
            left.consume(length);
            right.consume(length);
        }
    };
    compare().unwrap_or(false)
}
