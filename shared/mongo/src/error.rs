//! Converts errors of the driver to errors of the ports.

use mongodb::error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure};
use stint_core::ports::PortError;

/// The error code for an id, or another unique field, that is already in use.
const DUPLICATE_KEY: i32 = 11_000;

/// Codes of a server that is not primary, and has therefore not begun the command: the next primary accepts it.
const NOT_PRIMARY: [i32; 4] = [10_058, 10_107, 13_435, 13_436];

/// Codes of a server that stops being primary or shuts down, that cannot reach another one, or whose majority does not
/// answer in time. The command may have been applied.
/// <https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md#determining-retryable-errors>
const TRANSIENT: [i32; 13] = [6, 7, 50, 64, 89, 91, 133, 134, 189, 262, 9_001, 11_600, 11_602];

/// Codes of a statement that its documents make impossible, so that a retry cannot help: a value or a path that does
/// not fit the stored document, a document that is too large, one that the collection's validator refuses.
/// <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>
const REJECTED: [i32; 9] = [2, 14, 28, 52, 121, 10_334, 17_280, 17_419, 17_420];

/// Returns an error with `what` (it completes the sentence "could not …") and the server's reason.
pub fn explain(what: &str, error: &Error) -> PortError {
    let reason = match &*error.kind {
        ErrorKind::Command(command) => command.message.clone(),
        ErrorKind::Write(WriteFailure::WriteError(error)) => return refused(what, error.code, &error.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => error.message.clone(),
        other => other.to_string(),
    };
    if is_transient(error) || matches!(*error.kind, ErrorKind::DnsResolve { .. }) {
        return PortError::unavailable(context(what), reason);
    }
    PortError::backend(context(what), reason)
}

/// The same for one statement that the server refused with this code: a permanent refusal is [`PortError::Invalid`]. A
/// command that is refused as a whole says nothing about its statements.
pub(crate) fn refused(what: &str, code: i32, reason: &str) -> PortError {
    if is_transient_code(code) {
        return PortError::unavailable(context(what), reason);
    }
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
pub(crate) fn is_duplicate_code(code: i32) -> bool {
    code == DUPLICATE_KEY
}

/// Whether the operation was not applied, and the next primary may accept it.
pub(crate) fn is_refused(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. })
        || matches!(&*error.kind, ErrorKind::Command(command) if NOT_PRIMARY.contains(&command.code))
}

/// Whether a later attempt may succeed: the connection broke, the primary changes, or none is found.
pub(crate) fn is_transient(error: &Error) -> bool {
    let broken = matches!(&*error.kind, ErrorKind::Io(_));
    broken
        || is_refused(error)
        || error.contains_label(RETRYABLE_WRITE_ERROR)
        || code(error).is_some_and(is_transient_code)
}

/// The same, by the code of one statement.
pub(crate) fn is_transient_code(code: i32) -> bool {
    TRANSIENT.contains(&code) || NOT_PRIMARY.contains(&code)
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}
