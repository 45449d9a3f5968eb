//! The databases that an addon loads: Lua files in the folder of each region's addon ([`addon`](crate::addon)).
//!
//! A generation goes over all players three times: [`DatabaseWriter`] reads their documents and sorts them by region and
//! server, then counts what is common in a region, then writes each player as few digits as that allows, and reads them
//! back. [`lookup()`] and [`read_back`] read what it wrote. The format is in [`format`](mod@format) and in
//! `docs/lua-format.md`; the same players give the same bytes.

pub(crate) mod aside;
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
mod read;
mod record;
mod refuse;
mod region;
mod report;
mod row;
mod server;
mod spelling;
mod stage;
mod trailer;
mod verify;
mod writer;

pub use found::{Found, FoundEncounter, FoundRaid};
pub use lookup::lookup;
pub use options::{Field, Options};
pub use read::read_back;
pub use report::{LeftOut, Refused, RegionReport, Report, ServerReport};
pub use spelling::is_called;
pub use writer::DatabaseWriter;

use std::path::{Path, PathBuf};

use crate::addon::region_addon;

/// Where the last file of a region's database lies in the folder of all addons: that with the trailer.
pub fn database_path(folder: &Path, region: &str) -> PathBuf {
    let addon = region_addon(region);
    folder.join(&addon).join(format!("{addon}.lua"))
}

/// Where an earlier file of a database lies whose last one is at `last`: `Stint_EU_1.lua`.
fn part_path(last: &Path, part: usize) -> PathBuf {
    let stem = last.file_stem().unwrap_or_default().to_string_lossy();
    last.with_file_name(format!("{}_{part}.lua", stem.trim_start_matches('.').trim_end_matches(".lua")))
}
