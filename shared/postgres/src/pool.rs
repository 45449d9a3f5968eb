//! Pools of sessions: one that writes, and one that can only read.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Metrics, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use futures::future::BoxFuture;
use stint_core::clock::Clock;
use stint_core::ports::{PortError, PortResult};
use tokio_postgres::Row;

use crate::address::Address;
use crate::config::{PostgresSettings, seconds};
use crate::failure::{Failure, FailureKind};
use crate::retry::Attempts;
use crate::session::{Connector, Session};
use crate::tls;
use crate::transaction::{Tx, Values, Write};
use crate::upsert::Upsert;

/// A connection that was idle for longer is asked whether it still works: routers forget connections silently.
const TRUSTED_IDLE: Duration = Duration::from_secs(30);

/// A pool whose sessions may write. Clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) sessions: Sessions,
}

/// A pool whose sessions can only read: the server refuses every write in them. Clones share the connections.
///
/// This protects from mistakes. Against a hostile statement, give the reader a user without rights to write.
#[derive(Clone)]
pub struct PostgresReader {
    pub(crate) sessions: Sessions,
}

impl Postgres {
    /// Prepares the pool. Sends nothing yet: the first operation connects, or fails with the reason. `application` is
    /// the name that PostgreSQL shows for these sessions, such as that of the worker.
    pub fn open(settings: &PostgresSettings, application: &str, clock: Arc<dyn Clock>) -> PortResult<Postgres> {
        Ok(Postgres { sessions: Sessions::open(settings, application, clock, false)? })
    }

    /// Returns the rows of a query, which is repeated if the connection breaks.
    pub async fn query(&self, what: &str, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        self.sessions.query(what, sql, values).await
    }

    /// Runs one statement that may run twice, and returns the number of its rows.
    pub async fn write(&self, what: &str, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        self.sessions.write(what, sql, values).await
    }

    /// Stores a batch of rows in one statement. `columns` has an array for each column, in the order in which `upsert`
    /// names them.
    pub async fn upsert(&self, what: &str, upsert: &Upsert, columns: &Values<'_>) -> Result<u64, Failure> {
        self.sessions.write(what, upsert.sql(), columns).await
    }

    /// Runs `work` in a transaction and commits it. `work` is called again after a failure that is known to have left
    /// nothing behind, so it must have no effect but through the transaction.
    pub async fn transaction<'env, T, F>(&self, write: Write<'_>, work: F) -> Result<T, Failure>
    where
        F: for<'t> Fn(Tx<'t, 'env>) -> BoxFuture<'t, Result<T, Failure>> + Send + Sync,
        T: Send,
    {
        self.sessions.transaction(write, work).await
    }
}

impl PostgresReader {
    /// Prepares the pool, as [`Postgres::open`] does.
    pub fn open(settings: &PostgresSettings, application: &str, clock: Arc<dyn Clock>) -> PortResult<PostgresReader> {
        Ok(PostgresReader { sessions: Sessions::open(settings, application, clock, true)? })
    }

    /// Returns the rows of a query, which is repeated if the connection breaks.
    pub async fn query(&self, what: &str, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        self.sessions.query(what, sql, values).await
    }

    /// Runs several queries that see the same state of the database.
    pub async fn snapshot<'env, T, F>(&self, what: &str, work: F) -> Result<T, Failure>
    where
        F: for<'t> Fn(Tx<'t, 'env>) -> BoxFuture<'t, Result<T, Failure>> + Send + Sync,
        T: Send,
    {
        self.sessions.transaction(Write::read(what), work).await
    }
}

/// The connections of one pool.
#[derive(Clone)]
pub(crate) struct Sessions {
    pool: Pool,
    place: Arc<str>,
    clock: Arc<dyn Clock>,
    within: Duration,
    idle: Duration,
}

