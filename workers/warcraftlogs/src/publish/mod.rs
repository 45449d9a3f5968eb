//! Publishes freshly generated databases to a branch of a git repository.
//!
//! # What may happen between any two lines
//! * *The process exits before the push:* the remote has the old addons. What remains is objects in the cached clone,
//!   versions in the folder's tables of contents, and a folder of earlier databases: the next run rewrites all three.
//! * *The process exits while pushing:* a server moves the branch at the end, in one step, or not at all.
//! * *The process exits between branch and tag:* the next run, with or without changes, tags the latest publication
//!   that has no tag.
//! * *Another user pushes meanwhile:* the branch is only moved from the commit that was read. The publisher reads it
//!   again, and commits its addons on top. With [`History::Latest`], the other user's files are in the new commit, and
//!   the other commit is dropped.
//! * *The process exits between push and report:* the next run finds nothing to change.
//!
//! # What is trusted
//! Nothing that a remote says or contains. Names in its trees and tables of contents are checked before a file with
//! such a name is written here; its references, objects and bytes are counted, and all of it has a deadline; and the
//! token is sent only to the address in the settings.

mod cache;
mod changes;
pub(crate) mod checks;
mod commit;
mod credentials;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod git;
mod local;
mod log;
mod message;
mod pending;
mod published_addon;
mod remote;
mod settings;
mod version;
mod wire;

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Serialize;

pub use changes::{Difference, RegionChange};
pub use credentials::redact;
pub use git::{Git, PublishStep};
pub use settings::GitSettings;
pub use wire::Limits;

/// Puts the addons of a folder where users get them.
///
/// A crash at any point leaves the target with either the old addons or the new ones, and the next call succeeds
/// whatever the crash left behind. Calls on one publisher wait for each other, and so do publishers with the same state
/// folder. No call waits for ever: a remote that is silent for too long is an error.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes the addons in `folder`: each that differs from what is published gets a higher version, which is also
    /// written into its table of contents in `folder`. Nothing is written if nothing changed; regions that are not in
    /// the folder stay published.
    async fn publish(&self, folder: &Path) -> Result<Published, PublishError>;

    /// What [`publish`](Publisher::publish) would do. Writes nothing to the folder or the remote; what was fetched is
    /// kept.
    async fn plan(&self, folder: &Path) -> Result<Published, PublishError>;
}

/// The result of publishing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Published {
    /// The target had the same addons already.
    Unchanged,
    /// Only planned: this would be pushed.
    Planned(Publication),
    /// A commit was pushed.
    Pushed(Publication),
}

/// A commit of addons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// Its id; `None` as long as it is only planned.
    pub commit: Option<String>,
    /// The version of the addons that changed: `2026.11.28-1`.
    pub version: String,
    /// Its message.
    pub message: String,
    /// Its tag. `None` if only the latest state is kept, since a tag would keep the others, or if the remote refused
    /// the tag.
    pub tag: Option<String>,
    /// Why the remote accepted the commit but not its tag.
    pub tag_refused: Option<String>,
    /// How many commits the branch has lost by it.
    pub replaced: u64,
    /// 1, or more if others pushed meanwhile.
    pub attempts: u32,
    /// The changes, for each changed region.
    pub regions: Vec<RegionChange>,
}

impl Publication {
    /// `commit 4bbcb4c…, version 2026.11.28-1, tag v2026.11.28-1`.
    pub fn to_text(&self) -> String {
        let Publication { commit, version, tag, tag_refused, replaced, attempts, .. } = self;
        let mut text = commit.as_ref().map_or_else(|| "a commit".to_owned(), |commit| format!("commit {commit}"));
        text.push_str(&format!(", version {version}"));
        if let Some(tag) = tag {
            text.push_str(&format!(", tag {tag}"));
        }
        if let Some(reason) = tag_refused {
            text.push_str(&format!(", its tag was refused: {reason}"));
        }
        if *replaced > 0 {
            text.push_str(&format!(", in place of {replaced} earlier"));
        }
        if *attempts > 1 {
            text.push_str(&format!(", after {attempts} attempts"));
        }
        text
    }
}

/// How much of the branch's history is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum History {
    /// Every publication is a commit on top of the previous one, with a tag.
    #[default]
    All,
    /// The branch is a single commit, replaced by the next one, without a tag. Only if Stint made every commit.
    Latest,
}

/// Why nothing was published. No error text contains a token.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder has no addons.
    #[error("nothing to publish in {}; generate the databases into it first", .0.display())]
    NoAddons(PathBuf),
    /// The addons could not be read, or their tables of contents could not be written.
    #[error("cannot publish the databases: {0:#}")]
    Addons(anyhow::Error),
    /// A file is larger than hosts accept.
    #[error(
        "{} has {bytes} bytes, and hosts refuse files above {}: publish fewer raids or difficulties", .path.display(),
        HOST_FILE_LIMIT
    )]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Only the latest state is to be kept, but the branch has commits that Stint did not make.
    #[error(
        "LUA_HISTORY=latest would drop commits of branch '{branch}' of {url} that Stint did not make, such as {commit}; give \
         the databases a branch of their own with LUA_BRANCH, or keep the history with LUA_HISTORY=all"
    )]
    ForeignHistory {
        /// The branch.
        branch: String,
        /// The remote, without user and token.
        url: String,
        /// The description of one of the commits.
        commit: String,
    },
    /// A file could not be read or written.
    #[error("cannot {step} {}: {source}; {remedy}", .path.display())]
    File {
        /// The failed operation.
        step: &'static str,
        /// Its file or folder.
        path: PathBuf,
        /// The remedy.
        remedy: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Git failed.
    #[error("cannot {step} {url}: {reason}; {remedy}")]
    Git {
        /// The failed operation.
        step: &'static str,
        /// The remote, without user and token.
        url: String,
        /// The message of libgit2 or the remote.
        reason: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// Another push came first in every attempt.
    #[error(
        "cannot push to branch '{branch}' of {url}: another push came first in each of {attempts} attempts (the last \
         one: {reason}); publish again later, or give this generator a branch of its own"
    )]
    Raced {
        /// The branch.
        branch: String,
        /// The remote, without user and token.
        url: String,
        /// Number of attempted pushes.
        attempts: u32,
        /// The remote's last message.
        reason: String,
    },
    /// The blocking task panicked or was cancelled.
    #[error("publishing ended early: {0}; publish again")]
    Stopped(#[from] tokio::task::JoinError),
}

/// GitHub refuses larger files, and with them the whole push.
/// <https://docs.github.com/en/repositories/working-with-files/managing-large-files/about-large-files-on-github>
pub const HOST_FILE_LIMIT: u64 = 100 << 20;

/// Stint refuses files above this: a file close to the limit may exceed it in the next generation.
pub const MAX_FILE_BYTES: u64 = 95 << 20;

/// Creates an empty repository at `path` to push to, or keeps the existing one. A clone of it checks out the branch
/// `main`.
pub fn create_repository(path: &Path) -> Result<(), PublishError> {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).initial_head("main");
    git2::Repository::init_opts(path, &options).map(drop).map_err(|error| PublishError::Git {
        step: "create a repository at",
        url: path.display().to_string(),
        reason: error.message().to_owned(),
        remedy: "choose a folder that can be written",
    })
}
