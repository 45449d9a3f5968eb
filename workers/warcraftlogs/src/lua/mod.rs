//! The databases that an addon loads: Lua files in the folder of each region's addon ([`addon`](crate::addon)).
//!
//! A generation visits all players three times. [`DatabaseWriter`] parses their documents and sorts them by region and
//! server; then it counts the values in each region; then it writes each player in as few digits as the counts allow,
//! and reads them back. [`lookup()`] and [`read_back`] read what it wrote. The format is in [`format`](mod@format) and
//! in `docs/lua-format.md`; the same players give the same bytes.

mod brackets;
mod dictionary;
mod draft;
pub(crate) mod entropy;
pub(crate) mod extras;
pub mod format;
mod found;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod lookup;
mod name;
mod options;
pub(crate) mod partial_file;
mod read;
mod record;
mod region;
mod report;
mod row;
mod server;
mod spelling;
mod stage;
mod trailer;
mod validate;
mod verify;
mod writer;

pub use found::{Found, FoundEncounter, FoundRaid};
pub use lookup::lookup;
pub use options::{DatabaseOptions, Field};
pub use read::read_back;
pub use report::{GenerationReport, InvalidPlayer, LeftOut, RegionReport, ServerReport};
pub use spelling::is_called;
pub use writer::DatabaseWriter;

use std::path::{Path, PathBuf};

use crate::addon::region_addon;

/// The path, in the folder of all addons, of the last file of a region's database: the one with the trailer.
pub fn database_path(folder: &Path, region: &str) -> PathBuf {
    let addon = region_addon(region);
    folder.join(&addon).join(format!("{addon}.lua"))
}

/// The path of an earlier file of the database whose last file is at `last`: `Stint_EU_1.lua`.
fn part_path(last: &Path, part: usize) -> PathBuf {
    let stem = last.file_stem().unwrap_or_default().to_string_lossy();
    last.with_file_name(format!("{}_{part}.lua", stem.trim_start_matches('.').trim_end_matches(".lua")))
}
