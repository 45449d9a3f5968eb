//! Pushes into a bare repository on this machine.
//!
//! A server compares before it moves a reference. libgit2 does not do so for a path, and would overwrite a commit that
//! was pushed after its check. So objects are pushed to a separate reference, and then the branch is moved by a
//! comparing update.

use std::fs::OpenOptions;
use std::io::Write;

use git2::{ErrorClass, ErrorCode, Oid, Repository};

use super::checks::local_path;
use super::remote::Push;

/// Prefix of the references, in a repository on this machine, of commits on their way to a branch.
pub(super) const INCOMING: &str = "refs/stint/incoming-";

/// The repository itself, if it is a bare one on this machine.
pub(super) fn open(url: &str) -> Option<Repository> {
    Repository::open_bare(local_path(url)?).ok()
}

/// Moves a reference from `expected`, or creates it if that is `None`, unless another process was faster.
pub(super) fn move_reference(
    target: &Repository,
    name: &str,
    commit: Oid,
    expected: Option<Oid>,
) -> Result<Push, git2::Error> {
    let moved = match expected {
        Some(expected) => target.reference_matching(name, commit, true, expected, "stint").map(drop),
        None => create_reference(target, name, commit),
    };
    match moved {
        Ok(()) => Ok(Push::Done),
        Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked) => {
            Ok(Push::Raced(error.message().to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Whether the error is about another publisher's incoming reference that was listed, and deleted before it was read.
pub(super) fn is_vanished_incoming(error: &git2::Error) -> bool {
    error.code() == ErrorCode::NotFound && error.message().contains(INCOMING)
}

/// Creates a reference unless it exists. libgit2 checks before it locks, so that of two processes that create the same
/// reference, the second overwrites the first's; here git's own lock file is taken first.
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
    // Exclusive: the process that creates it may check and write.
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
        // A lock file left behind would lock the branch for good.
        let _ = std::fs::remove_file(&lock);
        generic(error)
    })
}
