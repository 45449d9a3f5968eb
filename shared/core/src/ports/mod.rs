//! The ports: the interfaces through which workers reach queues, stores, wake-ups and throttles. Each port is a written
//! contract, and each has one conformance suite in `stint-testkit` that every adapter passes.

mod breakers;
mod key_pool;
mod queue;
mod rate_limits;
mod throttle;
mod wakeups;

pub use breakers::Breakers;
pub use key_pool::{KeyPool, LONGEST_CLAIM, Parked};
pub use queue::{
    Counts, DeadLetter, Delivery, MAX_BATCH, MAX_BODY, MAX_DELAY, MAX_VISIBILITY, MAX_WAIT, NewMessage, Queue,
    QueueSettings, Receipt, validate,
};
pub use rate_limits::{RateLimit, RateLimits};
pub use throttle::{Concurrency, Throttle};
pub use wakeups::{Firing, Wakeup, WakeupSource, Wakeups};

/// Why a port operation failed. The caller may retry: no port leaves half an operation behind.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The request violates the contract. A retry cannot help.
    #[error("{0}")]
    Invalid(String),
    /// The object of the operation does not exist, such as the queue of a fleet that is not deployed.
    #[error("{0} does not exist")]
    Missing(String),
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
        let error = source.into();
        let causes = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
        let texts: Vec<String> = causes.map(ToString::to_string).collect();
        PortError::Backend { context: context.into(), reason: texts.join(": ") }
    }
}

/// The result of a port operation.
pub type PortResult<T> = Result<T, PortError>;
