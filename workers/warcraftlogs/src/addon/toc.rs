//! Tables of contents: they tell a game client about an addon before it loads it, and which files to run.
//! <https://warcraft.wiki.gg/wiki/TOC_format>

use std::path::Path;

use anyhow::{Context, Result};

use super::{CORE, region_addon};
use crate::lua::format::{FORMAT, FORMAT_WITH_EXTRAS};

/// The client versions that the addon is declared for, as `select(4, GetBuildInfo())` returns them in each: retail
/// 12.0.0 and 11.2.7, Mists Classic 5.5.3, Classic Era 1.15.8. Other versions load it only if the user allows
/// out-of-date addons. <https://warcraft.wiki.gg/wiki/Public_client_builds>
const INTERFACES: &str = "120000, 110207, 50503, 11508";

const AUTHOR: &str = "Stint";
const VERSION: &str = "Version";
const UPDATED_AT: &str = "X-Updated-At";

/// The text of a table of contents: `## Field: value` lines, and file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toc(pub(crate) String);

impl Toc {
    /// Reads a table of contents.
    pub(crate) fn read(path: &Path) -> Result<Toc> {
        let text = std::fs::read_to_string(path);
        text.map(Toc).with_context(|| format!("cannot read the table of contents {}", path.display()))
    }

    /// The files that a client runs, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.0.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    /// The addon's version, if it has one.
    pub(crate) fn version(&self) -> Option<&str> {
        self.field(VERSION)
    }

    /// The newest day among a region's players.
    pub(crate) fn updated_at(&self) -> Option<&str> {
        self.field(UPDATED_AT)
    }

    /// The same table of contents with another version.
    pub(crate) fn with_version(&self, version: &str) -> Toc {
        let is_version = |line: &str| field_of(line).is_some_and(|(field, _)| field == VERSION);
        let lines = self.0.lines().map(|line| match is_version(line) {
            true => format!("## {VERSION}: {version}\n"),
            false => format!("{line}\n"),
        });
        Toc(lines.collect())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().filter_map(field_of).find(|(field, _)| *field == name).map(|(_, value)| value)
    }
}

fn field_of(line: &str) -> Option<(&str, &str)> {
    let (field, value) = line.strip_prefix("##")?.split_once(':')?;
    Some((field.trim(), value.trim()))
}

/// The core's table of contents. Its version is the program's until it is published: its files change when the program
/// does.
pub(super) fn core(files: &[&str]) -> String {
    let fields = [
        ("Title", CORE.to_owned()),
        ("Notes", "Ranks of players in tooltips, and by /stint".to_owned()),
        ("Author", AUTHOR.to_owned()),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ("X-Stint-Format", format!("{FORMAT}, {FORMAT_WITH_EXTRAS}")),
    ];
    text(&fields, files)
}

/// A region's table of contents. Its version is the day of its data until it is published.
pub(super) fn region(region: &str, format: u32, updated_at: &str, files: &[String]) -> String {
    let fields = [
        ("Title", region_addon(region)),
        ("Notes", format!("Ranks of players of the region {region}, for {CORE}")),
        ("Author", AUTHOR.to_owned()),
        (VERSION, updated_at.replace('-', ".")),
        ("Dependencies", CORE.to_owned()),
        ("LoadOnDemand", "1".to_owned()),
        ("X-Region", region.to_owned()),
        (UPDATED_AT, updated_at.to_owned()),
        ("X-Stint-Format", format.to_string()),
    ];
    text(&fields, files)
}

fn text(fields: &[(&str, String)], files: &[impl AsRef<str>]) -> String {
    let mut text = format!("## Interface: {INTERFACES}\n");
    for (field, value) in fields {
        text.push_str(&format!("## {field}: {value}\n"));
    }
    text.push('\n');
    for file in files {
        text.push_str(file.as_ref());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_replaced_and_nothing_else() {
        let toc = Toc(region("EU", FORMAT, "2026-11-20", &["Stint_EU.lua".to_owned()]));
        assert_eq!((toc.version(), toc.updated_at()), (Some("2026.11.20"), Some("2026-11-20")));
        let published = toc.with_version("2026.11.20-3");
        assert_eq!(published.version(), Some("2026.11.20-3"));
        assert_eq!(published.with_version("2026.11.20"), toc);
        assert_eq!(published.files().collect::<Vec<_>>(), ["Stint_EU.lua"]);
    }
}
