//! Fetching from and pushing to the remote.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;

use git2::{Direction, ErrorClass, ErrorCode, FetchOptions, Oid, PushOptions, Repository};

use super::PublishError;
use super::credentials::Address;

/// Ours alone in the cache: nothing else depends on what an earlier run left there.
const FETCHED: &str = "refs/stint/fetched";
const OUTGOING: &str = "refs/stint/outgoing";

/// In a remote on this machine: a commit on its way to the branch.
const INCOMING: &str = "refs/stint/incoming-";

/// A reference that comes and goes is met again with little luck only.
const FETCHES: usize = 10;

/// A remote's branch.
pub(super) struct Remote<'a> {
    pub(super) address: &'a Address,
    pub(super) branch: &'a str,
}

/// What became of a push.
pub(super) enum Push {
    Done,
    /// Somebody else's came first; the remote's words.
    Overtaken(String),
}

/// An error, and whether the cached repository may be to blame: then it is thrown away and fetched again.
pub(super) struct Failure {
    pub(super) error: PublishError,
    pub(super) cache_suspect: bool,
}

impl Remote<'_> {
    /// Fetches the branch. `None` when the remote does not have it, or has nothing at all.
    pub(super) fn fetch(&self, repository: &Repository) -> Result<Option<Oid>, Failure> {
        const REMEDY: &str = "see that the address is right, the network is up and the token or key may read it";
        for _ in 0..FETCHES {
            match self.fetch_once(repository) {
                Err(error) if is_passing(&error) => {}
                fetched => return fetched.map_err(|error| self.failure("fetch from", REMEDY, &error)),
            }
        }
        self.fetch_once(repository).map_err(|error| self.failure("fetch from", REMEDY, &error))
    }

    fn fetch_once(&self, repository: &Repository) -> Result<Option<Oid>, git2::Error> {
        let name = format!("refs/heads/{}", self.branch);
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let exists = {
            let connection = remote.connect_auth(Direction::Fetch, Some(self.address.callbacks()), None)?;
            connection.list()?.iter().any(|head| head.name() == name)
        };
        if !exists {
            return Ok(None);
        }
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.address.callbacks()).download_tags(git2::AutotagOption::None);
        remote.fetch(&[format!("+{name}:{FETCHED}")], Some(&mut options), None)?;
        repository.refname_to_id(FETCHED).map(Some)
    }

    /// Pushes a commit whose parent is `parent`, if the branch still stands there.
    pub(super) fn push(&self, repository: &Repository, commit: Oid, parent: Option<Oid>) -> Result<Push, Failure> {
        const REMEDY: &str = "see that the token or key may write to this branch";
        let failed = |error| self.failure("push to", REMEDY, &error);
        repository.reference(OUTGOING, commit, true, "outgoing").map_err(failed)?;
        if let Some(target) = local_repository(&self.address.url) {
            return self.push_locally(repository, &target, commit, parent).map_err(failed);
        }
        let pushed = self.send(repository, &format!("refs/heads/{}", self.branch)).map_err(failed)?;
        match pushed {
            Push::Overtaken(reason) if !is_race(&reason) => {
                Err(self.failure("push to", REMEDY, &git2::Error::from_str(&reason)))
            }
            outcome => Ok(outcome),
        }
    }

    /// Sends the outgoing commit as this reference.
    fn send(&self, repository: &Repository, reference: &str) -> Result<Push, git2::Error> {
        let refused = RefCell::new(None);
        let mut callbacks = self.address.callbacks();
        callbacks.push_update_reference(|_, status| {
            *refused.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let pushed = remote.push(&[format!("{OUTGOING}:{reference}")], Some(&mut options));
        drop((options, remote));
        match (pushed, refused.into_inner()) {
            (Ok(()), None) => Ok(Push::Done),
            (Ok(()), Some(reason)) => Ok(Push::Overtaken(reason)),
            (Err(error), _) if error.code() == ErrorCode::NotFastForward => {
                Ok(Push::Overtaken("non-fast-forward".to_owned()))
            }
            (Err(error), _) if is_passing(&error) => Ok(Push::Overtaken(error.message().to_owned())),
            (Err(error), _) => Err(error),
        }
    }

    /// A server compares before it moves a branch; libgit2's way to a path does not, and would bury a commit that landed
    /// after its look. So the commit goes to a reference of its own, and the branch is moved by a comparing update.
    fn push_locally(
        &self,
        repository: &Repository,
        target: &Repository,
        commit: Oid,
        parent: Option<Oid>,
    ) -> Result<Push, git2::Error> {
        let incoming = format!("{INCOMING}{commit}");
        if let Push::Overtaken(reason) = self.send(repository, &incoming)? {
            return Ok(Push::Overtaken(reason));
        }
        let branch = format!("refs/heads/{}", self.branch);
        let moved = match parent {
            Some(parent) => target.reference_matching(&branch, commit, true, parent, "stint").map(drop),
            None => create_reference(target, &branch, commit),
        };
        target.find_reference(&incoming)?.delete()?;
        match moved {
            Ok(()) => Ok(Push::Done),
            Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked) => {
                Ok(Push::Overtaken(error.message().to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// An error of git, in our words and without secrets.
    pub(super) fn failure(&self, step: &'static str, remedy: &'static str, error: &git2::Error) -> Failure {
        let remote_class = matches!(
            error.class(),
            ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Ssl | ErrorClass::Callback
        );
        let remote_code = matches!(error.code(), ErrorCode::Auth | ErrorCode::Certificate | ErrorCode::NotFastForward);
        Failure {
            cache_suspect: !remote_class && !remote_code,
            error: PublishError::Git {
                step,
                url: self.address.shown.clone(),
                reason: self.address.scrub(error.message()),
                remedy,
            },
        }
    }
}

/// Whether another publisher's incoming reference was listed, and gone before it was read.
fn is_passing(error: &git2::Error) -> bool {
    error.code() == ErrorCode::NotFound && error.message().contains(INCOMING)
}

/// Creates a reference unless there is one. libgit2 looks before it locks, so that of two that create the same one the
/// second buries the first; here git's own lock file is taken first.
fn create_reference(target: &Repository, name: &str, commit: Oid) -> Result<(), git2::Error> {
    let failed = |code: ErrorCode, error: &std::io::Error| {
        git2::Error::new(code, ErrorClass::Reference, format!("cannot create {name}: {error}"))
    };
    let generic = |error: std::io::Error| failed(ErrorCode::GenericError, &error);
    let path = target.path().join(name);
    let lock = target.path().join(format!("{name}.lock"));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(generic)?;
    }
    // Exclusive: whoever has it may look and write.
    let mut file = OpenOptions::new().write(true).create_new(true).open(&lock).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => failed(ErrorCode::Locked, &error),
        _ => generic(error),
    })?;
    if target.find_reference(name).is_ok() {
        std::fs::remove_file(&lock).map_err(generic)?;
        return Err(failed(ErrorCode::Exists, &std::io::ErrorKind::AlreadyExists.into()));
    }
    let written =
        writeln!(file, "{commit}").and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&lock, &path));
    written.map_err(|error| {
        // Left behind, it would lock the branch for good.
        let _ = std::fs::remove_file(&lock);
        generic(error)
    })
}

/// The remote itself, when it is a bare repository on this machine.
fn local_repository(url: &str) -> Option<Repository> {
    let path = match url.split_once("://") {
        Some(("file", _)) => url::Url::parse(url).ok()?.to_file_path().ok()?,
        Some(_) => return None,
        None => url.into(),
    };
    Repository::open_bare(path).ok()
}

/// Whether these words of a remote mean that the branch has moved since we looked.
fn is_race(reason: &str) -> bool {
    const WORDS: [&str; 7] = [
        "non-fast-forward",
        "fetch first",
        "cannot lock ref",
        "failed to update ref",
        "failed to lock",
        "reference already exists",
        "stale info",
    ];
    WORDS.iter().any(|words| reason.contains(words))
}
