//! Why an operation failed, what is known of its effect, and its conversion to an error of the ports.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{PoolError, TimeoutType};
use stint_core::ports::PortError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::hints;

/// What is known about a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There was no connection, so nothing was sent.
    Unreachable,
    /// Every connection of this process was in use for too long. Nothing was sent.
    Busy,
    /// Another transaction was in the way: a serialization failure or a deadlock. Everything was rolled back.
    Conflict,
    /// The connection broke, or the server shut down, before a commit was sent. Everything is rolled back.
    Interrupted,
    /// A statement, a lock or the operation took longer than it may. Everything is rolled back.
    TimedOut,
    /// The values are unacceptable, such as a duplicate or a number out of range. A retry cannot help.
    Rejected,
    /// The server refuses the operation whatever its values: missing rights, a missing table, a wrong password.
    Refused,
    /// The answer to a commit was lost. The write may have happened.
    OutcomeUnknown,
    /// Anything else. Everything is rolled back.
    Other,
}

/// A failed operation. Its text has the reason, PostgreSQL's code, the constraint and the remedy, and no value of a row.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", self.prefix(), self.details.reason)]
pub struct Failure {
    kind: FailureKind,
    details: Box<Details>,
}

#[derive(Debug, Default)]
struct Details {
    /// Completes the sentence "could not …".
    what: Option<String>,
    reason: String,
    sqlstate: Option<SqlState>,
    constraint: Option<String>,
    /// The error of another port, which is passed on unchanged.
    port: Option<PortError>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, reason: impl Into<String>) -> Failure {
        Failure { kind, details: Box::new(Details { reason: reason.into(), ..Details::default() }) }
    }

    /// A refusal by the store itself: what it was asked for violates its contract.
    pub fn rejected(reason: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Rejected, reason)
    }

    /// What is known about the operation.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether the answer to a commit was lost, so that the write may or may not have happened. The operation was not
    /// repeated: only its caller can find out, or decide that it may run twice.
    pub fn is_outcome_unknown(&self) -> bool {
        self.kind == FailureKind::OutcomeUnknown
    }

    /// PostgreSQL's code, if the server gave one.
    pub fn sqlstate(&self) -> Option<&SqlState> {
        self.details.sqlstate.as_ref()
    }

    /// The violated constraint, if there is one.
    pub fn constraint(&self) -> Option<&str> {
        self.details.constraint.as_deref()
    }

    /// Whether an operation whose effect was rolled back, or that had none, may succeed if it is repeated.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.kind, FailureKind::Unreachable | FailureKind::Conflict | FailureKind::Interrupted)
    }

    /// Adds what could not be done, unless that is known.
    pub(crate) fn during(mut self, what: &str) -> Failure {
        self.details.what.get_or_insert_with(|| what.to_owned());
        self
    }

    /// A failed attempt to get a connection to `place`.
    pub(crate) fn connecting(place: &str, error: PoolError) -> Failure {
        let because = |why: &str| format!("cannot connect to {place}: {why}");
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Failure::new(FailureKind::Busy, hints::POOL_IS_BUSY),
            PoolError::Timeout(_) => Failure::new(FailureKind::Unreachable, because("no answer in time")),
            PoolError::Backend(error) => Failure::opening(place, &error),
            other => Failure::new(FailureKind::Other, because(&other.to_string())),
        }
    }

    /// A session that could not be opened. Nothing was sent yet, so whatever may pass may be tried again.
    fn opening(place: &str, error: &Error) -> Failure {
        let mut failure = Failure::of(error);
        failure.kind = match (error.as_db_error(), failure.kind) {
            (None, _) if hints::is_tls(error) => FailureKind::Refused,
            (None, FailureKind::Interrupted) => FailureKind::Unreachable,
            (None, _) => FailureKind::Refused,
            (_, FailureKind::Interrupted) => FailureKind::Unreachable,
            (_, kind) => kind,
        };
        failure.details.reason = format!("cannot connect to {place}: {}", failure.details.reason);
        failure
    }

    /// An error in reply to a commit. Only a refusal by a server that goes on says for certain that nothing happened.
    pub(crate) fn committing(error: &Error) -> Failure {
        let mut failure = Failure::of(error);
        if error.as_db_error().is_some_and(goes_on) {
            return failure;
        }
        failure.kind = FailureKind::OutcomeUnknown;
        let reason = &failure.details.reason;
        failure.details.reason = format!("the outcome is unknown, because the answer to the commit was lost: {reason}");
        failure
    }

    /// Whether the session is as usable as before.
    pub(crate) fn left_session_intact(error: &Error) -> bool {
        error.as_db_error().is_some_and(|error| goes_on(error) && !hints::is_stale_plan(error))
    }

    fn of(error: &Error) -> Failure {
        let Some(refusal) = error.as_db_error() else {
            return Failure::new(kind_without_code(error), hints::describe_driver(error));
        };
        let mut failure = Failure::new(kind_of(refusal), hints::describe(refusal));
        failure.details.sqlstate = Some(refusal.code().clone());
        failure.details.constraint = refusal.constraint().map(str::to_owned);
        failure
    }

    fn prefix(&self) -> String {
        self.details.what.as_ref().map(|what| format!("could not {what} (PostgreSQL): ")).unwrap_or_default()
    }
}

