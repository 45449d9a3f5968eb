//! What lies beside the databases, so that a game client loads the folder as an addon.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::aside::Aside;
use super::format::FORMAT;
use super::lookup::regions;

/// The reverse mapping: Lua that reads the databases.
pub const READER_FILE: &str = "Stint.lua";
/// The table of contents that a game client wants. It loads it from a folder of the same name, `Stint`.
pub const TOC_FILE: &str = "Stint.toc";

const READER: &str = include_str!("reader.lua");
/// The client versions that the addon is declared for; a client loads others only when told to.
const INTERFACES: &str = "120000, 110207, 50503, 11508";

/// Writes the reader, and the table of contents with every database in the folder: the reader first.
pub(super) fn write(folder: &Path) -> Result<()> {
    let mut contents = format!(
        "## Interface: {INTERFACES}\n## Title: Stint\n## Notes: Ranks of players, by region and server\n\
         ## X-Stint-Format: {FORMAT}\n\n{READER_FILE}\n"
    );
    for region in regions(folder)? {
        let path = super::database_path(Path::new(""), &region);
        writeln!(contents, "{}", path.display())?;
    }
    write_whole(&folder.join(READER_FILE), READER)?;
    write_whole(&folder.join(TOC_FILE), &contents)
}

fn write_whole(path: &Path, text: &str) -> Result<()> {
    let (aside, mut file) = Aside::create(path.to_owned())?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    aside.publish()?;
    Ok(())
}
