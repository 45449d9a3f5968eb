//! Maintenance of the folder: checks, repairs, backups and restores.

pub(crate) mod backup;
pub(crate) mod check;
mod copies;
mod folders;
mod manifest;
mod repair;
pub(crate) mod restore;
mod start;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stint_embedded::FolderLock;
use stint_embedded::upkeep::{databases, hosts};

use crate::context::Context;

pub(super) use start::check_after_unclean_stop;

/// Files of at least this length take so long that progress is reported.
const LARGE_FILE: u64 = 256 << 20;

/// Returns the databases in the folder. Fails if there are none.
fn files_of(context: &Context) -> anyhow::Result<Vec<PathBuf>> {
    let home = &context.home;
    let files = databases(home).with_context(|| format!("cannot read the folder {}", home.display()))?;
    ensure!(
        !files.is_empty(),
        "{} is not a Stint folder: select another folder with --home or STINT_HOME; data in MongoDB or on AWS is maintained there",
        home.display()
    );
    Ok(files)
}

/// Locks other processes out of the folder until the returned lock is dropped. The error names the processes that run
/// fleets in it.
fn lock_exclusively(home: &Path, to_do: &str) -> anyhow::Result<FolderLock> {
    FolderLock::exclusive(home).ok_or_else(|| {
        let running = hosts(home).unwrap_or_default();
        let names = if running.is_empty() { String::new() } else { format!(" ({})", running.join(", ")) };
        anyhow!(
            "another stint process has the folder {} open{names}: stop it before you {to_do}; nothing was changed",
            home.display()
        )
    })
}

/// A place at which the tests of this folder exit the process. Does nothing in other builds.
fn kill_point() {
    #[cfg(test)]
    stint_testkit::kill_points::kill_point();
}

/// Formats a time for use in a file name: `20261120T100000Z`.
fn file_timestamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Returns a file's name without its folder.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Formats a length in bytes: `512 B`, `64.0 KiB`, `1.5 GiB`.
fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") }
}
