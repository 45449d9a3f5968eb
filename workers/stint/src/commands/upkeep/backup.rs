//! Copies everything in the folder as of one instant, while fleets run.
//!
//! All databases are copied as of the same instant (see [`stint_embedded::upkeep::Snapshot`]), so the copy equals what
//! a crash at that instant would have left. Files that never change, such as the pages of a river, are copied
//! afterwards: every file that the databases refer to is then included, and files written since do no harm.
//!
//! # If the process exits between any two lines
//! The backup has no list, because the list is written last. `stint restore` refuses such a backup, and so does the
//! next `stint backup` into that folder.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use stint_embedded::FolderLock;
use stint_embedded::upkeep::{CopiedFile, CopyProgress, Snapshot};

use super::copies::{FolderCount, copy_folder};
use super::manifest::{FileEntry, FolderEntry, Manifest, NAME};
use super::{LARGE_FILE, files_of, kill_point, size};
use crate::context::Context;
use crate::fleets::fleet::FolderSpec;
use crate::fleets::{files, folders};
use crate::format::{count, number};
use crate::shell;

/// Bytes copied between two progress messages.
const PROGRESS_BYTES: u64 = LARGE_FILE;

/// The approximate size of a page in bytes. It only determines how often progress is reported.
const PAGE_BYTES: u64 = 4_096;

/// Where to write the backup.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  stint backup /backups/stint-monday\n\nFleets may run meanwhile. All files are copied as \
                        they are at one instant; writers wait for some milliseconds. The backup has everything except what can be generated again: databases for the addon, and the clone of their repository. Restore it with `stint restore`; compare it by `sha256sum` with the checksums in its stint-backup.json. Data in MongoDB or on AWS is backed up there."
)]
pub(crate) struct Arguments {
    /// A new folder, or an empty one.
    pub(super) dir: PathBuf,
    /// Leave out the pages of rivers, of which there may be many gigabytes.
    #[arg(long)]
    pub(super) without_pages: bool,
}

#[derive(Serialize)]
struct BackupReport<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let dir = &arguments.dir;
    files_of(context)?;
    prepare(dir, &context.home)?;
    kill_point();
    let _lock = FolderLock::shared(&context.home)?;
    let (snapshot, taken_at) = (Snapshot::take(&context.home)?, context.clock.now());
    kill_point();
    let mut reported = 0;
    let on_progress = |progress: CopyProgress<'_>| {
        kill_point();
        let CopyProgress { name, done, pages } = progress;
        if pages * PAGE_BYTES >= LARGE_FILE && done * PAGE_BYTES / PROGRESS_BYTES != reported {
            reported = done * PAGE_BYTES / PROGRESS_BYTES;
            context.output.progress(&format!("{name}: {} of {} pages", number(done), number(pages)));
        }
    };
    let copied = snapshot.copy_into(dir, &files(), on_progress)?;
    drop(snapshot);
    kill_point();
    copied.iter().try_for_each(is_sound)?;
    let folders = copy_folders(arguments, context)?;
    let entries = copied.into_iter().map(|copy| FileEntry::of(dir, copy.name, copy.schema));
    let entries = entries.collect::<std::io::Result<Vec<_>>>();
    let entries = entries.with_context(|| format!("cannot read the backup in {}", dir.display()))?;
    let manifest = Manifest::new(taken_at, entries, folders);
    kill_point();
    manifest.write(dir)?;
    kill_point();
    context.output.result(&BackupReport { folder: dir, manifest: &manifest }, |report| {
        let files = count(report.manifest.files.len() as u64, "database", "databases");
        let folders = report.manifest.folders.iter();
        let folders =
            folders.map(|folder| format!(", {} of {}", count(folder.count.files, "file", "files"), folder.name));
        let folders: String = folders.collect();
        format!(
            "backed up {files}{folders}, {} in all, as of {taken_at}, into {}; restore it with `{} restore {}`\n",
            size(report.manifest.bytes()),
            report.folder.display(),
            shell::program(),
            shell::path(report.folder)
        )
    })
}

/// Creates the folder. Fails if it contains anything, because that may be another backup.
fn prepare(dir: &Path, home: &Path) -> Result<()> {
    let (inside, of) = (absolute(dir)?, absolute(home)?);
    ensure!(
        !inside.starts_with(&of),
        "{} is inside STINT_HOME, the folder to back up: choose a folder outside it, best on another disk",
        dir.display()
    );
    let cannot = || format!("cannot write to the folder {}", dir.display());
    fs::create_dir_all(dir).with_context(cannot)?;
    if fs::read_dir(dir).with_context(cannot)?.next().is_none() {
        return Ok(());
    }
    if dir.join(NAME).is_file() {
        bail!("{} has a backup already: choose another folder", dir.display());
    }
    bail!(
        "{} is not empty: choose another folder, or remove its contents if they are an unfinished backup",
        dir.display()
    )
}

/// Fails if the copy is damaged: a copy of a damaged file is not a backup.
fn is_sound(copy: &CopiedFile) -> Result<()> {
    match copy.findings.first() {
        None => Ok(()),
        Some(finding) => bail!(
            "{} is damaged ({}), and so is its copy: the copy is not a usable backup. See `stint check`, and repair it with `stint check \
             --repair`, or restore an earlier backup with `stint restore`",
            copy.name,
            finding.text
        ),
    }
}

/// Copies the folders of immutable files that exist in `STINT_HOME`.
fn copy_folders(arguments: &Arguments, context: &Context) -> Result<Vec<FolderEntry>> {
    let mut entries = Vec::new();
    for FolderSpec { name, .. } in folders().filter(|_| !arguments.without_pages) {
        let from = context.home.join(name);
        if !from.is_dir() {
            continue;
        }
        let mut reported = 0;
        let mut on_progress = |count: FolderCount| {
            if count.bytes / PROGRESS_BYTES != reported {
                reported = count.bytes / PROGRESS_BYTES;
                context.output.progress(&format!("{name}: {} so far", size(count.bytes)));
            }
        };
        let copied = copy_folder(&from, &arguments.dir.join(name), &mut on_progress);
        let count = copied.with_context(|| format!("cannot copy {}", from.display()))?;
        entries.push(FolderEntry { name: (*name).to_owned(), count });
    }
    Ok(entries)
}
