//! The errors of DynamoDB: what a later attempt may resolve, told from what it cannot.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use stint_core::ports::PortError;

use crate::error::{code, reason};

/// The codes of a refusal for too many requests: of the table, of one partition, or of the account.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
const THROTTLED: [&str; 3] = ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"];

/// The codes of a request that would be refused again.
const INVALID: [&str; 4] = [
    "ValidationException",
    "SerializationException",
    "IdempotentParameterMismatchException",
    "ItemCollectionSizeLimitExceededException",
];

/// The table does not exist, or is being created.
const MISSING: &str = "ResourceNotFoundException";

/// The codes of faults of the service itself, and of a transaction with the same token that has not ended yet.
const PASSING: [&str; 4] =
    ["InternalServerError", "InternalFailure", "ServiceUnavailable", "TransactionInProgressException"];

/// Why an operation of DynamoDB failed.
#[derive(Debug, thiserror::Error)]
pub enum DynamoError {
    /// Too many requests. A later attempt may succeed.
    #[error("{context}: throttled: {reason}")]
    Throttled {
        /// The operation and the table.
        context: String,
        /// What DynamoDB said.
        reason: String,
    },
    /// Transactions of other writers changed the same items at each attempt. A later attempt may succeed.
    #[error("{context}: other writers changed the same items each time")]
    Contended {
        /// The operation and the table.
        context: String,
    },
    /// The request violates a rule of DynamoDB. A retry cannot help.
    #[error("{context}: {reason}")]
    Invalid {
        /// The operation and the table.
        context: String,
        /// What DynamoDB said.
        reason: String,
    },
    /// The table does not exist.
    #[error("table '{table}' of DynamoDB does not exist")]
    Missing {
        /// The table.
        table: String,
    },
    /// There was no answer: no request can succeed at the moment.
    #[error("{context}: {reason}")]
    Unavailable {
        /// The operation and the table.
        context: String,
        /// Why there was none.
        reason: String,
    },
    /// Everything else: no permission, a fault of the service.
    #[error("{context}: {reason}")]
    Backend {
        /// The operation and the table.
        context: String,
        /// The error with its causes, in one line.
        reason: String,
    },
}

impl DynamoError {
    /// Whether the request was refused because of load, so that the caller may say when to come again.
    pub fn is_load(&self) -> bool {
        matches!(self, DynamoError::Throttled { .. } | DynamoError::Contended { .. })
    }
}

impl From<DynamoError> for PortError {
    fn from(error: DynamoError) -> PortError {
        let text = error.to_string();
        match error {
            DynamoError::Invalid { .. } => PortError::Invalid(text),
            DynamoError::Missing { table } => PortError::Missing(format!("table '{table}' of DynamoDB")),
            DynamoError::Throttled { context, reason } => {
                PortError::Backend { context, reason: format!("throttled: {reason}") }
            }
            DynamoError::Contended { context } => {
                PortError::Backend { context, reason: "other writers changed the same items each time".to_owned() }
            }
            DynamoError::Unavailable { context, reason } => PortError::Unavailable { context, reason },
            DynamoError::Backend { context, reason } => PortError::Backend { context, reason },
        }
    }
}

/// Returns the context of an error: `action` completes the sentence "could not …".
pub(super) fn context(action: &str, table: &str) -> String {
    format!("could not {action} table '{table}' (DynamoDB)")
}

/// Converts an error of the SDK. `action` completes the sentence "could not …" and ends before the table's name.
pub fn explain<E, R>(action: &str, table: &str, error: SdkError<E, R>) -> DynamoError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let kind = code(&error).unwrap_or_default().to_owned();
    let is_unanswered = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_));
    let (context, reason) = (context(action, table), reason(error));
    match kind.as_str() {
        MISSING => DynamoError::Missing { table: table.to_owned() },
        kind if THROTTLED.contains(&kind) => DynamoError::Throttled { context, reason },
        kind if INVALID.contains(&kind) => DynamoError::Invalid { context, reason },
        _ if is_unanswered => DynamoError::Unavailable { context, reason },
        _ => DynamoError::Backend { context, reason },
    }
}

/// Whether an idempotent request is worth another attempt: it had no answer, was throttled, or met a fault of the
/// service.
pub(super) fn is_passing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(_) => {
            code(error).is_some_and(|code| THROTTLED.contains(&code) || PASSING.contains(&code))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::query::QueryError;

    use super::*;

    fn refused(code: &str) -> SdkError<QueryError, ()> {
        let meta = ErrorMetadata::builder().code(code).message("words").build();
        SdkError::service_error(QueryError::generic(meta), ())
    }

    #[test]
    fn throttling_is_told_from_other_errors() {
        for code in THROTTLED {
            let error = explain("query", "events", refused(code));
            assert!(error.is_load() && is_passing(&refused(code)), "{code}");
            let text = PortError::from(error).to_string();
            assert_eq!(text, format!("could not query table 'events' (DynamoDB): throttled: {code}: words"));
        }
        for code in ["AccessDeniedException", "InternalServerError"] {
            let error = explain("query", "events", refused(code));
            assert!(matches!(error, DynamoError::Backend { .. }) && !error.is_load(), "{code}");
        }
        assert!(!is_passing(&refused("AccessDeniedException")) && is_passing(&refused("InternalServerError")));
    }

    #[test]
    fn a_server_that_cannot_be_reached_is_unavailable() {
        let error = SdkError::<QueryError, ()>::timeout_error("no answer");
        assert!(is_passing(&error));
        assert!(matches!(PortError::from(explain("query", "events", error)), PortError::Unavailable { .. }));
    }

    #[test]
    fn a_missing_table_and_an_invalid_request_are_named() {
        let error = PortError::from(explain("query", "events", refused(MISSING)));
        assert!(matches!(error, PortError::Missing(_)));
        assert_eq!(error.to_string(), "table 'events' of DynamoDB does not exist");
        for code in INVALID {
            let error = PortError::from(explain("query", "events", refused(code)));
            assert!(matches!(error, PortError::Invalid(_)), "{code}");
        }
    }
}
