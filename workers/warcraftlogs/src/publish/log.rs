//! The history of the branch: which commits are ours.

use git2::{Oid, Repository};

use super::message::published_by;
use super::version::Version;

/// A publication of ours lies no more than so many commits back, or is not looked for.
const LOOK_BACK: usize = 1_000;

/// The latest publication in the history of a commit.
pub(super) fn latest_publication(repository: &Repository, from: Oid) -> Result<Option<(Oid, Version)>, git2::Error> {
    for oid in walk(repository, from)?.take(LOOK_BACK) {
        let oid = oid?;
        if let Some(version) = published_by(&repository.find_commit(oid)?) {
            return Ok(Some((oid, version)));
        }
    }
    Ok(None)
}

/// How many commits a history has, if all of them are publications; else the one that is none, in a few words.
pub(super) fn count_publications(repository: &Repository, from: Oid) -> Result<Result<u64, String>, git2::Error> {
    let mut count = 0;
    for oid in walk(repository, from)? {
        let commit = repository.find_commit(oid?)?;
        if published_by(&commit).is_none() {
            let subject = commit.summary().ok().flatten().unwrap_or_default();
            return Ok(Err(format!("{} {subject:?}", &commit.id().to_string()[..10])));
        }
        count += 1;
    }
    Ok(Ok(count))
}

fn walk(repository: &Repository, from: Oid) -> Result<git2::Revwalk<'_>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(from)?;
    Ok(walk)
}
