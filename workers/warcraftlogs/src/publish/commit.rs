//! A commit of the fresh files on top of what the remote has, made without a working tree: there is none to be dirty.

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature};

use super::FreshFile;

/// What to commit, and as whom.
pub(super) struct Draft<'a> {
    pub(super) files: &'a [FreshFile],
    /// Where in the repository, `/` between folders; empty for its root.
    pub(super) folder: &'a str,
    pub(super) message: &'a str,
    pub(super) author_name: &'a str,
    pub(super) author_email: &'a str,
}

impl Draft<'_> {
    /// Commits on top of `parent`, leaving its other files as they are. `None` when nothing would change.
    pub(super) fn commit(&self, repository: &Repository, parent: Option<Oid>) -> Result<Option<Oid>, git2::Error> {
        let parent = parent.map(|parent| repository.find_commit(parent)).transpose()?;
        let baseline = match &parent {
            Some(parent) => parent.tree()?,
            None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for file in self.files {
            // Streamed from the file: a database of a region is not held in memory.
            let blob = repository.blob_path(&file.path)?;
            update.upsert(self.place(&file.name), blob, FileMode::Blob);
        }
        let tree = repository.find_tree(update.create_updated(repository, &baseline)?)?;
        if parent.as_ref().is_some_and(|parent| parent.tree_id() == tree.id()) {
            return Ok(None);
        }
        let author = Signature::now(self.author_name, self.author_email)?;
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(None, &author, &author, self.message, &tree, &parents).map(Some)
    }

    fn place(&self, name: &str) -> String {
        match self.folder.trim_matches('/') {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }
}