/// Whether the server has refused one statement and keeps the session.
fn goes_on(error: &DbError) -> bool {
    error.parsed_severity() == Some(Severity::Error)
}

fn kind_of(error: &DbError) -> FailureKind {
    let code = error.code();
    match code.code() {
        "40001" | "40P01" => FailureKind::Conflict,
        "53300" => FailureKind::Unreachable,
        "57P01" | "57P02" | "57P03" => FailureKind::Interrupted,
        "57014" | "55P03" | "25P03" => FailureKind::TimedOut,
        _ if hints::is_stale_plan(error) => FailureKind::Interrupted,
        code => match &code[..code.len().min(2)] {
            "08" => FailureKind::Interrupted,
            "21" | "22" | "23" => FailureKind::Rejected,
            "0A" | "25" | "28" | "3D" | "3F" | "42" => FailureKind::Refused,
            _ => FailureKind::Other,
        },
    }
}

/// The driver hides the kind of its errors; a broken connection is one that is closed, or an error of I/O.
fn kind_without_code(error: &Error) -> FailureKind {
    let is_io = error.source().is_some_and(|source| source.is::<io::Error>());
    if error.is_closed() || is_io { FailureKind::Interrupted } else { FailureKind::Refused }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::of(&error)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Failure {
        let mut failure = Failure::new(FailureKind::Other, error.to_string());
        failure.details.port = Some(error);
        failure
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> PortError {
        let text = failure.to_string();
        let details = *failure.details;
        if let Some(error) = details.port {
            return error;
        }
        if failure.kind == FailureKind::Rejected {
            return PortError::Invalid(text);
        }
        let context = details.what.unwrap_or_else(|| "use the database".to_owned());
        PortError::Backend { context: format!("could not {context} (PostgreSQL)"), reason: details.reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_port_keeps_its_meaning() {
        let unknown = Failure::new(FailureKind::OutcomeUnknown, "the outcome is unknown").during("store a minute");
        assert!(unknown.is_outcome_unknown() && !unknown.is_transient());
        let error = PortError::from(unknown);
        assert_eq!(error.to_string(), "could not store a minute (PostgreSQL): the outcome is unknown");
        let invalid = PortError::from(Failure::rejected("no such game").during("read a game"));
        assert!(matches!(invalid, PortError::Invalid(_)), "{invalid}");
        let missing = PortError::from(Failure::from(PortError::Missing("the queue".into())).during("send"));
        assert!(matches!(missing, PortError::Missing(_)), "{missing}");
    }
}
