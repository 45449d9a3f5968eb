//! What the branch has of an addon already.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, Tree};

use super::version::Version;
use crate::addon::{Addon, Toc};

/// A version that is nobody's: two tables of contents that agree but for their versions agree with it.
const ANY_VERSION: &str = "";

/// An addon in a tree of the repository.
pub(super) struct Earlier<'a> {
    repository: &'a Repository,
    pub(super) tree: Tree<'a>,
    pub(super) toc: Toc,
}

impl<'a> Earlier<'a> {
    /// The addon of this name in the folder of all addons; `None` if there is none, or one without a table of contents.
    pub(super) fn find(repository: &'a Repository, addons: &Tree<'_>, name: &str) -> Option<Earlier<'a>> {
        let tree =
            repository.find_tree(addons.get_name(name).filter(|it| it.kind() == Some(ObjectType::Tree))?.id()).ok()?;
        let blob = repository.find_blob(tree.get_name(&format!("{name}.toc"))?.id()).ok()?;
        let toc = Toc(std::str::from_utf8(blob.content()).ok()?.to_owned());
        Some(Earlier { repository, tree, toc })
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.toc.version()?.parse().ok()
    }

    /// The files in its folder.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.tree.iter().filter_map(|entry| entry.name().ok().map(str::to_owned))
    }

    /// Whether the fresh addon has the same files, its version apart.
    pub(super) fn is_same_as(&self, fresh: &Addon) -> Result<bool, git2::Error> {
        let files = fresh.files();
        if self.tree.len() != files.len() || self.toc.with_version(ANY_VERSION) != fresh.toc.with_version(ANY_VERSION) {
            return Ok(false);
        }
        // The table of contents comes first, and is compared.
        for (name, path) in &files[1..] {
            let fresh = Oid::hash_file(ObjectType::Blob, path)?;
            if self.tree.get_name(name).is_none_or(|entry| entry.id() != fresh) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes its files into a folder, as a folder of all addons has them, and returns the size of what the table of
    /// contents lists.
    pub(super) fn write_into(&self, folder: &Path, name: &str) -> Result<u64, git2::Error> {
        let failed =
            |error: std::io::Error| git2::Error::from_str(&format!("cannot write into {}: {error}", folder.display()));
        std::fs::create_dir_all(folder.join(name)).map_err(failed)?;
        let mut bytes = 0;
        for file in self.names() {
            let Some(entry) = self.tree.get_name(&file).filter(|entry| entry.kind() == Some(ObjectType::Blob)) else {
                continue;
            };
            let blob = self.repository.find_blob(entry.id())?;
            std::fs::write(folder.join(name).join(&file), blob.content()).map_err(failed)?;
            if self.toc.files().any(|listed| listed == file) {
                bytes += blob.size() as u64;
            }
        }
        Ok(bytes)
    }
}

/// A folder that goes when it is no longer needed.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder. What an earlier run of ours left there goes first.
    pub(super) fn new(path: PathBuf) -> Scratch {
        let scratch = Scratch(path);
        scratch.clear();
        scratch
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) {
        // What cannot be removed is removed or written over by the next run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}
