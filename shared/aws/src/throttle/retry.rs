//! Repeats requests to Lambda's control plane, whose rate is limited.

use std::time::Duration;

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use stint_core::clock::{Clock, after};
use stint_core::ports::{PortError, PortResult};

use crate::error::{code, port_error};

/// Errors that a later attempt may resolve: all calls except invoke share 15 requests a second per account and region,
/// and a mapping that is being changed accepts no other change.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RETRYABLE: [&str; 4] =
    ["TooManyRequestsException", "ResourceInUseException", "ResourceConflictException", "ServiceException"];

/// How long a request is retried, and the wait after the first attempt, which doubles each time.
const RETRY_PERIOD: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A failed request.
pub(super) struct FailedRequest {
    pub(super) error: PortError,
    pub(super) retryable: bool,
}

impl FailedRequest {
    pub(super) fn new<E>(context: String, error: SdkError<E>) -> FailedRequest
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        // Without an answer it is unknown whether the request was received; sending it twice does no harm.
        let unanswered = error.as_service_error().is_none() && !matches!(error, SdkError::ConstructionFailure(_));
        let passing = unanswered || code(&error).is_some_and(|code| RETRYABLE.contains(&code));
        FailedRequest { error: port_error(context, error), retryable: passing }
    }
}

/// Makes attempts until one succeeds, fails for good, or too much time has passed. `context` is for the log.
pub(super) async fn retried<T, F>(
    clock: &dyn Clock,
    context: &str,
    mut attempt: impl FnMut() -> F + Send,
) -> PortResult<T>
where
    F: Future<Output = Result<T, FailedRequest>> + Send,
{
    let deadline = after(clock.now(), RETRY_PERIOD);
    let mut pause = FIRST_PAUSE;
    loop {
        let refusal = match attempt().await {
            Ok(done) => return Ok(done),
            Err(refusal) => refusal,
        };
        if !refusal.retryable || after(clock.now(), pause) > deadline {
            return Err(refusal.error);
        }
        tracing::debug!(error = %refusal.error, "retrying to {context}");
        clock.sleep(pause).await;
        pause *= 2;
    }
}
