//! Rate limits on SQLite, in a file of their own.
//!
//! A bucket is a row, and a call is a transaction, so that the limit is exact among all processes of the folder and is not
//! forgotten by a restart: a caller that is refused is not admitted because the host was started again. Concurrent calls
//! share a commit, like all writes of a [`Database`]. The file is its own because a change of `queues.db` makes the host look for
//! work.
//!
//! A bucket that is full again says nothing and is deleted: each call deletes a few, so that the file does not grow with the
//! addresses that were ever seen.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::clock::{Clock, to_millis};
use stint_core::ports::{PortResult, RateLimit, RateLimits};
use stint_core::token_bucket::{Taken, TokenBucket};

use crate::database::Database;

/// How many full buckets a call deletes: more than it can create.
const DELETED_PER_CALL: i64 = 4;

/// The buckets of a [`Database`].
pub struct SqliteRateLimits {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteRateLimits {
    /// Creates the limits of a database that has their table.
    pub fn new(database: &Database, clock: Arc<dyn Clock>) -> SqliteRateLimits {
        SqliteRateLimits { database: database.clone(), clock }
    }
}

#[async_trait]
impl RateLimits for SqliteRateLimits {
    async fn take(&self, name: &str, tokens: u32, limit: &RateLimit) -> PortResult<Taken> {
        let (name, limit, now) = (name.to_owned(), *limit, self.clock.now());
        // Refuses what is invalid, which within the transaction cannot happen any more.
        let full = TokenBucket::full(&limit, now);
        full.take(tokens, &limit, now)?;
        let write = self.database.write("take from a bucket", move |connection| {
            let mut find = connection.prepare_cached("SELECT parts, period, at FROM buckets WHERE name = ?1")?;
            let stored = find.query_row([&name], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).optional()?;
            let bucket = stored.map_or(full, TokenBucket::restored);
            let taken = bucket.take(tokens, &limit, now);
            let Ok((bucket, taken)) = taken else { return Ok(None) };
            let [parts, period, at] = bucket.stored();
            let mut keep = connection.prepare_cached(
                "INSERT INTO buckets (name, parts, period, at, full_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name)
                 DO UPDATE SET parts = ?2, period = ?3, at = ?4, full_at = ?5",
            )?;
            keep.execute(params![name, parts, period, at, to_millis(bucket.full_at(&limit))])?;
            let mut forget = connection.prepare_cached(
                "DELETE FROM buckets WHERE name IN (SELECT name FROM buckets WHERE full_at < ?1 ORDER BY full_at LIMIT ?2)",
            )?;
            forget.execute([to_millis(now), DELETED_PER_CALL])?;
            Ok(Some(taken))
        });
        write.await?.map_or_else(|| full.take(tokens, &limit, now).map(|(_, taken)| taken), Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;
    use stint_core::clock::ManualClock;

    use super::*;
    use crate::schema;

    #[test]
    fn buckets_that_are_full_again_are_deleted() {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let database = Database::in_memory(schema::LIMITS).unwrap();
        let limits = SqliteRateLimits::new(&database, Arc::new(clock.clone()));
        let limit = RateLimit::per_second(1, 10);
        block_on(async {
            for number in 0..20 {
                limits.take(&number.to_string(), 10, &limit).await.unwrap();
            }
            clock.advance(Duration::from_secs(11));
            for _ in 0..6 {
                limits.take("last", 1, &limit).await.unwrap();
            }
            let count = database.read("count", |connection| {
                connection.query_row("SELECT count(*) FROM buckets", [], |row| row.get::<_, i64>(0))
            });
            assert_eq!(count.await.unwrap(), 1);
        });
    }
}
