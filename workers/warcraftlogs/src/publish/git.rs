//! Publishing to a branch of a git repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use git2::Repository;
use secrecy::SecretString;

use super::commit::Draft;
use super::credentials::{Address, redact};
use super::remote::{Failure, Push, Remote};
use super::{FreshFile, PublishError, Published, Publisher, fresh_files};

/// Deltas of a database against yesterday's take memory for both; above this size git sends it whole.
const BIG_FILE_BYTES: i64 = 16 << 20;

/// Where to push, as whom, and where to keep the cached clone.
#[derive(Clone)]
pub struct GitSettings {
    /// A path, `file://`, `https://` (with `user:token@` or not) or SSH address.
    pub url: String,
    /// Created when the remote does not have it, without the history of any other branch.
    pub branch: String,
    /// Where in the repository the files go; empty for its root.
    pub folder: String,
    /// The state folder in which to keep `publish.git`, a bare clone that saves fetching everything again. The clone may be
    /// deleted at any time.
    pub cache: PathBuf,
    /// The author of the commits.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// For an `https://` address without user and token.
    pub token: Option<SecretString>,
    /// For an SSH address; without it the agent is asked.
    pub ssh_key: Option<PathBuf>,
    /// How many pushes to try when others push at the same time.
    pub attempts: u32,
}

impl GitSettings {
    /// How many pushes are tried unless set: each failed one means that somebody else's landed within seconds.
    pub const ATTEMPTS: u32 = 5;

    /// The branch `main` of this address, with the cached clone in this folder.
    pub fn new(url: impl Into<String>, cache: impl Into<PathBuf>) -> GitSettings {
        GitSettings {
            url: url.into(),
            branch: "main".to_owned(),
            folder: String::new(),
            cache: cache.into(),
            author_name: "Stint".to_owned(),
            author_email: "stint@localhost".to_owned(),
            token: None,
            ssh_key: None,
            attempts: GitSettings::ATTEMPTS,
        }
    }
}

impl fmt::Debug for GitSettings {
    /// Without secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GitSettings { url, branch, folder, cache, .. } = self;
        let mut shown = formatter.debug_struct("GitSettings");
        shown.field("url", &redact(url)).field("branch", branch).field("folder", folder).field("cache", cache);
        shown.finish_non_exhaustive()
    }
}

/// What a publication is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch the branch, in this attempt.
    Fetch(u32),
    /// Commit the files on top of it.
    Commit(u32),
    /// Push the commit.
    Push(u32),
}

type Progress = Box<dyn Fn(Step) + Send + Sync>;

/// Commits the files to a branch and pushes it. When another push comes first, it fetches that and puts the files on top.
#[derive(Clone)]
pub struct Git {
    shared: Arc<Shared>,
}

struct Shared {
    settings: GitSettings,
    address: Address,
    progress: Progress,
    running: Mutex<()>,
}

impl Git {
    /// A publisher with these settings; nothing is contacted yet.
    pub fn new(settings: GitSettings) -> Git {
        Git::with_progress(settings, |step| tracing::debug!(?step, "publishing to git"))
    }

    /// The same, with every step told before it is done.
    pub fn with_progress(settings: GitSettings, progress: impl Fn(Step) + Send + Sync + 'static) -> Git {
        let address = Address::new(&settings.url, settings.token.as_ref(), settings.ssh_key.clone());
        Git { shared: Arc::new(Shared { settings, address, progress: Box::new(progress), running: Mutex::new(()) }) }
    }
}

#[async_trait]
impl Publisher for Git {
    async fn publish(&self, folder: &Path, message: &str) -> Result<Published, PublishError> {
        let (shared, folder, message) = (Arc::clone(&self.shared), folder.to_owned(), message.to_owned());
        tokio::task::spawn_blocking(move || shared.publish(&folder, &message)).await?
    }
}

impl Shared {
    fn publish(&self, folder: &Path, message: &str) -> Result<Published, PublishError> {
        // The lock guards no data, so a panic of an earlier holder spoils nothing.
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let files = fresh_files(folder)?;
        match self.try_with_cache(&files, message) {
            Err(failure) if failure.cache_suspect => {
                let reason = failure.error.to_string();
                tracing::warn!(reason, cache = %self.cache().display(), "cloning anew after a failure");
                self.remove_cache()?;
                self.try_with_cache(&files, message).map_err(|failure| failure.error)
            }
            outcome => outcome.map_err(|failure| failure.error),
        }
    }

    fn try_with_cache(&self, files: &[FreshFile], message: &str) -> Result<Published, Failure> {
        let GitSettings { branch, folder, author_name, author_email, attempts, .. } = &self.settings;
        let remote = Remote { address: &self.address, branch };
        let draft = Draft { files, folder, message, author_name, author_email };
        let cache = self.open_cache(&remote)?;
        let mut reason = String::new();
        for attempt in 1..=*attempts {
            (self.progress)(Step::Fetch(attempt));
            let parent = remote.fetch(&cache)?;
            (self.progress)(Step::Commit(attempt));
            let committed = draft.commit(&cache, parent).map_err(|error| {
                remote.failure(
                    "commit the databases for",
                    "see that the disk is not full and the files can be read",
                    &error,
                )
            })?;
            let Some(commit) = committed else { return Ok(Published::Unchanged) };
            (self.progress)(Step::Push(attempt));
            match remote.push(&cache, commit, parent)? {
                Push::Done => return Ok(Published::Pushed { commit: commit.to_string(), attempts: attempt }),
                Push::Overtaken(words) => reason = self.address.scrub(&words),
            }
            tracing::info!(attempt, reason, "another push came first: putting the databases on top of it");
        }
        let (branch, url) = (branch.clone(), self.address.shown.clone());
        let error = PublishError::Overtaken { branch, url, attempts: *attempts, reason };
        Err(Failure { error, cache_suspect: false })
    }

    /// Opens the cached clone, or starts an empty one. What is in it is only ever objects: every run takes the branch from
    /// the remote.
    fn open_cache(&self, remote: &Remote<'_>) -> Result<Repository, Failure> {
        const REMEDY: &str = "see that the state folder is writable";
        let cache = self.cache();
        let opened = Repository::open_bare(&cache).or_else(|_| {
            if cache.exists() {
                self.remove_cache().map_err(|error| git2::Error::from_str(&error.to_string()))?;
            }
            Repository::init_bare(&cache)
        });
        let prepared = opened.and_then(|repository| {
            repository.config()?.set_i64("core.bigFileThreshold", BIG_FILE_BYTES)?;
            Ok(repository)
        });
        prepared.map_err(|error| remote.failure("open the cached clone of", REMEDY, &error))
    }

    /// A name of our own in the state folder: what is removed here was never anybody else's.
    fn cache(&self) -> PathBuf {
        self.settings.cache.join("publish.git")
    }

    fn remove_cache(&self) -> Result<(), PublishError> {
        let cache = self.cache();
        let removed = if cache.is_dir() { std::fs::remove_dir_all(&cache) } else { std::fs::remove_file(&cache) };
        match removed {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(PublishError::File {
                step: "remove the damaged clone in",
                path: cache,
                remedy: "remove it by hand",
                source,
            }),
            _ => Ok(()),
        }
    }
}
