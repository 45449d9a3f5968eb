//! Publishes to a branch of a git repository.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::lock::Mutex;
use git2::{Oid, Repository};
use jiff::civil::Date;

use super::cache::Cache;
use super::commit::{Baseline, Committer};
use super::credentials::Address;
use super::fetch::{Depth, RemoteState};
use super::log::{self, latest_publication, look_through};
use super::message::message;
use super::pending::{Comparisons, FreshAddons, PendingPublication, highest_published};
use super::remote::{Failure, Push, Remote};
use super::settings::GitSettings;
use super::version::Version;
use super::wire::{Session, connect_here};
use super::{History, MAX_FILE_BYTES, Publication, PublishError, Published, Publisher};
use crate::addon::addons;

/// The next step of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// Fetch the branch, in the attempt with this number.
    Fetch(u32),
    /// Commit the addons on top of it.
    Commit(u32),
    /// Push the commit.
    Push(u32),
    /// Tag the commit that was pushed.
    Tag(u32),
}

/// How many commits are searched for the latest publication if other commits are on top of it and its tag is missing.
const LOOK_BACK: [Depth; 3] = [Depth::Commits(4), Depth::Commits(16), Depth::Commits(64)];

type Progress = Box<dyn Fn(PublishStep) + Send + Sync>;

/// Commits the addons to a branch and pushes it. If another push comes first, it fetches that and commits on top of it.
#[derive(Clone)]
pub struct Git {
    shared: Arc<Shared>,
    running: Arc<Mutex<()>>,
}

struct Shared {
    settings: GitSettings,
    address: Arc<Address>,
    progress: Progress,
}

/// Whether to write anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Publish,
    Plan,
}

impl Git {
    /// A publisher with these settings. It does not contact the remote yet.
    pub fn new(settings: GitSettings) -> Git {
        Git::with_progress(settings, |step| tracing::debug!(?step, "publishing to git"))
    }

    /// Reports every step before it is done.
    pub fn with_progress(settings: GitSettings, progress: impl Fn(PublishStep) + Send + Sync + 'static) -> Git {
        connect_here();
        let address = Arc::new(Address::new(&settings.url, settings.token.as_ref()));
        let shared = Arc::new(Shared { settings, address, progress: Box::new(progress) });
        Git { shared, running: Arc::default() }
    }

    async fn run(&self, folder: &Path, mode: Mode) -> Result<Published, PublishError> {
        if self.running.try_lock().is_none() {
            tracing::warn!("an earlier publication is still under way: waiting for it");
        }
        // Locked before the thread starts: a caller that stops waiting leaves no thread behind.
        let alone = Arc::clone(&self.running).lock_owned().await;
        let (shared, folder) = (Arc::clone(&self.shared), folder.to_owned());
        let run = move || {
            let _alone = alone;
            shared.run(&folder, mode)
        };
        tokio::task::spawn_blocking(run).await?
    }
}

#[async_trait]
impl Publisher for Git {
    async fn publish(&self, folder: &Path) -> Result<Published, PublishError> {
        self.run(folder, Mode::Publish).await
    }

    async fn plan(&self, folder: &Path) -> Result<Published, PublishError> {
        self.run(folder, Mode::Plan).await
    }
}

impl Shared {
    fn run(&self, folder: &Path, mode: Mode) -> Result<Published, PublishError> {
        let Some(fresh) = fresh(folder)? else { return Ok(Published::Unchanged) };
        let cache = Cache::in_folder(&self.settings.cache);
        let _alone = cache.lock()?;
        match self.try_with_cache(&cache, &fresh, mode) {
            Err(failure) if failure.cache_suspect => {
                let reason = failure.error.to_string();
                tracing::warn!(reason, cache = %cache.path().display(), "cloning again after a failure");
                cache.remove()?;
                self.try_with_cache(&cache, &fresh, mode).map_err(|failure| failure.error)
            }
            outcome => outcome.map_err(|failure| failure.error),
        }
    }

