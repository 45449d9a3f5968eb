//! Pushes to the remote.

use std::cell::{Cell, RefCell};

use git2::{ErrorClass, ErrorCode, Oid, PushOptions, RemoteCallbacks, RemoteRedirect, Repository};

use super::PublishError;
use super::credentials::Address;
use super::local;
use super::wire::Session;

/// A reference of Stint's own in the cache: nothing else depends on what an earlier run left there.
const OUTGOING: &str = "refs/stint/outgoing";

/// Prefix of a tag's full name.
pub(super) const TAGS: &str = "refs/tags/";

/// A remote's branch.
pub(super) struct Remote<'a> {
    pub(super) address: &'a Address,
    pub(super) branch: &'a str,
    pub(super) session: &'a Session,
}

/// The result of a push.
pub(super) enum Push {
    Done,
    /// Another push came first; the remote's message.
    Raced(String),
}

/// An error, and whether the cached repository may be at fault: then it is deleted and fetched again.
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
    /// Moves the branch from `parent` to a commit, if it is still at `parent`. The commit need not be a child of
    /// `parent`: then the branch's history is replaced.
    pub(super) fn push(&self, repository: &Repository, commit: Oid, parent: Option<Oid>) -> Result<Push, Failure> {
        const REMEDY: &str = "see that the token or key may write to this branch";
        let pushed = self.move_reference(repository, &self.branch_reference(), commit, parent);
        pushed.map_err(|error| self.failure("push to", REMEDY, &error))
    }

    /// Creates a tag at a commit that the remote already has. An existing tag of that name is not moved: that is an
    /// error.
    pub(super) fn push_tag(&self, repository: &Repository, tag: &str, commit: Oid) -> Result<(), String> {
        match self.move_reference(repository, &format!("{TAGS}{tag}"), commit, None) {
            Ok(Push::Done) => Ok(()),
            Ok(Push::Raced(reason)) => Err(self.address.scrub(&reason)),
            Err(error) => Err(self.address.scrub(error.message())),
        }
    }

    pub(super) fn branch_reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Moves a reference of the remote from `expected` to a commit; `None` means that the reference does not exist.
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
        if let Push::Raced(reason) = self.send(repository, &incoming, None)? {
            return Ok(Push::Raced(reason));
        }
        let moved = local::move_reference(&target, reference, commit, expected);
        target.find_reference(&incoming)?.delete()?;
        moved
    }

    /// Sends the outgoing commit as this reference, replacing it if it is what was `expected`: this process compares
    /// with what the server lists, and the server compares what it listed with the current value when it writes.
    fn send(&self, repository: &Repository, reference: &str, expected: Option<Oid>) -> Result<Push, git2::Error> {
        let (refused, moved) = (RefCell::new(None), Cell::new(false));
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|_, status| {
            *refused.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        callbacks.push_negotiation(|updates| {
            moved.set(updates.iter().any(|update| Some(update.src()).filter(|oid| !oid.is_zero()) != expected));
            if moved.get() { Err(git2::Error::from_str("the reference has moved")) } else { Ok(()) }
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).follow_redirects(RemoteRedirect::None);
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let pushed = remote.push(&[format!("+{OUTGOING}:{reference}")], Some(&mut options));
        drop((options, remote));
        match (pushed, refused.into_inner()) {
            (Ok(()), None) => Ok(Push::Done),
            (Ok(()), Some(reason)) if is_race(&reason) => Ok(Push::Raced(reason)),
            (Ok(()), Some(reason)) => Err(git2::Error::from_str(&reason)),
            (Err(_), _) if moved.get() => Ok(Push::Raced("it has moved since it was read".to_owned())),
            (Err(error), _) if local::is_vanished_incoming(&error) => Ok(Push::Raced(error.message().to_owned())),
            (Err(error), _) => Err(error),
        }
    }

    /// An error of git, described in Stint's terms and without secrets.
    pub(super) fn failure(&self, step: &'static str, remedy: &'static str, error: &git2::Error) -> Failure {
        let remote_class = matches!(error.class(), ErrorClass::Net | ErrorClass::Callback);
        // The remote's data exceed a limit: a new clone would exceed it too.
        let is_given_up = error.code() == ErrorCode::User;
        let is_behind = error.code() == ErrorCode::NotFastForward;
        Failure {
            cache_suspect: !remote_class && !is_behind && !is_given_up,
            error: PublishError::Git {
                step,
                url: self.address.shown.clone(),
                reason: self.session.take_reason().unwrap_or_else(|| self.address.scrub(error.message())),
                remedy,
            },
        }
    }
}

/// Whether this message of a remote means that a reference has moved since it was read.
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
