//! The list of a backup's files. It is written last, so a backup without a list is unfinished.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stint_embedded::upkeep::FileSpec;

use super::copies::{FolderCount, count_files};
use crate::atomic_file::AtomicFile;

/// The list's file name in the backup folder.
pub(super) const NAME: &str = "stint-backup.json";

/// The version of the list's format. Adding an optional field does not change it.
const FORMAT: u32 = 1;

/// The contents of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of Stint that made the backup.
    stint: String,
    /// The instant as of which all databases were copied.
    pub(super) taken_at: Timestamp,
    pub(super) files: Vec<FileEntry>,
    /// Folders of files that never change after they are written.
    pub(super) folders: Vec<FolderEntry>,
}

/// A database.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// In hexadecimal, as `sha256sum` prints it.
    sha256: String,
    /// The schema version.
    schema: i64,
}

/// A folder with its subfolders.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FolderEntry {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) count: FolderCount,
}

impl Manifest {
    pub(super) fn new(taken_at: Timestamp, files: Vec<FileEntry>, folders: Vec<FolderEntry>) -> Manifest {
        Manifest { format: FORMAT, stint: env!("CARGO_PKG_VERSION").to_owned(), taken_at, files, folders }
    }

    /// Returns the size of the backup in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let (files, folders) = (self.files.iter().map(|file| file.bytes), self.folders.iter());
        files.chain(folders.map(|folder| folder.count.bytes)).sum()
    }

    /// Writes the list into the folder, durably and atomically.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let mut file = AtomicFile::create(&folder.join(NAME), false)?;
        serde_json::to_writer_pretty(&mut file, self).context("cannot write the list of the backup")?;
        file.finish()?;
        sync_folder(folder).with_context(|| format!("cannot write {}", folder.display()))
    }

    /// Reads the list from a backup folder.
    pub(super) fn read(folder: &Path) -> Result<Manifest> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "there is no {NAME} in {}: it is not a backup, or an unfinished one; choose another",
                folder.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let manifest: Manifest =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let Manifest { format, stint, .. } = &manifest;
        ensure!(
            *format == FORMAT,
            "{} was written by stint {stint} in format {format}, and this version reads format {FORMAT}: use that version",
            path.display()
        );
        let files = manifest.files.iter().map(|file| &file.name);
        for name in files.chain(manifest.folders.iter().map(|folder| &folder.name)) {
            let is_plain = matches!(Path::new(name).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
            ensure!(is_plain, "{} names '{name}', which is not the name of a file", path.display());
        }
        Ok(manifest)
    }

    /// Compares the files in `folder` with the list.
    pub(super) fn verify(&self, folder: &Path, specs: &[FileSpec]) -> Result<()> {
        for file in &self.files {
            let path = folder.join(&file.name);
            let (bytes, sha256) = checksum(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(
                (bytes, &sha256) == (file.bytes, &file.sha256),
                "{} is not the file that was backed up ({bytes} bytes, SHA-256 {sha256}; the list says {} bytes, {}): the \
                 backup is damaged; choose another",
                path.display(),
                file.bytes,
                file.sha256
            );
            let known = specs.iter().find(|spec| spec.name == file.name).map(|spec| spec.migrations.len());
            ensure!(
                known.is_none_or(|known| usize::try_from(file.schema).is_ok_and(|schema| schema <= known)),
                "{} was written by stint {}, which is newer than this version: use that version",
                path.display(),
                self.stint
            );
        }
        for FolderEntry { name, count } in &self.folders {
            let path = folder.join(name);
            let there = count_files(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(
                there == *count,
                "{} has {} files of {} bytes, and the list says {} files of {} bytes: the backup is damaged; choose another",
                path.display(),
                there.files,
                there.bytes,
                count.files,
                count.bytes
            );
        }
        Ok(())
    }
}

impl FileEntry {
    /// Returns the entry for a finished copy.
    pub(super) fn of(folder: &Path, name: String, schema: i64) -> io::Result<FileEntry> {
        let (bytes, sha256) = checksum(&folder.join(&name))?;
        Ok(FileEntry { name, bytes, sha256, schema })
    }
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the length and the checksum of a file.
fn checksum(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok((bytes, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
