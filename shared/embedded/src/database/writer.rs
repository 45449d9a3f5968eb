//! The writing thread: it collects waiting jobs and commits them together.
//!
//! A commit waits for the disk (some 170 µs where this was written), a statement for a microsecond. Callers therefore
//! share commits: while one group is being written to the disk, the next one gathers.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

use super::changes::CommitSignal;
use super::job::{Job, Lost};

/// The most jobs in one transaction, so that callers get their results even if jobs never stop coming.
const LARGEST_GROUP: usize = 1_000;

/// Runs until all senders are gone and all jobs are finished.
pub(super) fn run(connection: &Connection, inbox: &Receiver<Box<dyn Job>>, changes: &Arc<CommitSignal>) {
    while let Ok(first) = inbox.recv() {
        write_group(connection, first, inbox, changes);
    }
}

fn write_group(connection: &Connection, first: Box<dyn Job>, inbox: &Receiver<Box<dyn Job>>, changes: &CommitSignal) {
    let rows_before = connection.total_changes();
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        // The jobs behind the first would only wait for the same lock again.
        finish(std::iter::once(first).chain(inbox.try_iter()), Some(&Lost::before(error)));
        return;
    }
    let mut jobs = Vec::new();
    let outcome = run_all(connection, first, inbox, &mut jobs).and_then(|()| execute(connection, "COMMIT"));
    match outcome {
        Ok(()) => {
            finish(jobs, None);
            // Some transactions change nothing. A poller that is notified of its own empty poll would never rest.
            if connection.total_changes() != rows_before {
                changes.announce();
            }
        }
        Err(error) => {
            if !connection.is_autocommit() {
                // A failed rollback leaves the transaction open, and the next BEGIN reports that to its callers.
                let _ = execute(connection, "ROLLBACK");
            }
            finish(jobs, Some(&Lost::rolled_back(error)));
        }
    }
}

fn run_all(
    connection: &Connection,
    first: Box<dyn Job>,
    inbox: &Receiver<Box<dyn Job>>,
    jobs: &mut Vec<Box<dyn Job>>,
) -> rusqlite::Result<()> {
    let mut next = Some(first);
    while let Some(mut job) = next {
        let outcome = run_in_savepoint(connection, job.as_mut());
        jobs.push(job);
        outcome?;
        next = if jobs.len() < LARGEST_GROUP { inbox.try_recv().ok() } else { None };
    }
    Ok(())
}

/// Runs a job whose changes are rolled back alone if it fails. An error means that the whole transaction is lost.
fn run_in_savepoint(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    if !job.run(connection) {
        // Fails if SQLite has already rolled everything back, as it does when the disk is full.
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")
}

pub(super) fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(|_| ())
}

fn finish(jobs: impl IntoIterator<Item = Box<dyn Job>>, lost: Option<&Lost>) {
    jobs.into_iter().for_each(|job| job.finish(lost));
}
