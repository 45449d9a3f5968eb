//! Repairing damaged files.

use std::path::PathBuf;

use stint_embedded::upkeep::{
    FileSpec, RepairKind, RepairReport, TableCount, prepare_restored_files, repair, try_repair,
};

use super::check::{FileReport, State};
use super::{file_timestamp, lock_exclusively, name};
use crate::context::Context;
use crate::format::{count, number};

/// Repairs the files that have findings, while no other process has the folder open. With `dry_run`, only determines
/// what would be kept and lost.
pub(super) fn repair_all(
    paths: &[PathBuf],
    reports: &mut [FileReport],
    specs: &[FileSpec],
    dry_run: bool,
    context: &Context,
) -> anyhow::Result<()> {
    if reports.iter().all(|report| report.findings.is_empty()) {
        return Ok(());
    }
    let _lock = lock_exclusively(&context.home, "repair its files")?;
    let stamp = file_timestamp(context.clock.now());
    for (path, report) in paths.iter().zip(reports.iter_mut()).filter(|(_, report)| !report.findings.is_empty()) {
        let spec = specs.iter().find(|spec| spec.name == report.file);
        let repaired = if dry_run {
            try_repair(path, spec, &report.findings)?
        } else {
            repair(path, spec, &report.findings, &stamp)?
        };
        if !dry_run && repaired.left.is_empty() && repaired.kind != RepairKind::Nothing {
            report.state = State::Repaired;
            report.bytes = path.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        }
        report.repair = Some(repaired);
    }
    if !dry_run {
        // A hold or a counter may have been lost, so each key stays closed until the upstream's counter has been read.
        let damaged = |error| tracing::warn!(%error, "the keys could not be closed until they are read: {error}");
        prepare_restored_files(&context.home).unwrap_or_else(damaged);
    }
    Ok(())
}

/// Describes what was done, or what would be done.
pub(super) fn repair_text(repair: &RepairReport, dry_run: bool) -> String {
    let how = match (repair.kind, dry_run) {
        (RepairKind::Nothing, _) => {
            "it cannot be repaired: restore a backup with `stint restore`, or move the file away"
        }
        (RepairKind::InPlace, true) => "a repair would fix it in place",
        (RepairKind::InPlace, false) => "fixed in place",
        (RepairKind::Rebuilt, true) => "a repair would copy what can be read into a new file",
        (RepairKind::Rebuilt, false) => "what can be read was copied into a new file",
    };
    let mut text = format!("  => {how}\n");
    let tables = repair.tables.iter().filter(|table| table.kept + table.lost > 0 || !table.exact);
    for TableCount { table, kept, lost, exact } in tables {
        let at_least = if *exact { "" } else { "at least " };
        text.push_str(&format!(
            "     {table}: {} kept, {at_least}{} lost\n",
            count(*kept, "row", "rows"),
            number(*lost)
        ));
    }
    if repair.kind == RepairKind::InPlace && repair.tables.is_empty() {
        text.push_str("     nothing is lost\n");
    }
    for finding in repair.left.iter().filter(|_| repair.kind != RepairKind::Nothing) {
        text.push_str(&format!("     still damaged: {}; restore a backup with `stint restore`\n", finding.text));
    }
    if let Some(copy) = &repair.copy {
        text.push_str(&format!("     a copy of the damaged file: {}\n", name(copy)));
    }
    text
}
