//! The time limits of every operation, and how it is retried.
//!
//! A replica set elects a new primary within a few seconds. Until then commands are refused, connections break, and no
//! primary can be found. Such an operation is retried, after growing and random pauses, until its deadline.

use std::io;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use mongodb::error::{Error, Result};
use stint_core::clock::after;
use stint_core::ports::PortResult;

use crate::connection::Mongo;
use crate::error::{explain, is_refused, is_transient};

/// How long the server works on one command, and how long it waits for a majority to have a write (`wtimeout`).
pub const MAX_TIME: Duration = Duration::from_secs(10);

/// How long the answer to a command is waited for. A little longer than the server works on it: a connection on which
/// nothing arrives any more is not noticed otherwise.
const ATTEMPT: Duration = Duration::from_secs(15);

/// How long a failed operation is tried again. Longer than an election takes, and shorter than any worker may.
const RETRY_FOR: Duration = Duration::from_secs(20);

/// The longest pause after the first failure. It doubles with each failure, up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The most attempts, whatever the clock says.
const MOST_ATTEMPTS: u32 = 20;

/// Which failures are followed by another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// All that may pass. The operation may be applied twice without harm.
    Idempotent,
    /// Only those after which the operation was certainly not applied. For an operation whose result the second attempt
    /// would not have.
    Refused,
}

impl Retry {
    pub(crate) fn allows(self, error: &Error) -> bool {
        match self {
            Retry::Idempotent => is_transient(error),
            Retry::Refused => is_refused(error),
        }
    }
}

/// The attempts of one operation.
pub(crate) struct Attempts<'a> {
    mongo: &'a Mongo,
    until: Timestamp,
    failed: u32,
}

impl Attempts<'_> {
    /// Returns whether an attempt has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Waits after a failed attempt. Returns whether there is time for another one.
    pub(crate) async fn pause(&mut self) -> bool {
        self.failed += 1;
        let longest = FIRST_PAUSE.saturating_mul(1 << self.failed.min(16)).min(LONGEST_PAUSE);
        // Without random bytes every process waits equally long.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let pause = longest.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0);
        let clock = self.mongo.clock();
        if self.failed >= MOST_ATTEMPTS || after(clock.now(), pause) > self.until {
            return false;
        }
        clock.sleep(pause).await;
        true
    }
}

impl Mongo {
    /// Begins the attempts of an operation.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts { mongo: self, until: after(self.clock().now(), RETRY_FOR), failed: 0 }
    }

    /// Runs `operation`, again if necessary. `what` completes the sentence "could not …".
    pub async fn run<T, O>(&self, what: &str, retry: Retry, operation: impl Fn() -> O) -> PortResult<T>
    where
        O: IntoFuture<Output = Result<T>>,
    {
        self.try_run(retry, operation).await.map_err(|error| explain(what, &error))
    }

    /// The same with the driver's error.
    pub(crate) async fn try_run<T, O>(&self, retry: Retry, operation: impl Fn() -> O) -> Result<T>
    where
        O: IntoFuture<Output = Result<T>>,
    {
        let mut attempts = self.attempts();
        loop {
            match self.within_time(operation()).await {
                Err(error) if retry.allows(&error) && attempts.pause().await => {
                    tracing::debug!(%error, "MongoDB is tried again: {error}");
                }
                done => return done,
            }
        }
    }

    /// Runs one attempt. One that takes too long fails like a broken connection.
    pub(crate) async fn within_time<T>(&self, operation: impl IntoFuture<Output = Result<T>>) -> Result<T> {
        let silent = || {
            let reason = format!("no answer within {} s", ATTEMPT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        };
        match select(Box::pin(operation.into_future()), self.clock().sleep(ATTEMPT)).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => silent(),
        }
    }
}
