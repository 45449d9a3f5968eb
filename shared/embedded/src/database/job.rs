//! Jobs for the writer, each with the channel for its result.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};
use stint_core::ports::{PortError, PortResult};

use super::damage::{failed, port_error, reason};

/// A write that waits for the writer. It is run first, and finished once it is known whether its transaction was
/// committed.
pub(super) trait Job: Send {
    /// Does the work and keeps the result. Returns whether it may be committed.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Sends the result to the caller, or the error `lost` if the transaction was not committed.
    fn finish(self: Box<Self>, lost: Option<&Lost>);
}

/// Why a transaction was not committed.
pub(super) struct Lost {
    error: rusqlite::Error,
    reason: String,
}

impl Lost {
    /// A transaction that could not begin.
    pub(super) fn before(error: rusqlite::Error) -> Lost {
        Lost { reason: reason(&error), error }
    }

    /// A transaction that was rolled back.
    pub(super) fn rolled_back(error: rusqlite::Error) -> Lost {
        Lost { reason: format!("the transaction was rolled back: {}", reason(&error)), error }
    }
}

/// A write as requested by a caller.
pub(super) struct Write<T, W, D> {
    what: &'static str,
    path: Arc<Path>,
    work: Option<W>,
    result: Option<PortResult<T>>,
    done: D,
}

impl<T, W, D> Write<T, W, D>
where
    W: FnOnce(&Connection) -> rusqlite::Result<T>,
    D: FnOnce(PortResult<T>),
{
    pub(super) fn new(what: &'static str, path: Arc<Path>, work: W, done: D) -> Write<T, W, D> {
        Write { what, path, work: Some(work), result: None, done }
    }
}

impl<T, W, D> Job for Write<T, W, D>
where
    T: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    D: FnOnce(PortResult<T>) + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = attempt(self.what, &self.path, || work(connection));
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn finish(self: Box<Self>, lost: Option<&Lost>) {
        let Write { what, path, result, done, .. } = *self;
        let result = match (result, lost) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(Lost { error, reason })) => Err(port_error(context(what, &path), error, reason)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(PortError::backend(context(what, &path), "the write was not attempted")),
        };
        done(result);
    }
}

/// Does `work`. An error says what was being done and on which file; a panic becomes such an error.
pub(super) fn attempt<T>(what: &str, path: &Path, work: impl FnOnce() -> rusqlite::Result<T>) -> PortResult<T> {
    // A closure that panics leaves only the transaction half-done, and that is rolled back.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| classify(&error, failed(what, path, &error))),
        Err(panic) => Err(PortError::backend(context(what, path), format!("panicked: {}", message(&*panic)))),
    }
}

/// Marks errors that are caused by the row itself as invalid: a retry cannot succeed.
fn classify(error: &rusqlite::Error, failed: PortError) -> PortError {
    let is_rejected = match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        error => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
        ),
    };
    if is_rejected { PortError::Invalid(failed.to_string()) } else { failed }
}

pub(super) fn context(what: &str, path: &Path) -> String {
    format!("could not {what} ({})", path.display())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