    fn try_with_cache(&self, cache: &Cache, fresh: &FreshAddons<'_>, mode: Mode) -> Result<Published, Failure> {
        const REMEDY: &str = "see that the state folder is writable";
        let GitSettings { branch, attempts, .. } = &self.settings;
        let session =
            Session::begin(&self.settings.clock, self.settings.limits, &self.address, branch, self.settings.ssh());
        let _within = session.enter();
        let remote = Remote { address: &self.address, branch, session: &session };
        let repository = cache.open().map_err(|error| remote.failure("open the cached clone of", REMEDY, &error))?;
        let mut comparisons = Comparisons::new(cache.scratch());
        let mut reason = String::new();
        for attempt in 1..=*attempts {
            let run = Attempt { shared: self, remote: &remote, repository: &repository, fresh, mode, attempt };
            match run.run(&mut comparisons)? {
                Ok(published) => return Ok(published),
                Err(words) => reason = self.address.scrub(&words),
            }
            tracing::info!(attempt, reason, "another push came first: putting the databases on top of it");
        }
        let (branch, url) = (branch.clone(), self.address.shown.clone());
        Err(PublishError::Raced { branch, url, attempts: *attempts, reason }.into())
    }
}

/// One attempt to publish.
struct Attempt<'a> {
    shared: &'a Shared,
    remote: &'a Remote<'a>,
    repository: &'a Repository,
    fresh: &'a FreshAddons<'a>,
    mode: Mode,
    attempt: u32,
}

