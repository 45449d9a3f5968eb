//! Checks whether the files of the folder are sound.

use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use stint_embedded::upkeep::{CheckDepth, CheckReport, FileSpec, Finding, RepairReport, check};

use super::folders::{FolderReport, check_folders, findings_text, row};
use super::repair::{repair_all, repair_text};
use super::{LARGE_FILE, files_of, name, size};
use crate::context::Context;
use crate::fleets::files;
use crate::format::count;
use crate::table::Table;

/// Printed below the list of files if one of them is damaged.
const REMEDY: &str = "stop the processes that use this folder, then run `stint check --repair`: it copies each damaged file, repairs it, and reports what was lost (try --dry-run first); or restore a backup with `stint restore`";

/// Checks the files, and repairs them if asked to.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint check\n  stint check --repair --dry-run\n  stint check --repair\n\nA check reads every file of the folder and changes none; fleets may run meanwhile. It finds damaged pages and indexes, missing tables, orphaned rows, unreadable documents, and stored pages that were truncated or changed. The exit code is 1 when something is damaged.\n\nA repair needs exclusive use of the folder. It first copies each damaged file to NAME.before-repair-TIME. It rebuilds indexes, removes invalid rows, and copies everything readable of a file with damaged pages into a new file. For each table, it reports how many rows were kept and lost. Each key is then read before it is used."
)]
pub(crate) struct Arguments {
    /// Repair what can be repaired; each file is copied first.
    #[arg(long)]
    repair: bool,
    /// With --repair: say what would be repaired and lost, and change nothing.
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// Check only pages and tables, as `stint up` does after it was killed.
    #[arg(long, conflicts_with = "repair")]
    quick: bool,
}

/// The findings.
#[derive(Serialize)]
struct FilesReport {
    files: Vec<FileReport>,
    /// Folders of files that never change. Not looked at with `--quick`.
    folders: Vec<FolderReport>,
    /// The number of damaged files; after a repair, the number that are still damaged.
    damaged: u64,
    dry_run: bool,
}

/// One file.
#[derive(Serialize)]
pub(super) struct FileReport {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    /// The schema version, if a newer release wrote the file. Its rows were not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_schema: Option<i64>,
    /// What the repair did about the findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repair: Option<RepairReport>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Sound,
    Damaged,
    Repaired,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<()> {
    let (paths, specs) = (files_of(context)?, files());
    let depth = if arguments.quick { CheckDepth::Quick } else { CheckDepth::Full };
    let mut reports = Vec::new();
    for path in &paths {
        reports.push(check_file(path, &specs, depth, context)?);
    }
    // Before the repair, whose result must be told whatever happens.
    let folders = if arguments.quick { Vec::new() } else { check_folders(context)? };
    if arguments.repair {
        repair_all(&paths, &mut reports, &specs, arguments.dry_run, context)?;
    }
    let databases = reports.iter().filter(|report| report.state == State::Damaged).count() as u64;
    let damaged = databases + folders.iter().map(|folder| folder.damaged).sum::<u64>();
    let report = FilesReport { files: reports, folders, damaged, dry_run: arguments.dry_run };
    context.output.result(&report, to_text)?;
    match damaged {
        0 => Ok(()),
        _ if databases > 0 && arguments.repair && !arguments.dry_run => {
            bail!("{} not repaired: restore a backup with `stint restore`", count(databases, "file was", "files were"))
        }
        damaged => bail!("{} damaged", count(damaged, "file is", "files are")),
    }
}

fn check_file(path: &Path, specs: &[FileSpec], depth: CheckDepth, context: &Context) -> anyhow::Result<FileReport> {
    let file = name(path);
    let bytes = path.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    if bytes >= LARGE_FILE {
        context.output.message(&format!("checking {file} ({})", size(bytes)));
    }
    let spec = specs.iter().find(|spec| spec.name == file);
    let CheckReport { bytes, findings, newer_schema } = check(path, spec, depth)?;
    let state = if findings.is_empty() { State::Sound } else { State::Damaged };
    Ok(FileReport { file, bytes, state, findings, newer_schema, repair: None })
}

fn to_text(report: &FilesReport) -> String {
    let mut table = Table::new(["file", ">size", "state"]);
    for file in &report.files {
        let state = match (file.state, file.newer_schema) {
            (State::Sound, None) => "sound".to_owned(),
            (State::Sound, Some(_)) => {
                "sound as far as this version can check; it was written by a newer version".to_owned()
            }
            (State::Damaged, _) => {
                format!("damaged: {}", count(file.findings.len() as u64, "finding", "findings"))
            }
            (State::Repaired, _) => "repaired".to_owned(),
        };
        table.row([file.file.clone(), size(file.bytes), state]);
    }
    report.folders.iter().for_each(|folder| table.row(row(folder)));
    let mut text = table.to_string();
    for file in report.files.iter().filter(|file| !file.findings.is_empty()) {
        text.push_str(&format!("\n{}\n", file.file));
        file.findings.iter().for_each(|finding| text.push_str(&format!("  {}\n", finding.text)));
        if let Some(repair) = &file.repair {
            text.push_str(&repair_text(repair, report.dry_run));
        }
    }
    report.folders.iter().for_each(|folder| text.push_str(&findings_text(folder)));
    let damaged = report.files.iter().any(|file| file.state == State::Damaged && file.repair.is_none());
    if damaged {
        text.push_str(&format!("\n{REMEDY}\n"));
    }
    text
}
