//! Errors for a file that SQLite finds damaged: they name the file and the remedy.

use std::path::Path;

use rusqlite::{Error, ErrorCode};
use stint_core::ports::PortError;

/// The remedy for a file with damaged pages.
const DAMAGED: &str = "the file is damaged: stop what runs here, then run `stint check --repair`, or restore a backup with \
                       `stint restore`";

/// The remedy for a file whose first page is damaged, so that its tables cannot be found.
const NO_DATABASE: &str = "this is not a database file, or its beginning is damaged: restore a backup with `stint \
                           restore`, or move the file away";

/// Returns what to do about the file, if `error` is about damage.
pub(crate) fn remedy(error: &Error) -> Option<&'static str> {
    match error.sqlite_error_code()? {
        ErrorCode::DatabaseCorrupt => Some(DAMAGED),
        ErrorCode::NotADatabase => Some(NO_DATABASE),
        _ => None,
    }
}

/// Returns SQLite's message, and the remedy if the file is damaged. The caller's message names the file.
pub(crate) fn reason(error: &Error) -> String {
    let said = error.to_string();
    remedy(error).map_or(said.clone(), |remedy| format!("{said}: {remedy}"))
}

/// Returns an error about the file at `path`. `what` completes the sentence "could not …".
pub(crate) fn failed(what: &str, path: &Path, error: &Error) -> PortError {
    port_error(super::job::context(what, path), error, &reason(error))
}

/// Returns an error with this reason: [`PortError::Unavailable`] if SQLite's `error` is about the disk or a lock, so that
/// every other statement fails in the same way.
pub(super) fn port_error(context: String, error: &Error, reason: &str) -> PortError {
    if is_unavailable(error) { PortError::unavailable(context, reason) } else { PortError::backend(context, reason) }
}

/// Returns whether the file cannot be used at the moment: the disk is full or fails, or another process keeps the lock.
pub(super) fn is_unavailable(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}
