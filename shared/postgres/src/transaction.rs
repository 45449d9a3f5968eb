//! Transactions. The text of a write says whether it may run twice; everything about retries follows from that.

use std::marker::PhantomData;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use futures::future::BoxFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::failure::{Failure, FailureKind};
use crate::pool::Sessions;
use crate::retry::Attempts;
use crate::session::Session;

/// The values of a statement's parameters.
pub(crate) type Values<'a> = [&'a (dyn ToSql + Sync)];

/// What transactions see of each other.
/// <https://www.postgresql.org/docs/current/transaction-iso.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it. The default.
    #[default]
    ReadCommitted,
    /// Every statement sees what was committed before the first one.
    RepeatableRead,
    /// As if the transactions had run one after the other.
    Serializable,
}

/// A write, and whether it may run twice.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    pub(crate) what: &'a str,
    pub(crate) is_repeatable: bool,
    pub(crate) isolation: Isolation,
    pub(crate) within: Option<Duration>,
    pub(crate) is_read: bool,
}

impl<'a> Write<'a> {
    /// A write that reaches the same end state however often it runs. If the answer to its commit is lost, it runs
    /// again. `what` completes the sentence "could not …".
    pub fn idempotent(what: &'a str) -> Write<'a> {
        let (isolation, within) = (Isolation::default(), None);
        Write { what, is_repeatable: true, isolation, within, is_read: false }
    }

    /// A write that must not run twice, such as one that adds to a number. If the answer to its commit is lost, the
    /// caller gets a failure whose outcome is unknown. Until then it was rolled back for certain, and is repeated.
    pub fn once(what: &'a str) -> Write<'a> {
        Write { is_repeatable: false, ..Write::idempotent(what) }
    }

    /// Reads in one transaction, which may always run again.
    pub(crate) fn read(what: &'a str) -> Write<'a> {
        Write { is_read: true, isolation: Isolation::RepeatableRead, ..Write::idempotent(what) }
    }

    /// Sets what the transaction sees of others.
    pub fn isolation(self, isolation: Isolation) -> Write<'a> {
        Write { isolation, ..self }
    }

    /// Sets the time for all attempts together, instead of `POSTGRES_RETRY_SECONDS`.
    pub fn within(self, within: Duration) -> Write<'a> {
        Write { within: Some(within), ..self }
    }

    fn begin(&self) -> String {
        let level = match self.isolation {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        };
        format!("BEGIN ISOLATION LEVEL {level}, READ {}", if self.is_read { "ONLY" } else { "WRITE" })
    }
}

/// A running transaction. It ends when the function that was given it returns: with a commit, or if that function fails
/// with a rollback.
#[derive(Clone, Copy)]
pub struct Tx<'t, 'env: 't> {
    client: &'t ClientWrapper,
    /// What the function borrows, which outlives every attempt.
    environment: PhantomData<&'env ()>,
}

impl<'t> Tx<'t, '_> {
    /// Returns the rows of a query. Its plan is kept for the life of the connection.
    pub async fn query(&self, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Returns the only row of a query, or `None` if it has none. More than one is an error.
    pub async fn query_opt(&self, sql: &str, values: &Values<'_>) -> Result<Option<Row>, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_opt(&statement, values).await?)
    }

    /// Runs a statement and returns the number of its rows.
    pub async fn execute(&self, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    /// Runs several statements without parameters, separated by semicolons.
    pub async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// The driver's client, for `COPY` and pipelines. The transaction must not be ended through it.
    pub fn client(&self) -> &'t Client {
        self.client
    }
}

impl Sessions {
    /// Runs `work` in a transaction until it is committed, or fails in a way that no retry may help, or is out of time.
    pub(crate) async fn transaction<'env, T, F>(&self, write: Write<'_>, work: F) -> Result<T, Failure>
    where
        F: for<'t> Fn(Tx<'t, 'env>) -> BoxFuture<'t, Result<T, Failure>> + Send + Sync,
        T: Send,
    {
        let mut attempts = self.attempts(write.within);
        loop {
            match self.attempt(&write, &attempts, &work).await {
                Ok(value) => return Ok(value),
                Err(failure) => attempts.wait_after(failure.during(write.what), write.is_repeatable).await?,
            }
        }
    }

    async fn attempt<'env, T, F>(&self, write: &Write<'_>, attempts: &Attempts, work: &F) -> Result<T, Failure>
    where
        F: for<'t> Fn(Tx<'t, 'env>) -> BoxFuture<'t, Result<T, Failure>> + Send + Sync,
        T: Send,
    {
        let session = attempts.run(self.session(), FailureKind::Unreachable).await?;
        let body = async {
            session.batch_execute(&write.begin()).await?;
            work(Tx { client: &session, environment: PhantomData }).await
        };
        match attempts.run(body, FailureKind::TimedOut).await {
            Ok(value) => {
                attempts.run(commit(&session), FailureKind::OutcomeUnknown).await?;
                session.release();
                Ok(value)
            }
            Err(failure) => {
                roll_back(session, attempts).await;
                Err(failure)
            }
        }
    }
}

/// Commits. The server answers the commit of a transaction in which a statement has failed with a rollback that looks
/// like a success to the driver; the statement before the commit fails then.
async fn commit(session: &Session) -> Result<(), Failure> {
    if session.is_closed() {
        return Err(Failure::new(FailureKind::Interrupted, "the connection broke before the commit was sent"));
    }
    session.batch_execute("SELECT 1; COMMIT").await.map_err(|error| Failure::committing(&error))
}

/// Rolls back, so that the connection can be used again. A connection that cannot do so is closed.
async fn roll_back(session: Session, attempts: &Attempts) {
    let rolled_back = async { Ok(session.batch_execute("ROLLBACK").await?) };
    if !session.is_closed() && attempts.run(rolled_back, FailureKind::TimedOut).await.is_ok() {
        session.release();
    }
}
