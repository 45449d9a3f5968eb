//! Leases on SQLite. All processes of a machine share its clock. When that is set back, leases are moved back with all
//! other deadlines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use stint_core::clock::Clock;
use stint_core::ports::{Lease, Leases, PortResult};

use crate::database::Database;
use crate::set_back;
use crate::time::{millis_after, now_millis};

/// The leases of a [`Database`]. A released lease keeps its row, and with it the newest token.
pub struct SqliteLeases {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteLeases {
    /// Creates the leases of a database that has their table.
    pub fn new(database: &Database, clock: Arc<dyn Clock>) -> SqliteLeases {
        SqliteLeases { database: database.clone(), clock }
    }
}

#[async_trait]
impl Leases for SqliteLeases {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> PortResult<Option<Lease>> {
        let (name, holder, clock) = (name.to_owned(), holder.to_owned(), self.clock.clone());
        let write = self.database.write("acquire a lease", move |connection| {
            let now = now_millis(&*clock);
            set_back::record_write_time(connection, now)?;
            let mut statement = connection.prepare_cached(
                "INSERT INTO leases (name, holder, token, expires_at) VALUES (?1, ?2, 1, ?4)
                 ON CONFLICT (name) DO UPDATE SET
                     token = token + (holder IS NOT ?2 OR expires_at <= ?3 OR expires_at > ?4),
                     holder = ?2, expires_at = ?4
                 WHERE holder = ?2 OR expires_at <= ?3 OR expires_at > ?4
                 RETURNING token",
            )?;
            let end = millis_after(&*clock, time);
            let token: Option<i64> =
                statement.query_row(params![name, holder, now, end], |row| row.get(0)).optional()?;
            Ok(token.map(|token| Lease { name, holder, token: token.unsigned_abs() }))
        });
        write.await
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> PortResult<bool> {
        let (Lease { name, holder, token }, clock) = (lease.clone(), self.clock.clone());
        let write = self.database.write("renew a lease", move |connection| {
            set_back::record_write_time(connection, now_millis(&*clock))?;
            let mut statement = connection.prepare_cached(
                "UPDATE leases SET expires_at = ?4 WHERE name = ?1 AND holder = ?2 AND token = ?3 AND expires_at > 0",
            )?;
            let end = millis_after(&*clock, time);
            statement.execute(params![name, holder, token.cast_signed(), end]).map(|renewed| renewed > 0)
        });
        write.await
    }

    async fn release(&self, lease: &Lease) -> PortResult<()> {
        let Lease { name, holder, token } = lease.clone();
        let write = self.database.write("release a lease", move |connection| {
            let mut statement = connection
                .prepare_cached("UPDATE leases SET expires_at = 0 WHERE name = ?1 AND holder = ?2 AND token = ?3")?;
            statement.execute(params![name, holder, token.cast_signed()]).map(drop)
        });
        write.await
    }
}
