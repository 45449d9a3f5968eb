//! Restores a backup.
//!
//! The files are assembled in a folder beside `STINT_HOME`, which then takes its place by a rename. The previous folder
//! is renamed too, and kept.
//!
//! # If the process exits between any two lines
//! * *Before the first rename:* `STINT_HOME` is unchanged. The next restore removes the assembled folder and starts
//!   again.
//! * *Between the two renames:* `STINT_HOME` does not exist, and both the old and the new folder lie beside it. The
//!   next restore creates a new one from the backup.
//! * *After the second rename:* the backup is restored.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Serialize;
use stint_embedded::upkeep::prepare_restored_files;

use super::copies::{copy_file, copy_folder};
use super::manifest::{Manifest, sync_folder};
use super::{file_timestamp, kill_point, lock_exclusively, size};
use crate::context::Context;
use crate::fleets::files;
use crate::format::count;
use crate::time_format::format_time;

/// The file that every process locks. It contains no data.
const LOCK: &str = ".lock";

/// Which backup to restore.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint restore /backups/stint-monday --dry-run\n  stint restore /backups/stint-monday \
                        --force\n\nThe backup is compared with its list first: databases by their checksums, pages by their number and size. No process may use the folder meanwhile. Its previous contents are moved to NAME.before-restore-TIME beside it.\n\nPoints that \
                        were spent since the backup are not spent again: each key's counter is read before the key is used. \
                        What was collected since then is still in that folder, and can be imported from it without spending points again:\n  stint --home NAME.before-restore-TIME data export \
                        FLEET COLLECTION FILE\n  stint data import FLEET COLLECTION FILE"
)]
pub(crate) struct Arguments {
    /// The folder of the backup.
    pub(super) dir: PathBuf,
    /// Compare the backup with its list, say what would be done, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Restore although the folder holds data, which is moved aside.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Serialize)]
struct RestoreReport<'a> {
    folder: &'a Path,
    from: &'a Path,
    taken_at: Timestamp,
    files: Vec<&'a str>,
    bytes: u64,
    /// The folder to which the previous contents were moved, or would be moved.
    aside: Option<&'a Path>,
    dry_run: bool,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let Arguments { dir, dry_run, force } = arguments;
    let (manifest, specs) = (Manifest::read(dir)?, files());
    manifest.verify(dir, &specs)?;
    let home = place(&context.home)?;
    let beside = |behind: &str| home.with_file_name(format!("{}{behind}", super::name(&home)));
    let aside = holds_data(&home)?.then(|| beside(&format!(".before-restore-{}", file_timestamp(context.clock.now()))));
    ensure!(
        aside.is_none() || *force || *dry_run,
        "{} holds data: add --force to move it aside and restore the backup in its place; nothing was changed",
        context.home.display()
    );
    if !dry_run {
        let _lock = home.is_dir().then(|| lock_exclusively(&home, "restore a backup into it")).transpose()?;
        let new = beside(".restoring");
        assemble(&manifest, dir, &new).with_context(|| format!("cannot restore into {}", new.display()))?;
        kill_point();
        prepare_restored_files(&new)?;
        kill_point();
        replace_folder(&new, &home, aside.as_deref())?;
    }
    let report = RestoreReport {
        folder: &context.home,
        from: dir,
        taken_at: manifest.taken_at,
        files: manifest.files.iter().map(|file| file.name.as_str()).collect(),
        bytes: manifest.bytes(),
        aside: aside.as_deref(),
        dry_run: *dry_run,
    };
    context.output.result(&report, |report| to_text(report, context.clock.now()))
}

/// Returns the folder itself if `STINT_HOME` is a symbolic link to it.
fn place(home: &Path) -> Result<PathBuf> {
    let place = if home.exists() { home.canonicalize() } else { absolute(home) };
    place.with_context(|| format!("STINT_HOME: cannot find the folder {}", home.display()))
}

fn holds_data(home: &Path) -> Result<bool> {
    if !home.exists() {
        return Ok(false);
    }
    let entries = fs::read_dir(home).with_context(|| format!("cannot read the folder {}", home.display()))?;
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(names.any(|name| name != LOCK))
}

/// Copies the backup into the new folder, which is on the same file system as `STINT_HOME`.
fn assemble(manifest: &Manifest, dir: &Path, new: &Path) -> std::io::Result<()> {
    if new.exists() {
        fs::remove_dir_all(new)?;
    }
    kill_point();
    fs::create_dir_all(new)?;
    for file in &manifest.files {
        copy_file(&dir.join(&file.name), &new.join(&file.name))?;
    }
    for folder in &manifest.folders {
        copy_folder(&dir.join(&folder.name), &new.join(&folder.name), &mut |_| ())?;
    }
    sync_folder(new)
}

/// Moves the new folder to the place of the old one. If that fails, the old one gets its name back.
fn replace_folder(new: &Path, home: &Path, aside: Option<&Path>) -> Result<()> {
    let rename = |from: &Path, to: &Path| {
        fs::rename(from, to).with_context(|| {
            format!(
                "cannot rename {} to {}; where STINT_HOME is a disk of its own, restore into a folder on it with --home",
                from.display(),
                to.display()
            )
        })
    };
    match aside {
        Some(aside) => {
            rename(home, aside)?;
            kill_point();
        }
        // The folder contains nothing except the lock that this process holds.
        None if home.exists() => {
            let cleared = fs::remove_file(home.join(LOCK)).and_then(|()| {
                kill_point();
                fs::remove_dir(home)
            });
            cleared.with_context(|| format!("cannot replace the folder {}", home.display()))?;
            kill_point();
        }
        None => {}
    }
    if let Err(error) = rename(new, home) {
        return match aside.map(|aside| rename(aside, home)) {
            Some(Err(second)) => Err(error.context(format!("the previous folder could not be moved back: {second:#}"))),
            Some(Ok(())) | None => Err(error),
        };
    }
    kill_point();
    let parent = home.parent().unwrap_or(home);
    sync_folder(parent).with_context(|| format!("cannot write {}", parent.display()))
}

fn to_text(report: &RestoreReport<'_>, now: Timestamp) -> String {
    let RestoreReport { folder, from, taken_at, files, bytes, aside, dry_run } = report;
    let databases = count(files.len() as u64, "database", "databases");
    let taken = format_time(*taken_at, now);
    let verb = if *dry_run { "would restore" } else { "restored" };
    let mut text =
        format!("{verb} {databases}, {}, of {taken} from {} into {}\n", size(*bytes), from.display(), folder.display());
    if let Some(aside) = aside {
        let tense = if *dry_run { "would be" } else { "are" };
        text.push_str(&format!("the previous contents {tense} in {}\n", aside.display()));
    }
    if !dry_run {
        text.push_str("each key is read before it is used; continue with `stint up`\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_replaced_keeps_its_name() {
        let around = tempfile::tempdir().unwrap();
        let [new, home, aside] = ["new", "home", "aside"].map(|name| around.path().join(name));
        fs::create_dir(&home).unwrap();
        fs::write(home.join("keys.db"), "what was there").unwrap();
        let error = replace_folder(&new, &home, Some(&aside)).unwrap_err();
        assert!(error.to_string().starts_with("cannot rename "), "{error}");
        assert_eq!(fs::read_to_string(home.join("keys.db")).unwrap(), "what was there");
        assert!(!aside.exists());
        fs::create_dir(&new).unwrap();
        replace_folder(&new, &home, Some(&aside)).unwrap();
        assert!(home.exists() && !new.exists() && aside.join("keys.db").is_file());
    }
}
