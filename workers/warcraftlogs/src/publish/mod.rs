//! Where freshly generated databases go: a branch of a git repository.
//!
//! # What may happen between any two lines
//! * *Dies before the push:* the remote has the old addons. What is left is objects in the cached clone, versions in the
//!   folder's tables of contents, and a folder of earlier databases: the next run writes all three anew.
//! * *Dies while pushing:* a server moves the branch at the end, in one step, or not at all.
//! * *Dies between branch and tag:* the next run, with or without changes, tags the latest publication that has no tag.
//! * *Somebody else pushes meanwhile:* the branch is only moved from where it was when we looked. We look again, and put
//!   our addons on top of theirs. With [`History::Latest`] theirs are in the new commit's files, and their commit goes.
//! * *Dies between push and report:* the next run finds nothing to change.
//!
//! # What is trusted
//! Nothing that a remote says or has. Names in its trees and tables of contents are looked at before anything of that name
//! is written here; its references, objects and bytes are counted, and all of it has a deadline; and the token goes to the
//! address of the settings alone.

mod cache;
mod changes;
pub(crate) mod checks;
mod commit;
mod credentials;
mod draft;
mod earlier;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod git;
mod local;
mod log;
mod message;
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
pub use git::{Git, Step};
pub use settings::GitSettings;
pub use wire::Limits;

/// Puts the addons of a folder where users get them.
///
/// A crash at any point leaves the target with the old addons or with the new ones, and the next call succeeds whatever the
/// crash left behind. Calls on one publisher wait for each other, and so do publishers with one state folder. No call waits for
/// ever: a remote that is silent for too long is an error.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes the addons in `folder`: each that differs from what is published gets a higher version, which is written
    /// into its table of contents, here too. Nothing is written when nothing changed; regions that are not in the folder
    /// stay published.
    async fn publish(&self, folder: &Path) -> Result<Published, PublishError>;

    /// What [`publish`](Publisher::publish) would do. Writes nothing, neither here nor there; what was fetched is kept.
    async fn plan(&self, folder: &Path) -> Result<Published, PublishError>;
}

/// What a publisher did.
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
    /// Of the addons that changed: `2026.11.28-1`.
    pub version: String,
    /// What it says.
    pub message: String,
    /// The tag at it. `None` where only the latest state is kept, since a tag would keep the others; or when it was refused.
    pub tag: Option<String>,
    /// Why the remote took the commit and not its tag.
    pub tag_refused: Option<String>,
    /// How many commits the branch has lost by it.
    pub replaced: u64,
    /// 1, or more when others pushed meanwhile.
    pub attempts: u32,
    /// What changed, for each region that did.
    pub regions: Vec<RegionChange>,
}

impl Publication {
    /// `commit 4bbcb4c…, version 2026.11.28-1, tag v2026.11.28-1`.
    pub fn in_words(&self) -> String {
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
    /// Every publication is a commit on top of the one before, and has a tag.
    #[default]
    All,
    /// The branch is one commit, replaced by the next, without a tag. Only where every commit is ours.
    Latest,
}

/// Why nothing was published. No text in it holds a token.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder has no addons.
    #[error("nothing to publish in {}; generate the databases into it first", .0.display())]
    NoAddons(PathBuf),
    /// The addons could not be read, or their tables of contents written.
    #[error("cannot publish the databases: {0:#}")]
    Addons(anyhow::Error),
    /// A file is larger than hosts take.
    #[error(
        "{} has {bytes} bytes, and hosts refuse files above {}: publish fewer raids or difficulties", .path.display(),
        HOST_FILE_LIMIT
    )]
    TooLarge {
        /// Which one.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Only the latest state is to be kept, of a branch that is not ours alone.
    #[error(
        "LUA_HISTORY=latest would drop commits of branch '{branch}' of {url} that Stint did not make, such as {commit}; give \
         the databases a branch of their own with LUA_BRANCH, or keep the history with LUA_HISTORY=all"
    )]
    ForeignHistory {
        /// The branch.
        branch: String,
        /// Which remote, without user and token.
        url: String,
        /// One of the commits, in words.
        commit: String,
    },
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

/// GitHub refuses larger files, and with them the whole push.
/// <https://docs.github.com/en/repositories/working-with-files/managing-large-files/about-large-files-on-github>
pub const HOST_FILE_LIMIT: u64 = 100 << 20;

/// Above this we refuse: close to the limit, the next generation may be above it.
pub const MAX_FILE_BYTES: u64 = 95 << 20;

/// Makes an empty repository at `path` to push to, or leaves the one that is there. Whoever clones it gets the branch
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
