//! Checks a file for damage, without changing it.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error};
use stint_core::ports::PortResult;

use super::rows::broken_rows;
use super::{FileSpec, Finding, FindingKind};
use crate::database::damage::{failed, remedy};
use crate::database::open;

/// The most findings of SQLite's own check that are reported. A file with more is damaged all the same.
const MAX_FINDINGS: u32 = 100;

/// How much of a file is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// Its pages and tables. Reads the file once.
    Quick,
    /// Also its indexes against its tables, references between rows, and every document.
    Full,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The length of the file, without its log.
    pub bytes: u64,
    /// What is wrong; empty for a sound file.
    pub findings: Vec<Finding>,
    /// The number of the schema, if it is newer than this version knows. Rows are then not checked.
    pub newer_schema: Option<i64>,
}

/// Checks the file at `path`, which other processes may use meanwhile. An error means that the file could not be
/// checked, not that it is damaged.
pub fn check(path: &Path, spec: Option<&FileSpec>, depth: CheckDepth) -> PortResult<CheckReport> {
    let bytes = path.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    match look(path, spec, depth) {
        Ok((findings, newer_schema)) => Ok(CheckReport { bytes, findings, newer_schema }),
        // Data that SQLite cannot read is a finding, not an error.
        Err(error) if remedy(&error).is_some() => {
            let finding = Finding::new(FindingKind::Unreadable, error.to_string());
            Ok(CheckReport { bytes, findings: vec![finding], newer_schema: None })
        }
        Err(error) => Err(failed("check a file", path, &error)),
    }
}

/// Opens a file for reading only: even a log that a killed process has left stays as it is.
pub(super) fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    open::prepare(&mut connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Returns the findings in an open file, and the schema's number if it is newer than this version knows.
pub(super) fn findings(
    connection: &Connection,
    spec: Option<&FileSpec>,
    depth: CheckDepth,
) -> rusqlite::Result<(Vec<Finding>, Option<i64>)> {
    let mut findings = integrity(connection, depth)?;
    let schema: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(spec) = spec else { return Ok((findings, None)) };
    let Some(applied) = usize::try_from(schema).ok().and_then(|applied| spec.migrations.get(..applied)) else {
        return Ok((findings, Some(schema)));
    };
    findings.extend(missing(connection, applied)?);
    if depth == CheckDepth::Full {
        findings.extend(foreign(connection)?);
        if !findings.iter().any(|finding| finding.kind == FindingKind::Page) {
            findings.extend(broken_rows(connection, spec)?.into_iter().map(|broken| broken.finding()));
        }
    }
    Ok((findings, None))
}

pub(super) fn look(
    path: &Path,
    spec: Option<&FileSpec>,
    depth: CheckDepth,
) -> rusqlite::Result<(Vec<Finding>, Option<i64>)> {
    findings(&open_untouched(path)?, spec, depth)
}

fn integrity(connection: &Connection, depth: CheckDepth) -> rusqlite::Result<Vec<Finding>> {
    let check = if depth == CheckDepth::Full { "integrity_check" } else { "quick_check" };
    let mut statement = connection.prepare(&format!("PRAGMA {check}({MAX_FINDINGS})"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut findings = Vec::new();
    for line in lines {
        match line {
            Ok(line) if line == "ok" => {}
            // Some findings are one text of several lines, under a heading between asterisks.
            Ok(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("***"));
                findings.extend(lines.map(finding));
            }
            Err(error) if remedy(&error).is_some() => {
                findings.push(Finding::new(FindingKind::Page, error.to_string()));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(findings)
}

/// Converts a finding from SQLite, which reports findings as text.
/// <https://www.sqlite.org/pragma.html#pragma_integrity_check>
fn finding(line: &str) -> Finding {
    let is_of_index = ["missing from index", "entries in index", "non-unique entry in index", "values in index"];
    let kind = if is_of_index.iter().any(|of_index| line.contains(of_index)) && !line.contains("Tree ") {
        FindingKind::Index
    } else {
        FindingKind::Page
    };
    Finding::new(kind, line)
}

/// Returns the tables and indexes that the applied migrations have created and that are missing.
fn missing(connection: &Connection, applied: &[&str]) -> rusqlite::Result<Vec<Finding>> {
    let expected = Connection::open_in_memory()?;
    applied.iter().try_for_each(|migration| expected.execute_batch(migration))?;
    let (expected, there) = (names(&expected)?, names(connection)?);
    let missing = expected.difference(&there).map(|(kind, name)| {
        let by_repair = if kind == "index" { FindingKind::Index } else { FindingKind::Page };
        Finding::new(by_repair, format!("the {kind} {name} is missing"))
    });
    Ok(missing.collect())
}

fn names(connection: &Connection) -> rusqlite::Result<BTreeSet<(String, String)>> {
    let mut select = connection.prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'index')")?;
    let names = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    names.collect()
}

/// Returns the rows whose foreign keys refer to no row.
fn foreign(connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))?;
    let finding = |row: Result<(String, String), Error>| {
        row.map(|(table, parent)| {
            Finding::new(FindingKind::UnremovableRow, format!("a row of {table} names no row of {parent}"))
        })
    };
    rows.take(MAX_FINDINGS as usize).map(finding).collect()
}
