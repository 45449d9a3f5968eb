//! Whether the files that never change are sound: each is read to its end.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{LARGE_FILE, size};
use crate::context::Context;
use crate::fleets::fleet::FolderSpec;
use crate::fleets::folders;
use crate::format::{count, number};

/// Damaged files that are named; the others are counted.
const MAX_FINDINGS: usize = 20;

/// A folder.
#[derive(Debug, Serialize)]
pub(super) struct FolderReport {
    pub(super) folder: &'static str,
    /// Files that were read, and their bytes.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// How many of them are damaged.
    pub(super) damaged: u64,
    /// The first of those.
    pub(super) findings: Vec<FileFinding>,
}

/// A damaged file.
#[derive(Debug, Serialize)]
pub(super) struct FileFinding {
    /// Its path below the folder.
    pub(super) file: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// Reads every file of the folders that are there.
pub(super) fn check_folders(context: &Context) -> Result<Vec<FolderReport>> {
    let mut reports = Vec::new();
    for spec in folders() {
        let folder = context.home.join(spec.name);
        if !folder.is_dir() {
            continue;
        }
        let mut report = FolderReport { folder: spec.name, files: 0, bytes: 0, damaged: 0, findings: Vec::new() };
        let read = read_below(&folder, "", spec, &mut report, &|report| {
            context.output.progress(&format!("{}: {} so far", report.folder, size(report.bytes)));
        });
        read.with_context(|| format!("cannot read the folder {}", folder.display()))?;
        reports.push(report);
    }
    Ok(reports)
}

impl FolderReport {
    /// Reads a file to its end. One that cannot be opened is damaged, unless it has gone: then it was a part of an upload.
    fn add(&mut self, file: String, entry: &DirEntry, spec: &FolderSpec) {
        let opened = File::open(entry.path()).and_then(|file| Ok((file.metadata()?.len(), file)));
        let found = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => Err(format!("it cannot be read: {error}")),
            Ok((bytes, opened)) => {
                self.bytes += bytes;
                (spec.verify)(&file, opened)
            }
        };
        self.files += 1;
        if let Err(reason) = found {
            self.damaged += 1;
            if self.findings.len() < MAX_FINDINGS {
                self.findings.push(FileFinding { file, reason });
            }
        }
    }
}

fn read_below(
    folder: &Path,
    below: &str,
    spec: &FolderSpec,
    report: &mut FolderReport,
    on_progress: &dyn Fn(&FolderReport),
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (format!("{below}{}", entry.file_name().to_string_lossy()), entry.file_type()?);
        if kind.is_dir() {
            read_below(&entry.path(), &format!("{path}/"), spec, report, on_progress)?;
        } else if kind.is_file() {
            let before = report.bytes / LARGE_FILE;
            report.add(path, &entry, spec);
            if report.bytes / LARGE_FILE != before {
                on_progress(report);
            }
        }
    }
    Ok(())
}

/// The damaged files of a folder, and the remedy. Empty where nothing is damaged.
pub(super) fn findings_text(report: &FolderReport) -> String {
    if report.damaged == 0 {
        return String::new();
    }
    let mut text = format!("\n{}\n", report.folder);
    report.findings.iter().for_each(|FileFinding { file, reason }| text.push_str(&format!("  {file}: {reason}\n")));
    let others = report.damaged - report.findings.len() as u64;
    if others > 0 {
        text.push_str(&format!("  and {} more\n", number(others)));
    }
    text + "  such files cannot be repaired: copy them from a backup of the same folder, under the same names\n"
}

/// A folder's row in the table.
pub(super) fn row(report: &FolderReport) -> [String; 3] {
    let state = match report.damaged {
        0 => count(report.files, "file", "files") + ", sound",
        damaged => format!("damaged: {} of {}", number(damaged), count(report.files, "file", "files")),
    };
    [report.folder.to_owned(), size(report.bytes), state]
}
