//! The databases that an addon loads: a Lua file in the folder of each region's addon ([`addon`](crate::addon)), written while the players stream by, and read back.
//!
//! [`DatabaseWriter`] takes players in order and holds one server of them; [`lookup()`] and [`read_back`] read what it
//! wrote. The format is in [`format`](mod@format); the same players give the same bytes.

pub(crate) mod aside;
mod decode;
mod dictionary;
mod digest;
pub mod format;
mod found;
mod lookup;
mod read;
mod refuse;
mod region;
mod report;
mod server;
mod trailer;
mod verify;
mod writer;

pub use found::{Found, FoundEncounter, FoundRaid};
pub use lookup::lookup;
pub use read::read_back;
pub use report::{Refused, RegionReport, Report};
pub use writer::DatabaseWriter;

use std::path::{Path, PathBuf};

use crate::addon::region_addon;

/// Where the database of a region lies in the folder of all addons.
pub fn database_path(folder: &Path, region: &str) -> PathBuf {
    let addon = region_addon(region);
    folder.join(&addon).join(format!("{addon}.lua"))
}
