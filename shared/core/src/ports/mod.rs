//! The ports: what a worker may ask of the world. Each is a written contract, and each has one conformance suite in
//! `stint-testkit` that every adapter passes.

mod breakers;
mod key_pool;
mod queue;
mod throttle;
mod wakeups;

pub use breakers::Breakers;
pub use key_pool::{KeyPool, LONGEST_CLAIM, Parked};
pub use queue::{
    Counts, DeadLetter, Delivery, MAX_BATCH, MAX_BODY, MAX_DELAY, MAX_VISIBILITY, MAX_WAIT, NewMessage, Queue,
    QueueSettings, Receipt, validate,
};
pub use throttle::{Concurrency, Throttle};
pub use wakeups::{Firing, Wakeup, WakeupSource, Wakeups};

/// Why a port could not do what it was asked. The caller may try again: no port leaves half an operation behind.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The caller asked for something that the contract rules out; trying again cannot help.
    #[error("{0}")]
    Invalid(String),
    /// What the port is to work on was never made, such as the queue of a fleet that is not deployed.
    #[error("{0} does not exist")]
    Missing(String),
    /// What stands behind the port did not do its part.
    #[error("{context}: {reason}")]
    Backend {
        /// What was being done, and on what.
        context: String,
        /// What the backend said, its causes included: logs and dead letters show one line.
        reason: String,
    },
}

impl PortError {
    /// Wraps what a backend said with what was being done.
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

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;
