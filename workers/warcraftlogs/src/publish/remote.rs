//! Fetching from and pushing to the remote.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use git2::{Direction, ErrorClass, ErrorCode, FetchOptions, Oid, PushOptions, Repository};

use super::PublishError;
use super::credentials::Address;
use super::local;

/// Ours alone in the cache: nothing else depends on what an earlier run left there.
const FETCHED: &str = "refs/stint/fetched";
const OUTGOING: &str = "refs/stint/outgoing";

const TAGS: &str = "refs/tags/";

/// A reference that comes and goes is met again with little luck only.
const FETCHES: usize = 10;

/// A remote's branch.
pub(super) struct Remote<'a> {
    pub(super) address: &'a Address,
    pub(super) branch: &'a str,
}

/// What the remote has.
pub(super) struct Fetched {
    /// The branch's commit. `None` when the remote does not have the branch, or has nothing at all.
    pub(super) parent: Option<Oid>,
    /// Every tag, by name. Of an annotated one, the tag's own id.
    pub(super) tags: BTreeMap<String, Oid>,
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

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Failure {
        Failure { error, cache_suspect: false }
    }
}

impl Remote<'_> {
    /// Fetches the branch, and lists the tags.
    pub(super) fn fetch(&self, repository: &Repository) -> Result<Fetched, Failure> {
        const REMEDY: &str = "see that the address is right, the network is up and the token or key may read it";
        for _ in 0..FETCHES {
            match self.fetch_once(repository) {
                Err(error) if local::is_passing(&error) => {}
                fetched => return fetched.map_err(|error| self.failure("fetch from", REMEDY, &error)),
            }
        }
        self.fetch_once(repository).map_err(|error| self.failure("fetch from", REMEDY, &error))
    }

    fn fetch_once(&self, repository: &Repository) -> Result<Fetched, git2::Error> {
        let name = self.branch_reference();
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let (mut exists, mut tags) = (false, BTreeMap::new());
        {
            let connection = remote.connect_auth(Direction::Fetch, Some(self.address.callbacks()), None)?;
            for head in connection.list()? {
                exists |= head.name() == name;
                // What `^{}` ends is the commit of an annotated tag, listed beside it.
                if let Some(tag) = head.name().strip_prefix(TAGS).filter(|tag| !tag.ends_with("^{}")) {
                    tags.insert(tag.to_owned(), head.oid());
                }
            }
        }
        if !exists {
            return Ok(Fetched { parent: None, tags });
        }
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.address.callbacks()).download_tags(git2::AutotagOption::None);
        remote.fetch(&[format!("+{name}:{FETCHED}")], Some(&mut options), None)?;
        Ok(Fetched { parent: Some(repository.refname_to_id(FETCHED)?), tags })
    }

    /// Moves the branch from `parent` to a commit, if it still stands there. The commit need not be a child of `parent`:
    /// then the branch's history is replaced.
    pub(super) fn push(&self, repository: &Repository, commit: Oid, parent: Option<Oid>) -> Result<Push, Failure> {
        const REMEDY: &str = "see that the token or key may write to this branch";
        let pushed = self.move_reference(repository, &self.branch_reference(), commit, parent);
        pushed.map_err(|error| self.failure("push to", REMEDY, &error))
    }

    /// Creates a tag at a commit that the remote has already. A tag of that name stays where it is: an error says so.
    pub(super) fn push_tag(&self, repository: &Repository, tag: &str, commit: Oid) -> Result<(), String> {
        match self.move_reference(repository, &format!("{TAGS}{tag}"), commit, None) {
            Ok(Push::Done) => Ok(()),
            Ok(Push::Overtaken(reason)) => Err(self.address.scrub(&reason)),
            Err(error) => Err(self.address.scrub(error.message())),
        }
    }

    fn branch_reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Moves a reference of the remote from `expected` to a commit; `None` is no reference.
    fn move_reference(
        &self,
        repository: &Repository,
        reference: &str,
        commit: Oid,
        expected: Option<Oid>,
    ) -> Result<Push, git2::Error> {
        repository.reference(OUTGOING, commit, true, "outgoing")?;
        let Some(target) = local::open(&self.address.url) else {
            return self.send(repository, reference, expected);
        };
        let incoming = format!("{}{commit}", local::INCOMING);
        if let Push::Overtaken(reason) = self.send(repository, &incoming, None)? {
            return Ok(Push::Overtaken(reason));
        }
        let moved = local::move_reference(&target, reference, commit, expected);
        target.find_reference(&incoming)?.delete()?;
        moved
    }

    /// Sends the outgoing commit as this reference, over whatever is there, if that is what was `expected`: we compare with
    /// what the server lists, and the server compares what it listed with what it has when it writes.
    fn send(&self, repository: &Repository, reference: &str, expected: Option<Oid>) -> Result<Push, git2::Error> {
        let (refused, moved) = (RefCell::new(None), Cell::new(false));
        let mut callbacks = self.address.callbacks();
        callbacks.push_update_reference(|_, status| {
            *refused.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        callbacks.push_negotiation(|updates| {
            moved.set(updates.iter().any(|update| Some(update.src()).filter(|oid| !oid.is_zero()) != expected));
            if moved.get() { Err(git2::Error::from_str("the reference has moved")) } else { Ok(()) }
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let pushed = remote.push(&[format!("+{OUTGOING}:{reference}")], Some(&mut options));
        drop((options, remote));
        match (pushed, refused.into_inner()) {
            (Ok(()), None) => Ok(Push::Done),
            (Ok(()), Some(reason)) if is_race(&reason) => Ok(Push::Overtaken(reason)),
            (Ok(()), Some(reason)) => Err(git2::Error::from_str(&reason)),
            (Err(_), _) if moved.get() => Ok(Push::Overtaken("it has moved since we looked".to_owned())),
            (Err(error), _) if local::is_passing(&error) => Ok(Push::Overtaken(error.message().to_owned())),
            (Err(error), _) => Err(error),
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

/// Whether these words of a remote mean that a reference has moved since we looked.
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
