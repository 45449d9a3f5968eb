//! Fetches the branch: its latest commit, and as many earlier ones as a publication needs.
//!
//! A repository on this machine is read in place, and nothing of it is copied.

use std::collections::BTreeMap;

use git2::{Direction, FetchOptions, Oid, RemoteCallbacks, Repository};

use super::local;
use super::remote::{Failure, Remote, TAGS};
use super::wire::MAX_REFERENCES;

/// A reference of Stint's own in the cache: nothing else depends on what an earlier run left there.
const FETCHED: &str = "refs/stint/fetched";

/// How much of the branch's history is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// This many commits, counted from the latest one.
    Commits(i32),
    /// All commits.
    Whole,
}

impl Depth {
    /// The depth that a push needs: the files of the branch.
    pub(super) const TIP: Depth = Depth::Commits(1);

    /// The depth for libgit2: its largest number stands for all commits.
    /// <https://libgit2.org/docs/reference/main/remote/git_fetch_depth_t.html>
    fn commits(self) -> i32 {
        match self {
            Depth::Commits(commits) => commits,
            Depth::Whole => i32::MAX,
        }
    }
}

/// The state of the remote.
pub(super) struct RemoteState {
    /// The branch's commit. `None` when the remote does not have the branch, or has nothing at all.
    pub(super) parent: Option<Oid>,
    /// Every tag, by name; for an annotated tag, the tag's own id.
    pub(super) tags: BTreeMap<String, Oid>,
}

impl RemoteState {
    /// Sorts the references that a remote lists; `branch` is a reference's full name.
    fn of<'a>(listed: impl Iterator<Item = (&'a str, Oid)>, branch: &str) -> Result<RemoteState, git2::Error> {
        let mut fetched = RemoteState { parent: None, tags: BTreeMap::new() };
        for (count, (name, oid)) in listed.enumerate() {
            if count >= MAX_REFERENCES {
                let text = format!("it lists more than {MAX_REFERENCES} references, and no more of them are read");
                return Err(git2::Error::from_str(&text));
            }
            if name == branch {
                fetched.parent = Some(oid);
            }
            // A name ending in `^{}` is the commit of an annotated tag, listed beside the tag.
            if let Some(tag) = name.strip_prefix(TAGS).filter(|tag| !tag.ends_with("^{}")) {
                fetched.tags.insert(tag.to_owned(), oid);
            }
        }
        Ok(fetched)
    }
}

impl Remote<'_> {
    /// Fetches the branch's latest commits, and lists the tags.
    pub(super) fn fetch(&self, repository: &Repository, depth: Depth) -> Result<RemoteState, Failure> {
        const REMEDY: &str = "see that the address is right, the network is up and the token or key may read it";
        let fetched = match local::open(&self.address.url) {
            Some(target) => self.read(repository, &target),
            None => self.fetch_over_the_network(repository, depth),
        };
        fetched.map_err(|error| self.failure("fetch from", REMEDY, &error))
    }

    /// Reads a repository on this machine. From now on its objects are found without being copied.
    fn read(&self, repository: &Repository, target: &Repository) -> Result<RemoteState, git2::Error> {
        let objects = target.path().join("objects");
        let objects = objects.to_str().ok_or_else(|| git2::Error::from_str("its path is not UTF-8"))?;
        repository.odb()?.add_disk_alternate(objects)?;
        let branch = self.branch_reference();
        let mut listed = Vec::new();
        for name in target.references()?.names() {
            let name = name?.to_owned();
            // Another publisher's incoming reference may be deleted before it is read.
            if let Ok(oid) = target.refname_to_id(&name) {
                listed.push((name, oid));
            }
        }
        RemoteState::of(listed.iter().map(|(name, oid)| (name.as_str(), *oid)), &branch)
    }

    fn fetch_over_the_network(&self, repository: &Repository, depth: Depth) -> Result<RemoteState, git2::Error> {
        let branch = self.branch_reference();
        // They must outlive the connection, which calls them until it ends.
        let mut options = FetchOptions::new();
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| self.session.may_go_on(progress.total_objects()));
        options.remote_callbacks(callbacks).download_tags(git2::AutotagOption::None);
        options.follow_redirects(git2::RemoteRedirect::None).depth(depth.commits());
        let mut remote = repository.remote_anonymous(&self.address.url)?;
        let mut connection = remote.connect_auth(Direction::Fetch, None, None)?;
        let fetched = RemoteState::of(connection.list()?.iter().map(|head| (head.name(), head.oid())), &branch)?;
        let Some(parent) = fetched.parent else { return Ok(fetched) };
        // A commit pushed by this process is already here, with all its objects.
        if depth == Depth::TIP && repository.find_commit(parent).is_ok() {
            return Ok(fetched);
        }
        connection.remote().fetch(&[format!("+{branch}:{FETCHED}")], Some(&mut options), None)?;
        let parent = Some(repository.refname_to_id(FETCHED)?);
        Ok(RemoteState { parent, ..fetched })
    }
}
