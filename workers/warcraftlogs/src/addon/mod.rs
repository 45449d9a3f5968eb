//! The addon in its installed form: folders to copy into `Interface/AddOns`.
//!
//! `Stint/` is the core: it reads databases and shows what they contain. `Stint_<REGION>/` has a region's database; a
//! game client loads it only when the core asks, which is at the login of a character of that region. Each folder has a
//! table of contents that lists its files; a folder without one is not an addon, for the client and for Stint.

mod archive;
mod installed;
mod toc;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::lua::partial_file::PartialFile;
use crate::names;
pub use archive::{Archive, write_archives};
pub(crate) use installed::{Addon, addons};
pub use installed::{database_files, players, regions};
pub(crate) use toc::Toc;

/// The name of the core and of its folder.
pub const CORE: &str = "Stint";

/// How to get databases, if there are none.
pub(crate) const REMEDY: &str = "generate them with 'stint run wcl/db-generator' or try 'stint demo'";

/// The core's files in the order in which a client runs them. The first needs neither the game nor the other files.
const CORE_FILES: [(&str, &str); 7] = [
    (
        "Stint.lua",
        concat!(
            include_str!("../lua/reader/models.lua"),
            include_str!("../lua/reader/extras.lua"),
            include_str!("../lua/reader/records.lua"),
            include_str!("../lua/reader/lookup.lua")
        ),
    ),
    ("Colours.lua", include_str!("files/Colours.lua")),
    ("Journal.lua", include_str!("files/Journal.lua")),
    ("Lines.lua", include_str!("files/Lines.lua")),
    ("Loader.lua", include_str!("files/Loader.lua")),
    ("Tooltip.lua", include_str!("files/Tooltip.lua")),
    ("Command.lua", include_str!("files/Command.lua")),
];

/// Generated from the tables of [`names`]. The files before it need it only when their functions are called.
const NAMES_FILE: &str = "Names.lua";

/// Starts what the other files define.
const MAIN_FILE: (&str, &str) = ("Main.lua", include_str!("files/Main.lua"));

/// The name of a region's addon, and of its folder: `Stint_EU`.
pub fn region_addon(region: &str) -> String {
    format!("{CORE}_{region}")
}

/// The region of an addon with this name.
fn region_of(addon: &str) -> Option<&str> {
    addon.strip_prefix(CORE)?.strip_prefix('_').filter(|region| !region.is_empty())
}

/// Whether one of Stint's addons has this name.
pub(crate) fn is_addon(name: &str) -> bool {
    name == CORE || region_of(name).is_some()
}

/// The longest name of a file that may belong to an addon.
const MAX_FILE_NAME: usize = 100;

/// Whether a file with this name may belong to an addon. Anyone who can write to the repository can change a table of
/// contents. So a name is plain ASCII without a folder in it: on every system it is a file in the addon's own folder.
pub(crate) fn is_file_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=MAX_FILE_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain)
}

/// The path of an addon's table of contents in the folder of all addons.
pub(crate) fn toc_path(folder: &Path, addon: &str) -> PathBuf {
    folder.join(addon).join(format!("{addon}.toc"))
}

/// Writes the core's files, and removes none: other files in its folder stay.
pub(crate) fn write_core(folder: &Path) -> Result<()> {
    create_addon(folder, CORE)?;
    let names = names::in_lua();
    let files: Vec<(&str, &str)> = CORE_FILES.into_iter().chain([(NAMES_FILE, names.as_str()), MAIN_FILE]).collect();
    for (name, text) in &files {
        write_whole(&folder.join(CORE).join(name), text)?;
    }
    let files: Vec<&str> = files.into_iter().map(|(name, _)| name).collect();
    write_whole(&toc_path(folder, CORE), &toc::core(&files))
}

/// Writes the table of contents of a region's addon, whose files are already in place, and removes databases of an
/// earlier generation that it does not list. `format` is the database's, `updated_at` is the newest day among its
/// players.
pub(crate) fn write_region(folder: &Path, region: &str, format: u32, updated_at: &str, files: &[String]) -> Result<()> {
    let addon = region_addon(region);
    let place = create_addon(folder, &addon)?;
    write_whole(&toc_path(folder, &addon), &toc::region(region, format, updated_at, files))?;
    remove_others(&place, &addon, files).with_context(|| format!("cannot clear up {}", place.display()))
}

/// Removes files with a database's name that the addon does not list.
fn remove_others(place: &Path, addon: &str, files: &[String]) -> std::io::Result<()> {
    for entry in place.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_database = name.strip_prefix(addon).is_some_and(|rest| rest.ends_with(".lua"));
        if is_database && !files.contains(&name) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Creates an addon's folder.
pub(crate) fn create_addon(folder: &Path, addon: &str) -> Result<PathBuf> {
    let folder = folder.join(addon);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {} for the databases", folder.display()))?;
    Ok(folder)
}

/// Writes a file that appears under its name only when it is complete.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let (partial_file, mut file) = PartialFile::create(path.to_owned())?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    partial_file.publish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::format::FORMAT;

    #[test]
    fn a_name_that_leads_out_of_its_folder_is_no_file_of_an_addon() {
        for name in ["Stint.lua", "Stint_EU.toc", "Stint_EU_2.lua", "a-b.c"] {
            assert!(is_file_name(name), "{name}");
        }
        let long = "a".repeat(MAX_FILE_NAME + 1);
        for name in ["", ".", "..", ".hidden", "../x", "a/b", "/etc/x", "a\\b", "C:x", "a b", "a\0", "ä", "a\n", &long]
        {
            assert!(!is_file_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_table_of_contents_cannot_name_files_of_others() {
        let folder = tempfile::tempdir().unwrap();
        write_region(folder.path(), "EU", FORMAT, "2026-11-20", &["../secret.lua".to_owned()]).unwrap();
        std::fs::write(folder.path().join("secret.lua"), "").unwrap();
        let error = Addon::read(folder.path(), "Stint_EU").unwrap_err().to_string();
        assert!(error.contains("Stint_EU.toc") && error.contains("\"../secret.lua\""), "{error}");
    }

    #[test]
    fn databases_of_an_earlier_generation_go_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = create_addon(folder.path(), "Stint_EU").unwrap();
        for name in ["Stint_EU_1.lua", "Stint_EU_2.lua", "notes.lua", ".Stint_EU_3.lua.partial"] {
            std::fs::write(place.join(name), "").unwrap();
        }
        write_region(folder.path(), "EU", FORMAT, "2026-11-20", &["Stint_EU_1.lua".to_owned()]).unwrap();
        let mut left: Vec<_> = place.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".Stint_EU_3.lua.partial", "Stint_EU.toc", "Stint_EU_1.lua", "notes.lua"]);
        assert_eq!(database_files(folder.path(), "EU").unwrap(), [place.join("Stint_EU_1.lua")]);
        assert_eq!(regions(folder.path()).unwrap(), ["EU"]);
    }
}
