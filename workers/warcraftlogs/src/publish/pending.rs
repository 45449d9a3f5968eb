//! What a publication would contain, on top of what the remote has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, Tree};
use jiff::civil::Date;

use super::changes::{RegionChange, compare};
use super::published_addon::{PublishedAddon, Scratch};
use super::version::Version;
use crate::addon::{Addon, is_addon, toc_path, write_whole};

/// The addons to publish.
pub(super) struct FreshAddons<'a> {
    /// The folder of all addons.
    pub(super) folder: &'a Path,
    pub(super) addons: Vec<Addon>,
    /// The newest day of their data.
    pub(super) day: Date,
}

/// A publication that is being prepared.
pub(super) struct PendingPublication<'a> {
    pub(super) version: Version,
    /// The addons that differ from what the branch has.
    pub(super) changed: Vec<&'a Addon>,
    /// One entry for each region among the changed addons.
    pub(super) regions: Vec<RegionChange>,
    /// The other addons, and the versions that they keep.
    kept: Vec<(&'a Addon, String)>,
}

impl<'a> PendingPublication<'a> {
    /// Compares the addons with those in a tree of the repository.
    pub(super) fn new(
        repository: &Repository,
        fresh: &'a FreshAddons<'_>,
        published: &Tree<'_>,
        tags: &BTreeMap<String, Oid>,
        comparisons: &mut Comparisons,
    ) -> anyhow::Result<PendingPublication<'a>> {
        let version = next_version(highest_published(repository, published), tags, fresh.day);
        let mut pending = PendingPublication { version, changed: Vec::new(), regions: Vec::new(), kept: Vec::new() };
        for addon in &fresh.addons {
            let published_addon = PublishedAddon::find(repository, published, &addon.name);
            match &published_addon {
                Some(published_addon) if published_addon.is_same_as(addon)? => {
                    pending.kept.push((addon, published_addon.toc.version().unwrap_or_default().to_owned()));
                    continue;
                }
                _ => pending.changed.push(addon),
            }
            if let Some(region) = addon.region() {
                pending.regions.push(comparisons.of(fresh.folder, addon, region, published_addon.as_ref())?);
            }
        }
        Ok(pending)
    }

    /// Whether the core's files changed.
    pub(super) fn has_core(&self) -> bool {
        self.changed.iter().any(|addon| addon.region().is_none())
    }

    /// Writes each addon's version into its table of contents, so that the folder is identical to what was published.
    pub(super) fn stamp(&self, fresh: &FreshAddons<'_>) -> anyhow::Result<()> {
        let kept = self.kept.iter().map(|(addon, version)| (*addon, version.clone()));
        for (addon, version) in self.changed.iter().map(|addon| (*addon, self.version.to_string())).chain(kept) {
            write_whole(&toc_path(fresh.folder, &addon.name), &addon.toc.with_version(&version).0)?;
        }
        Ok(())
    }
}

/// Comparisons of regions that were already made: they take seconds, and every attempt to push needs them.
pub(super) struct Comparisons {
    scratch: PathBuf,
    /// By region, and by the object that the branch had for it.
    known: BTreeMap<(String, Option<Oid>), RegionChange>,
}

impl Comparisons {
    /// Starts without comparisons. Earlier databases are written into the folder `scratch` to be read.
    pub(super) fn new(scratch: PathBuf) -> Comparisons {
        Comparisons { scratch, known: BTreeMap::new() }
    }

    fn of(
        &mut self,
        folder: &Path,
        addon: &Addon,
        region: &str,
        published_addon: Option<&PublishedAddon<'_>>,
    ) -> anyhow::Result<RegionChange> {
        let key = (region.to_owned(), published_addon.map(|published_addon| published_addon.tree.id()));
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let scratch = Scratch::new(self.scratch.clone());
        let before = match published_addon {
            Some(published_addon) => {
                published_addon.write_into(scratch.path(), &addon.name)?.map(|bytes| (scratch.path(), bytes))
            }
            None => None,
        };
        let mut bytes = 0;
        for (_, path) in addon.files().into_iter().skip(1) {
            bytes += path.metadata()?.len();
        }
        let change = compare(region, folder, before, bytes)?;
        self.known.insert(key, change.clone());
        Ok(change)
    }
}

/// The version after all that are published or tagged, with a tag that does not exist yet.
fn next_version(published: Option<Version>, tags: &BTreeMap<String, Oid>, day: Date) -> Version {
    let tagged = tags.keys().filter_map(|tag| Version::of_tag(tag));
    let mut version = Version::next(tagged.chain(published).max(), day);
    while tags.contains_key(&version.tag()) {
        version = Version::next(Some(version), day);
    }
    version
}

/// The highest version among the addons of a tree, including other publishers' addons.
pub(super) fn highest_published(repository: &Repository, published: &Tree<'_>) -> Option<Version> {
    let names = published.iter().filter_map(|entry| entry.name().ok().map(str::to_owned));
    names
        .filter(|name| is_addon(name))
        .filter_map(|name| {
            PublishedAddon::find(repository, published, &name).and_then(|published_addon| published_addon.version())
        })
        .max()
}
