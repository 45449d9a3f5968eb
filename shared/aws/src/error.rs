//! Converts errors from AWS to the ports' errors.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use stint_core::ports::PortError;

/// Returns the error code of an answer, or `None` if there was no answer or it had no code.
pub(crate) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Converts an error of the operation `context`.
pub(crate) fn port_error<E, R>(context: impl Into<String>, error: SdkError<E, R>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let unanswered = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_));
    let (context, reason) = (context.into(), reason(error));
    if unanswered { PortError::Unavailable { context, reason } } else { PortError::Backend { context, reason } }
}

/// Returns an error's reason in one line: the service's code and message, or why no answer was received.
pub(crate) fn reason<E, R>(error: SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let message = error.as_service_error().map(ProvideErrorMetadata::meta).and_then(|meta| {
        let code = meta.code()?;
        Some(meta.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}")))
    });
    let reason = message.unwrap_or_else(|| match PortError::backend("", error) {
        PortError::Backend { reason, .. } => reason,
        other => other.to_string(),
    });
    one_line(&reason)
}

/// Replaces line ends by blanks: the error for missing credentials is a list.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::error::ErrorMetadata;
    use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;

    use super::*;

    fn refused(meta: ErrorMetadata) -> SdkError<GetQueueUrlError, ()> {
        SdkError::service_error(GetQueueUrlError::generic(meta), ())
    }

    #[test]
    fn an_answer_is_told_by_its_code_and_words() {
        let error = refused(ErrorMetadata::builder().code("AccessDenied").message("not yours").build());
        assert_eq!(code(&error), Some("AccessDenied"));
        assert_eq!(port_error("find queue 'work'", error).to_string(), "find queue 'work': AccessDenied: not yours");
    }

    #[test]
    fn a_call_without_an_answer_is_told_by_its_causes() {
        let error = SdkError::<GetQueueUrlError, ()>::construction_failure("no credentials:\n  environment: none");
        assert_eq!(code(&error), None);
        let text = port_error("find queue 'work'", error).to_string();
        assert!(text.ends_with("no credentials: environment: none"), "{text}");
    }
}
