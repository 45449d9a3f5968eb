//! One connection: how it is opened, which limits it has, and when it is not reused.

use std::ops::Deref;

use deadpool_postgres::{ClientWrapper, Connect, Object};
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::PostgresSettings;

/// Opens connections and sets up their sessions.
pub(crate) struct Connector {
    tls: Option<MakeRustlsConnect>,
    set_up: String,
}

impl Connector {
    pub(crate) fn new(settings: &PostgresSettings, tls: Option<MakeRustlsConnect>, read_only: bool) -> Connector {
        Connector { tls, set_up: set_up(settings, read_only) }
    }
}

/// Returns the statements that begin a session. They are statements, and not parameters of the connection, because
/// poolers between here and the server refuse such parameters.
fn set_up(settings: &PostgresSettings, read_only: bool) -> String {
    format!(
        "SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET statement_timeout = '{}s'; \
         SET lock_timeout = '{}s'; SET idle_in_transaction_session_timeout = '{}s'{}",
        settings.postgres_statement_seconds,
        settings.postgres_lock_seconds,
        settings.postgres_transaction_idle_seconds,
        if read_only { "; SET default_transaction_read_only = on" } else { "" },
    )
}

impl Connect for Connector {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, task) = match self.tls.clone() {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    (client, tokio::spawn(log_end(connection)))
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    (client, tokio::spawn(log_end(connection)))
                }
            };
            client.batch_execute(&self.set_up).await.inspect_err(|_| task.abort())?;
            Ok((client, task))
        })
    }
}

/// Drives a connection. What was in flight when it breaks reports the error itself.
async fn log_end(connection: impl Future<Output = Result<(), Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!("a connection to PostgreSQL has ended: {error}");
    }
}

/// A connection in use. It returns to the pool only if it was released; otherwise it is closed, and the server rolls
/// its transaction back.
pub(crate) struct Session(Option<Object>);

impl Session {
    pub(crate) fn new(object: Object) -> Session {
        Session(Some(object))
    }

    /// Returns the connection to the pool. Nothing of a transaction may be left in it.
    pub(crate) fn release(mut self) {
        self.0.take();
    }
}

impl Deref for Session {
    type Target = ClientWrapper;

    #[expect(clippy::expect_used, reason = "a session without a connection cannot be named")]
    fn deref(&self) -> &ClientWrapper {
        // Only `release` and `drop` take it.
        self.0.as_ref().expect("a session has its connection until it ends")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Taken from the pool, which makes room for another connection.
        self.0.take().map(Object::take);
    }
}
