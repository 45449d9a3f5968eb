//! Where freshly generated databases go: a branch of a git repository.

mod commit;
mod credentials;
mod git;
mod remote;

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::addon::is_addon;

pub use credentials::redact;
pub use git::{Git, GitSettings, Step};

/// Puts the files of a folder where users get them.
///
/// A crash at any point leaves the target with the old files or with the new ones, and the next call succeeds whatever the crash left behind. Calls on one publisher wait for each other.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes the files that lie in `folder` and in its addons; hidden ones are left alone. `message` says what
    /// they are, where the target keeps a history. Nothing is written when nothing changed.
    async fn publish(&self, folder: &Path, message: &str) -> Result<Published, PublishError>;
}

/// What a publisher did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The target had the same files already.
    Unchanged,
    /// A commit was pushed.
    Pushed {
        /// Its id.
        commit: String,
        /// 1, or more when others pushed meanwhile.
        attempts: u32,
    },
}

/// Why nothing was published. No text in it holds a token.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder is empty.
    #[error("nothing to publish in {}; generate the databases into it first", .0.display())]
    NoFiles(PathBuf),
    /// A file could not be read or written.
    #[error("cannot {step} {}: {source}; {remedy}", .path.display())]
    File {
        /// What was tried.
        step: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Git failed.
    #[error("cannot {step} {url}: {reason}; {remedy}")]
    Git {
        /// What was tried.
        step: &'static str,
        /// On which remote, without user and token.
        url: String,
        /// What libgit2 or the remote said.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Others pushed before us, every time.
    #[error(
        "cannot push to branch '{branch}' of {url}: {attempts} attempts were overtaken by other pushes (the last one: \
         {reason}); publish again later, or give this generator a branch of its own"
    )]
    Overtaken {
        /// The branch.
        branch: String,
        /// Which remote, without user and token.
        url: String,
        /// How many pushes were tried.
        attempts: u32,
        /// What the remote said last.
        reason: String,
    },
    /// The blocking task panicked or was cancelled.
    #[error("publishing ended early: {0}; publish again")]
    Stopped(#[from] tokio::task::JoinError),
}

/// A file to publish, and its name there.
#[derive(Clone, Debug)]
struct FreshFile {
    name: String,
    path: PathBuf,
}

/// The files to publish, by name.
fn fresh_files(folder: &Path) -> Result<Vec<FreshFile>, PublishError> {
    let failed = |source| PublishError::File {
        step: "list",
        path: folder.to_owned(),
        remedy: "generate the databases into it first",
        source,
    };
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            match path.is_dir() {
                _ if name.starts_with('.') => {}
                true if prefix.is_empty() && is_addon(&name) => folders.push((format!("{prefix}{name}/"), path)),
                true => {}
                false => files.push(FreshFile { name: format!("{prefix}{name}"), path }),
            }
        }
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    if files.is_empty() { Err(PublishError::NoFiles(folder.to_owned())) } else { Ok(files) }
}

/// Makes an empty repository at `path` to push to, or leaves the one that is there.
pub fn create_repository(path: &Path) -> Result<(), PublishError> {
    git2::Repository::init_bare(path).map(drop).map_err(|error| PublishError::Git {
        step: "create a repository at",
        url: path.display().to_string(),
        reason: error.message().to_owned(),
        remedy: "choose a folder that can be written",
    })
}
