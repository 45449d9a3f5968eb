//! The addons that the branch already has.

use std::path::{Path, PathBuf};

use git2::{Blob, ObjectType, Oid, Repository, Tree};

use super::MAX_FILE_BYTES;
use super::version::Version;
use crate::addon::{Addon, Toc, is_file_name};

/// A version that is never used: with it, two tables of contents that differ only in their versions compare as equal.
const ANY_VERSION: &str = "";

/// One of Stint's tables of contents has a few hundred bytes.
const MAX_TOC_BYTES: u64 = 64 << 10;

/// Limit for all files of a region that are read for comparison.
const MAX_EARLIER_BYTES: u64 = 4 * MAX_FILE_BYTES;

/// An addon in a tree of the repository.
pub(super) struct PublishedAddon<'a> {
    repository: &'a Repository,
    pub(super) tree: Tree<'a>,
    pub(super) toc: Toc,
}

impl<'a> PublishedAddon<'a> {
    /// The addon with this name in the folder of all addons; `None` if there is none, or one without a table of
    /// contents.
    pub(super) fn find(repository: &'a Repository, addons: &Tree<'_>, name: &str) -> Option<PublishedAddon<'a>> {
        let tree =
            repository.find_tree(addons.get_name(name).filter(|it| it.kind() == Some(ObjectType::Tree))?.id()).ok()?;
        let blob = read_blob(repository, &tree, &format!("{name}.toc"), MAX_TOC_BYTES).ok()??;
        let toc = Toc(std::str::from_utf8(blob.content()).ok()?.to_owned());
        Some(PublishedAddon { repository, tree, toc })
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.toc.version()?.parse().ok()
    }

    /// Whether the fresh addon has the same files, apart from its version.
    pub(super) fn is_same_as(&self, fresh: &Addon) -> Result<bool, git2::Error> {
        let files = fresh.files();
        if self.tree.len() != files.len() || self.toc.with_version(ANY_VERSION) != fresh.toc.with_version(ANY_VERSION) {
            return Ok(false);
        }
        // The table of contents is the first file, and already compared.
        for (name, path) in &files[1..] {
            let fresh = Oid::hash_file(ObjectType::Blob, path)?;
            if self.tree.get_name(name).is_none_or(|entry| entry.id() != fresh) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the files that its table of contents lists into a folder, in the layout of a folder of all addons, and
    /// returns their size. Any other user may have written the files in the branch, so only files with plain names are
    /// written. Returns `None` if they are larger than Stint's can be.
    pub(super) fn write_into(&self, folder: &Path, name: &str) -> Result<Option<u64>, git2::Error> {
        let place = folder.join(name);
        std::fs::create_dir_all(&place).map_err(|error| cannot_write(&place, &error))?;
        let toc = place.join(format!("{name}.toc"));
        std::fs::write(&toc, &self.toc.0).map_err(|error| cannot_write(&toc, &error))?;
        let mut bytes = 0;
        for file in self.toc.files().filter(|file| is_file_name(file)) {
            let Some(blob) = self.blob(file)? else { continue };
            bytes += blob.size() as u64;
            if bytes > MAX_EARLIER_BYTES {
                tracing::warn!(addon = name, "the published database is too large to be compared");
                return Ok(None);
            }
            std::fs::write(place.join(file), blob.content()).map_err(|error| cannot_write(&place, &error))?;
        }
        Ok(Some(bytes))
    }

    /// A file in its folder. `None` if it is not a file, or larger than any that Stint publishes.
    fn blob(&self, file: &str) -> Result<Option<Blob<'a>>, git2::Error> {
        read_blob(self.repository, &self.tree, file, MAX_FILE_BYTES)
    }
}

/// The file with this name, unless it is larger than this: its size is checked before it is read.
fn read_blob<'a>(
    repository: &'a Repository,
    tree: &Tree<'_>,
    file: &str,
    most: u64,
) -> Result<Option<Blob<'a>>, git2::Error> {
    let Some(entry) = tree.get_name(file).filter(|entry| entry.kind() == Some(ObjectType::Blob)) else {
        return Ok(None);
    };
    let (size, _) = repository.odb()?.read_header(entry.id())?;
    if size as u64 > most { Ok(None) } else { repository.find_blob(entry.id()).map(Some) }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> git2::Error {
    git2::Error::from_str(&format!("cannot write {}: {error}", path.display()))
}

/// A folder that is removed when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder. Files that an earlier run left there are removed first.
    pub(super) fn new(path: PathBuf) -> Scratch {
        let scratch = Scratch(path);
        scratch.clear();
        scratch
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) {
        // The next run removes or overwrites what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}
