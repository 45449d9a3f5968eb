//! Reads the addons in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::toc::Toc;
use super::{CORE, REMEDY, is_file_name, region_addon, region_of, toc_path};
use crate::lua::{Found, read_back};

/// One of Stint's addons, as its table of contents describes it.
#[derive(Clone, Debug)]
pub(crate) struct Addon {
    /// `Stint` or `Stint_EU`: also its folder's name.
    pub(crate) name: String,
    pub(crate) toc: Toc,
    folder: PathBuf,
}

impl Addon {
    /// Reads the table of contents of an addon in the folder of all addons, and checks that its files exist.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Addon> {
        let path = toc_path(folder, name);
        let addon = Addon { name: name.to_owned(), toc: Toc::read(&path)?, folder: folder.join(name) };
        let toc = path.display();
        for (name, path) in addon.files().into_iter().skip(1) {
            ensure!(is_file_name(&name), "{toc} lists {name:?}, which is no plain name of a file; {REMEDY}");
            ensure!(path.is_file(), "{toc} lists a file that is not there: {}", path.display());
        }
        Ok(addon)
    }

    /// All files of the addon, with names and paths: the table of contents first, then the files that it lists.
    pub(crate) fn files(&self) -> Vec<(String, PathBuf)> {
        let names = [self.toc_name()].into_iter().chain(self.toc.files().map(str::to_owned));
        names.map(|name| (name.clone(), self.folder.join(name))).collect()
    }

    pub(crate) fn toc_name(&self) -> String {
        format!("{}.toc", self.name)
    }

    /// `None` for the core.
    pub(crate) fn region(&self) -> Option<&str> {
        region_of(&self.name)
    }
}

/// All of Stint's addons in a folder: the core first, then the regions in ascending order.
pub(crate) fn addons(folder: &Path) -> Result<Vec<Addon>> {
    let core = toc_path(folder, CORE).is_file().then(|| CORE.to_owned());
    let names = core.into_iter().chain(regions(folder)?.into_iter().map(|region| region_addon(&region)));
    names.map(|name| Addon::read(folder, &name)).collect()
}

/// The regions that have a database in this folder, in ascending order.
pub fn regions(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list the folder {} for databases; {REMEDY}", folder.display()))?;
    let mut regions = Vec::new();
    for entry in entries {
        let name = entry.with_context(|| format!("cannot list the folder {}", folder.display()))?.file_name();
        let name = name.to_string_lossy();
        let region = region_of(&name).filter(|_| toc_path(folder, &name).is_file());
        regions.extend(region.map(str::to_owned));
    }
    regions.sort_unstable();
    Ok(regions)
}

/// The files of a region's database, in the order in which its table of contents lists them.
pub fn database_files(folder: &Path, region: &str) -> Result<Vec<PathBuf>> {
    let addon = Addon::read(folder, &region_addon(region))?;
    Ok(addon.files().into_iter().skip(1).map(|(_, path)| path).collect())
}

/// All players of a region, in the order of its files. Damage is an error that names the file.
pub fn players(folder: &Path, region: &str) -> Result<impl Iterator<Item = Result<Found>> + use<>> {
    let files = database_files(folder, region)?;
    let last = files.last().with_context(|| format!("the addon of region {region} has no files; {REMEDY}"))?;
    Ok(read_back(last))
}
