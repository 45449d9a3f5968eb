//! The history of the branch: which commits Stint made.

use std::collections::BTreeSet;

use git2::{Commit, Oid, Repository};

use super::message::published_by;
use super::version::Version;

/// The result of checking a history, as far as it was fetched.
pub(super) enum HistoryCheck {
    /// All of its commits are publications; their number.
    Ours(u64),
    /// One commit is not; its description.
    Foreign(String),
    /// The fetched commits are publications, and there are others before them.
    Cut,
}

/// The latest publication in the fetched part of a commit's history.
pub(super) fn latest_publication(repository: &Repository, from: Oid) -> Result<Option<(Oid, Version)>, git2::Error> {
    for oid in walk(repository, from)? {
        let oid = oid?;
        if let Some(version) = published_by(&repository.find_commit(oid)?) {
            return Ok(Some((oid, version)));
        }
    }
    Ok(None)
}

/// Checks the fetched part of a commit's history.
pub(super) fn look_through(repository: &Repository, from: Oid) -> Result<HistoryCheck, git2::Error> {
    let (mut seen, mut parents) = (BTreeSet::new(), BTreeSet::new());
    for oid in walk(repository, from)? {
        let commit = repository.find_commit(oid?)?;
        if published_by(&commit).is_none() {
            let subject = commit.summary().ok().flatten().unwrap_or_default();
            return Ok(HistoryCheck::Foreign(format!("{} {subject:?}", &commit.id().to_string()[..10])));
        }
        seen.insert(commit.id());
        parents.extend(parents_of(&commit));
    }
    Ok(if parents.is_subset(&seen) { HistoryCheck::Ours(seen.len() as u64) } else { HistoryCheck::Cut })
}

/// The commit's parents, including those that were not fetched: in a clone without them, libgit2 reports none.
fn parents_of(commit: &Commit<'_>) -> Vec<Oid> {
    let header = commit.raw_header_bytes().split(|byte| *byte == b'\n');
    let parents = header.filter_map(|line| std::str::from_utf8(line).ok()?.strip_prefix("parent "));
    parents.filter_map(|oid| Oid::from_str(oid).ok()).collect()
}

fn walk(repository: &Repository, from: Oid) -> Result<git2::Revwalk<'_>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(from)?;
    Ok(walk)
}
