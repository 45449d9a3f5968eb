//! Converts errors of the driver to errors of the ports.

use mongodb::error::{Error, ErrorKind, WriteFailure};
use stint_core::ports::PortError;

/// The error code for an id, or another unique field, that is already in use.
const DUPLICATE_KEY: i32 = 11_000;

/// Codes of a server that is no longer primary, or is shutting down: the next primary accepts the command.
/// <https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md#determining-retryable-errors>
const TRANSIENT: [i32; 8] = [91, 189, 10_107, 11_600, 11_602, 13_435, 13_436, 262];

/// Codes of a statement that its documents make impossible, so that a retry cannot help: a value or a path that does
/// not fit the stored document, a document that is too large, one that the collection's validator refuses.
/// <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>
const REJECTED: [i32; 9] = [2, 14, 28, 52, 121, 10_334, 17_280, 17_419, 17_420];

/// Returns an error with `what` (it completes the sentence "could not …") and the server's reason.
pub fn explain(what: &str, error: &Error) -> PortError {
    let reason = match &*error.kind {
        ErrorKind::Command(command) => command.message.clone(),
        ErrorKind::Write(WriteFailure::WriteError(error)) => return refused(what, error.code, &error.message),
        other => other.to_string(),
    };
    PortError::Backend { context: context(what), reason }
}

/// The same for one statement that the server refused with this code: a permanent refusal is [`PortError::Invalid`]. A
/// command that is refused as a whole says nothing about its statements.
pub(crate) fn refused(what: &str, code: i32, reason: &str) -> PortError {
    match PortError::backend(context(what), reason) {
        refused if REJECTED.contains(&code) => PortError::Invalid(refused.to_string()),
        refused => refused,
    }
}

/// The context of an error: what could not be done.
pub(crate) fn context(what: &str) -> String {
    format!("could not {what} (MongoDB)")
}

/// Whether a write failed because the id is already in use.
pub fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// Whether an idempotent write is worth a retry: the connection broke, the primary changed, or a concurrent upsert of
/// the same new id was faster, whose document the retry finds.
pub(crate) fn is_transient(error: &Error) -> bool {
    let broken = matches!(&*error.kind, ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. });
    broken || code(error).is_some_and(is_transient_code)
}

/// The same, by the code of one statement.
pub(crate) fn is_transient_code(code: i32) -> bool {
    code == DUPLICATE_KEY || TRANSIENT.contains(&code)
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        _ => None,
    }
}