impl Attempt<'_> {
    /// The inner error is the remote's message about another push that came first.
    fn run(&self, comparisons: &mut Comparisons) -> Result<Result<Published, String>, Failure> {
        let GitSettings { folder, author_name, author_email, history, .. } = &self.shared.settings;
        self.report_step(PublishStep::Fetch(self.attempt));
        let fetched = self.remote.fetch(self.repository, Depth::TIP)?;
        let baseline =
            Baseline::read(self.repository, fetched.parent, folder).map_err(|error| self.cannot_commit(&error))?;
        self.tag_latest(&fetched, &baseline)?;
        self.report_step(PublishStep::Commit(self.attempt));
        let pending =
            PendingPublication::new(self.repository, self.fresh, &baseline.addons, &fetched.tags, comparisons);
        let pending = pending.map_err(|error| self.cannot_compare(error))?;
        if self.mode == Mode::Publish {
            pending.stamp(self.fresh).map_err(PublishError::Addons)?;
        }
        if pending.changed.is_empty() {
            return Ok(Ok(Published::Unchanged));
        }
        let mut publication = self.publication(&pending, self.replaced(fetched.parent)?);
        if self.mode == Mode::Plan {
            return Ok(Ok(Published::Planned(publication)));
        }
        let committer = Committer { folder, author_name, author_email, history: *history };
        let commit = committer.commit(self.repository, &baseline, &pending, &publication.message);
        let commit = commit.map_err(|error| self.cannot_commit(&error))?;
        self.report_step(PublishStep::Push(self.attempt));
        if let Push::Raced(words) = self.remote.push(self.repository, commit, fetched.parent)? {
            return Ok(Err(words));
        }
        publication.commit = Some(commit.to_string());
        if let Some(tag) = publication.tag.take() {
            match self.tag(&tag, commit) {
                Ok(()) => publication.tag = Some(tag),
                Err(reason) => publication.tag_refused = Some(reason),
            }
        }
        Ok(Ok(Published::Pushed(publication)))
    }

    fn publication(&self, pending: &PendingPublication<'_>, replaced: u64) -> Publication {
        Publication {
            commit: None,
            version: pending.version.to_string(),
            message: message(pending.version, &pending.regions, pending.has_core()),
            tag: (self.shared.settings.history == History::All).then(|| pending.version.tag()),
            tag_refused: None,
            replaced,
            attempts: self.attempt,
            regions: pending.regions.clone(),
        }
    }

    /// How many commits the branch is to lose. Fails if Stint did not make all of them. A branch published in this way
    /// before has one commit; the history is only fetched, to check it, if the branch has more.
    fn replaced(&self, parent: Option<Oid>) -> Result<u64, Failure> {
        let Some(parent) = parent.filter(|_| self.shared.settings.history == History::Latest) else { return Ok(0) };
        let look = || look_through(self.repository, parent).map_err(|error| self.cannot_commit(&error));
        let mut history = look()?;
        if matches!(history, log::HistoryCheck::Cut) {
            self.remote.fetch(self.repository, Depth::Whole)?;
            history = look()?;
        }
        let commit = match history {
            log::HistoryCheck::Ours(count) => return Ok(count),
            log::HistoryCheck::Foreign(commit) => commit,
            log::HistoryCheck::Cut => "those that the remote itself does not have".to_owned(),
        };
        let (branch, url) = (self.remote.branch.to_owned(), self.shared.address.shown.clone());
        Err(PublishError::ForeignHistory { branch, url, commit }.into())
    }

    /// Pushes a tag that an earlier run did not push because it ended before.
    fn tag_latest(&self, fetched: &RemoteState, baseline: &Baseline<'_>) -> Result<(), Failure> {
        let tags = self.shared.settings.history == History::All && self.mode == Mode::Publish;
        let Some(parent) = fetched.parent.filter(|_| tags) else { return Ok(()) };
        let published = highest_published(self.repository, &baseline.addons);
        if published.is_none_or(|version| fetched.tags.contains_key(&version.tag())) {
            return Ok(());
        }
        let latest = self.find_latest(parent)?;
        let is_untagged = |(_, version): &(Oid, Version)| !fetched.tags.contains_key(&version.tag());
        if let Some((commit, version)) = latest.filter(is_untagged) {
            // A refusal is logged, and the next run tries again.
            let _ = self.tag(&version.tag(), commit);
        }
        Ok(())
    }

    /// The latest publication. If it is not the branch's latest commit, more of the branch is fetched, step by step.
    fn find_latest(&self, parent: Oid) -> Result<Option<(Oid, Version)>, Failure> {
        let find = || latest_publication(self.repository, parent).map_err(|error| self.cannot_commit(&error));
        let mut found = find()?;
        for depth in LOOK_BACK {
            if found.is_some() {
                break;
            }
            self.remote.fetch(self.repository, depth)?;
            found = find()?;
        }
        Ok(found)
    }

    fn tag(&self, tag: &str, commit: Oid) -> Result<(), String> {
        self.report_step(PublishStep::Tag(self.attempt));
        self.remote.push_tag(self.repository, tag, commit).inspect_err(|reason| {
            tracing::warn!(tag, reason, "the databases are published, but their tag was refused");
        })
    }

    /// If git cannot read something, perhaps only the cached clone is damaged.
    fn cannot_compare(&self, error: anyhow::Error) -> Failure {
        match error.downcast::<git2::Error>() {
            Ok(error) => self.cannot_commit(&error),
            Err(error) => PublishError::Addons(error).into(),
        }
    }

    fn cannot_commit(&self, error: &git2::Error) -> Failure {
        const REMEDY: &str = "see that the disk is not full and the files can be read";
        self.remote.failure("commit the databases for", REMEDY, error)
    }

    fn report_step(&self, step: PublishStep) {
        (self.shared.progress)(step);
    }
}

/// The addons of a folder. `None` if it has no database yet.
fn fresh(folder: &Path) -> Result<Option<FreshAddons<'_>>, PublishError> {
    let addons = addons(folder).map_err(PublishError::Addons)?;
    if addons.is_empty() {
        return Err(PublishError::NoAddons(folder.to_owned()));
    }
    for (_, path) in addons.iter().flat_map(|addon| addon.files()) {
        let bytes = path.metadata().map_err(|error| PublishError::Addons(error.into()))?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(PublishError::TooLarge { path, bytes });
        }
    }
    let days = addons.iter().filter_map(|addon| addon.toc.updated_at()?.parse::<Date>().ok());
    let day = days.max();
    Ok(day.map(|day| FreshAddons { folder, addons, day }))
}