impl Sessions {
    fn open(
        settings: &PostgresSettings,
        application: &str,
        clock: Arc<dyn Clock>,
        read_only: bool,
    ) -> PortResult<Sessions> {
        let address = Address::of(settings).map_err(PortError::Invalid)?;
        let tls = tls::connector(address.sslmode, address.ca_file.as_deref()).map_err(PortError::Invalid)?;
        let connector = Connector::new(settings, tls, read_only);
        let config = driver_config(&address, settings, application);
        let method = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_connect(config, connector, method))
            .max_size(settings.postgres_pool_size.into())
            .runtime(Runtime::Tokio1)
            .timeouts(timeouts(settings))
            // The last used connection first, so that the others become idle and are closed.
            .queue_mode(QueueMode::Lifo)
            .pre_recycle(recycling(settings))
            .build()
            .map_err(|error| PortError::backend("cannot set up the pool of PostgreSQL", error))?;
        let place = address.place().into();
        let (within, idle) = (seconds(settings.postgres_retry_seconds), seconds(settings.postgres_idle_seconds));
        Ok(Sessions { pool, place, clock, within, idle })
    }

    pub(crate) fn attempts(&self, within: Option<Duration>) -> Attempts {
        Attempts::new(&self.clock, within.unwrap_or(self.within))
    }

    /// Returns a connection that no other operation uses.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        self.pool.retain(|_, metrics| metrics.last_used() < self.idle);
        let connected = self.pool.get().await;
        connected.map(Session::new).map_err(|error| Failure::connecting(&self.place, error))
    }

    pub(crate) async fn query(&self, what: &str, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        self.repeat(what, async |session: &Session| {
            let statement = session.prepare_cached(sql).await?;
            session.query(&statement, values).await
        })
        .await
    }

    async fn write(&self, what: &str, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        self.repeat(what, async |session: &Session| {
            let statement = session.prepare_cached(sql).await?;
            session.execute(&statement, values).await
        })
        .await
    }

    /// Runs one statement that may run twice until it is answered.
    async fn repeat<T>(
        &self,
        what: &str,
        run: impl AsyncFn(&Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        let mut attempts = self.attempts(None);
        loop {
            let attempt = async {
                let session = self.session().await?;
                let result = run(&session).await;
                if result.as_ref().err().is_none_or(Failure::left_session_intact) {
                    session.release();
                }
                Ok(result?)
            };
            match attempts.run(attempt, FailureKind::TimedOut).await {
                Ok(value) => return Ok(value),
                Err(failure) => attempts.wait_after(failure.during(what), true).await?,
            }
        }
    }
}

fn driver_config(address: &Address, settings: &PostgresSettings, application: &str) -> tokio_postgres::Config {
    let mut config = address.config.clone();
    config.ssl_mode(match address.sslmode {
        crate::SslMode::Disable => tokio_postgres::config::SslMode::Disable,
        _ => tokio_postgres::config::SslMode::Require,
    });
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    // A host that is silent is noticed within a minute.
    config.keepalives_idle(TRUSTED_IDLE).keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(60)).connect_timeout(seconds(settings.postgres_connect_seconds));
    config
}

fn timeouts(settings: &PostgresSettings) -> Timeouts {
    let connect = seconds(settings.postgres_connect_seconds);
    Timeouts { wait: Some(seconds(settings.postgres_wait_seconds)), create: Some(connect), recycle: Some(connect) }
}

/// Returns the check of a connection that is to be used again.
fn recycling(settings: &PostgresSettings) -> Hook {
    let (idle, lifetime) = (seconds(settings.postgres_idle_seconds), seconds(settings.postgres_lifetime_seconds));
    Hook::async_fn(move |client, metrics: &Metrics| {
        let (age, unused) = (metrics.age(), metrics.last_used());
        Box::pin(async move {
            if age >= lifetime || unused >= idle {
                return Err(HookError::message("the connection is too old"));
            }
            if unused >= TRUSTED_IDLE {
                client.batch_execute("").await.map_err(HookError::Backend)?;
            }
            Ok(())
        })
    })
}
