//! Makes a commit of the fresh addons on top of what the remote has, without a working tree that could be dirty.

use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, ObjectType, Oid, Repository, Signature, Tree};

use super::History;
use super::pending::PendingPublication;
use crate::addon::Addon;

/// Where to commit, and under which name.
pub(super) struct Committer<'a> {
    /// The folder of the addons in the repository, with `/` between folders; empty for its root.
    pub(super) folder: &'a str,
    pub(super) author_name: &'a str,
    pub(super) author_email: &'a str,
    pub(super) history: History,
}

/// The contents of the branch: its tree, and the folder of all addons in it. Both are empty if it has none.
pub(super) struct Baseline<'a> {
    parent: Option<Commit<'a>>,
    root: Tree<'a>,
    pub(super) addons: Tree<'a>,
}

impl<'a> Baseline<'a> {
    pub(super) fn read(
        repository: &'a Repository,
        parent: Option<Oid>,
        folder: &str,
    ) -> Result<Baseline<'a>, git2::Error> {
        let empty = || repository.find_tree(repository.treebuilder(None)?.write()?);
        let parent = parent.map(|parent| repository.find_commit(parent)).transpose()?;
        let root = parent.as_ref().map_or_else(empty, Commit::tree)?;
        let addons = match folder.trim_matches('/') {
            "" => root.clone(),
            folder => match root.get_path(folder.as_ref()) {
                Ok(entry) if entry.kind() == Some(ObjectType::Tree) => repository.find_tree(entry.id())?,
                _ => empty()?,
            },
        };
        Ok(Baseline { parent, root, addons })
    }
}

impl Committer<'_> {
    /// Commits the changed addons. Each of their folders then contains the addon's files and nothing else; every other
    /// file of the branch stays. The commit's parent is the branch's commit, or none if only the latest state is kept.
    pub(super) fn commit(
        &self,
        repository: &Repository,
        baseline: &Baseline<'_>,
        pending: &PendingPublication<'_>,
        message: &str,
    ) -> Result<Oid, git2::Error> {
        let mut update = TreeUpdateBuilder::new();
        for addon in &pending.changed {
            let tree = write_addon(repository, addon, pending)?;
            update.upsert(self.place(&addon.name), tree, FileMode::Tree);
        }
        let tree = repository.find_tree(update.create_updated(repository, &baseline.root)?)?;
        let author = Signature::now(self.author_name, self.author_email)?;
        let parents: Vec<_> = match self.history {
            History::All => baseline.parent.iter().collect(),
            History::Latest => Vec::new(),
        };
        repository.commit(None, &author, &author, message, &tree, &parents)
    }

    fn place(&self, addon: &str) -> String {
        match self.folder.trim_matches('/') {
            "" => addon.to_owned(),
            folder => format!("{folder}/{addon}"),
        }
    }
}

/// Writes an addon's folder from scratch: no file of the branch gets into the new one, whatever its name.
fn write_addon(repository: &Repository, addon: &Addon, pending: &PendingPublication<'_>) -> Result<Oid, git2::Error> {
    let mut tree = repository.treebuilder(None)?;
    for (name, path) in addon.files() {
        let blob = match name == addon.toc_name() {
            true => repository.blob(addon.toc.with_version(&pending.version.to_string()).0.as_bytes())?,
            // Streamed from the file: a region's database is not read into memory.
            false => repository.blob_path(&path)?,
        };
        tree.insert(name, blob, FileMode::Blob.into())?;
    }
    tree.write()
}
