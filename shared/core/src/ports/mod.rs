//! The ports: the interfaces through which workers reach queues, stores, wake-ups and throttles. Each port is a written
//! contract, and each has one conformance suite in `stint-testkit` that every adapter passes.

mod alarms;
mod blobs;
mod breakers;
mod key_pool;
mod leases;
mod queue;
mod rate_limits;
mod throttle;
mod wakeups;

pub use alarms::{
    AlarmId, AlarmKind, AlarmMessage, AlarmRecord, AlarmRecords, AlarmSink, Alarms, PendingMessage, REMINDER,
};
pub use blobs::{Blob, BlobHeaders, BlobInfo, BlobName, BlobPut, BlobTag, Blobs, PutIf};
pub use breakers::Breakers;
pub use key_pool::{KeyPool, LONGEST_CLAIM, Parked};
pub use leases::{Lease, Leases};
pub use queue::{
    Counts, DeadLetter, Delivery, MAX_BATCH, MAX_BODY, MAX_DELAY, MAX_VISIBILITY, MAX_WAIT, NewMessage, Queue,
    QueueSettings, Receipt, validate,
};
pub use rate_limits::{RateLimit, RateLimits};
pub use throttle::{Concurrency, Throttle};
pub use wakeups::{Firing, Schedule, Wakeup, WakeupSource, Wakeups};

/// Why a port operation failed. The caller may retry: no port leaves half an operation behind.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PortError {
    /// The request violates the contract. A retry cannot help.
    #[error("{0}")]
    Invalid(String),
    /// The object of the operation does not exist, such as the queue of a fleet that is not deployed.
    #[error("{0} does not exist")]
    Missing(String),
    /// The backend cannot be reached, or cannot work for any caller at the moment. The request is not at fault, and other
    /// requests would fail in the same way: a host stops receiving work that needs this backend until it is back.
    #[error("{context}: {reason}")]
    Unavailable {
        /// The operation, and its object.
        context: String,
        /// The reason with its causes, in one line.
        reason: String,
    },
    /// The backend of the port failed.
    #[error("{context}: {reason}")]
    Backend {
        /// The operation, and its object.
        context: String,
        /// The backend's error with its causes, in one line for logs and dead letters.
        reason: String,
    },
}

impl PortError {
    /// Wraps a backend's error with the operation that failed.
    pub fn backend<E>(context: impl Into<String>, source: E) -> PortError
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        PortError::Backend { context: context.into(), reason: with_causes(source) }
    }

    /// Wraps the error of a backend that cannot be reached with the operation that failed.
    pub fn unavailable<E>(context: impl Into<String>, source: E) -> PortError
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        PortError::Unavailable { context: context.into(), reason: with_causes(source) }
    }

    /// Returns whether the backend cannot be reached.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, PortError::Unavailable { .. })
    }

    /// Returns the error with another context: the failed operation was part of a larger one.
    #[must_use]
    pub fn within(&self, context: impl Into<String>) -> PortError {
        match self {
            PortError::Unavailable { .. } => PortError::unavailable(context, self.to_string()),
            other => PortError::backend(context, other.to_string()),
        }
    }
}

fn with_causes<E>(source: E) -> String
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let error = source.into();
    let causes = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<String>>().join(": ")
}

/// The result of a port operation.
pub type PortResult<T> = Result<T, PortError>;
