//! Results that are too large for memory: read in portions through a cursor.

use futures::stream::{Stream, try_unfold};
use tokio_postgres::{Row, Statement};

use crate::failure::{Failure, FailureKind};
use crate::pool::{Postgres, PostgresReader, Sessions};
use crate::retry::Attempts;
use crate::session::Session;
use crate::transaction::Values;

/// The rows of a query, all as of one instant. At most one portion is in memory.
///
/// The limit for statements applies to each portion, not to the whole. A reader that takes longer than
/// `POSTGRES_TRANSACTION_IDLE_SECONDS` for one portion loses the rest.
pub struct RowStream {
    /// `None` after the last portion.
    session: Option<Session>,
    fetch: Statement,
    sessions: Sessions,
    what: String,
}

impl PostgresReader {
    /// Runs a query and reads its rows in portions of `rows`. It is repeated until the first portion can be read; later,
    /// a broken connection ends the stream with an error.
    pub async fn stream(&self, what: &str, sql: &str, values: &Values<'_>, rows: u32) -> Result<RowStream, Failure> {
        self.sessions.stream(what, sql, values, rows).await
    }
}

impl Postgres {
    /// The same as [`PostgresReader::stream`], in a transaction that only reads.
    pub async fn stream(&self, what: &str, sql: &str, values: &Values<'_>, rows: u32) -> Result<RowStream, Failure> {
        self.sessions.stream(what, sql, values, rows).await
    }
}

impl Sessions {
    async fn stream(&self, what: &str, sql: &str, values: &Values<'_>, rows: u32) -> Result<RowStream, Failure> {
        let mut attempts = self.attempts(None);
        loop {
            match self.open_cursor(&attempts, sql, values, rows).await {
                Ok((session, fetch)) => {
                    let (sessions, what) = (self.clone(), what.to_owned());
                    return Ok(RowStream { session: Some(session), fetch, sessions, what });
                }
                Err(failure) => attempts.wait_after(failure.during(what), true).await?,
            }
        }
    }

    async fn open_cursor(
        &self,
        attempts: &Attempts,
        sql: &str,
        values: &Values<'_>,
        rows: u32,
    ) -> Result<(Session, Statement), Failure> {
        let session = attempts.run(self.session(), FailureKind::Unreachable).await?;
        let opened = async {
            session.batch_execute("BEGIN READ ONLY").await?;
            session.execute(&format!("DECLARE stint_rows NO SCROLL CURSOR FOR {sql}"), values).await?;
            Ok(session.prepare(&format!("FETCH FORWARD {} FROM stint_rows", rows.max(1))).await?)
        };
        let fetch = attempts.run(opened, FailureKind::TimedOut).await?;
        Ok((session, fetch))
    }
}

impl RowStream {
    /// Returns the next portion, or an empty one at the end.
    pub async fn next_portion(&mut self) -> Result<Vec<Row>, Failure> {
        let Some(session) = &self.session else { return Ok(Vec::new()) };
        let attempts = self.sessions.attempts(None);
        let portion = async { Ok(session.query(&self.fetch, &[]).await?) };
        let portion = attempts.run(portion, FailureKind::TimedOut).await;
        let rows = portion.map_err(|failure| failure.during(&self.what))?;
        if rows.is_empty() {
            self.end().await;
        }
        Ok(rows)
    }

    /// Returns the rows one by one.
    pub fn into_rows(self) -> impl Stream<Item = Result<Row, Failure>> {
        try_unfold((self, Vec::new().into_iter()), async |(mut stream, mut portion)| {
            loop {
                if let Some(row) = portion.next() {
                    return Ok(Some((row, (stream, portion))));
                }
                portion = stream.next_portion().await?.into_iter();
                if portion.len() == 0 {
                    return Ok(None);
                }
            }
        })
    }

    /// Ends the transaction. A connection that cannot do so is closed.
    async fn end(&mut self) {
        if let Some(session) = self.session.take()
            && session.batch_execute("COMMIT").await.is_ok()
        {
            session.release();
        }
    }
}
