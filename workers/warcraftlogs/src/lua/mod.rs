//! The databases that an addon loads: one Lua file per region, written while the players stream by, and read back.
//!
//! [`DatabaseWriter`] takes players in order and holds one server of them; [`lookup()`] and [`read_back`] read what it
//! wrote. The format is in [`format`](mod@format); the same players give the same bytes.

mod aside;
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
mod toc;
mod trailer;
mod verify;
mod writer;

pub use found::{Found, FoundEncounter, FoundRaid};
pub use lookup::{lookup, regions};
pub use read::read_back;
pub use report::{Refused, RegionReport, Report};
pub use toc::{READER_FILE, TOC_FILE};
pub use writer::DatabaseWriter;

use std::path::{Path, PathBuf};

/// Where the database of a region lies in its folder.
pub fn database_path(folder: &Path, region: &str) -> PathBuf {
    folder.join(format!("{DATABASE_PREFIX}{region}{DATABASE_SUFFIX}"))
}

const DATABASE_PREFIX: &str = "Stint_";
const DATABASE_SUFFIX: &str = ".lua";
