//! Leases on MongoDB: a record with a version for each name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stint_core::clock::{Clock, after, from_millis, is_pending, to_millis};
use stint_core::ports::{Lease, Leases, PortResult};

use crate::connection::Mongo;
use crate::records::MongoRecords;

/// The collection.
const LEASES: &str = "leases";

/// The leases of a database. Each change replaces the version of the record that it has read, so of two callers at the
/// same time one succeeds.
pub struct MongoLeases {
    records: MongoRecords,
    clock: Arc<dyn Clock>,
}

/// The stored form of a lease. A released lease has ended at 0, and keeps its token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    holder: String,
    token: u64,
    expires_at: i64,
}

impl Record {
    fn is(&self, lease: &Lease) -> bool {
        self.holder == lease.holder && self.token == lease.token && self.expires_at > 0
    }
}

impl MongoLeases {
    /// Returns the leases of a database.
    pub fn new(mongo: &Mongo, clock: Arc<dyn Clock>) -> MongoLeases {
        MongoLeases { records: MongoRecords::new(mongo, LEASES), clock }
    }

    /// Changes the record of a lease until no other caller changes it at the same time. Returns `false` if `lease` no
    /// longer holds it.
    async fn change(&self, lease: &Lease, expires_at: i64) -> PortResult<bool> {
        loop {
            let (version, record): (u64, Record) = self.records.load(&lease.name).await?.unwrap_or_default();
            if !record.is(lease) {
                return Ok(false);
            }
            if self.records.replace(&lease.name, version, &Record { expires_at, ..record }).await? {
                return Ok(true);
            }
        }
    }

    fn end(&self, time: Duration) -> i64 {
        to_millis(after(self.clock.now(), time))
    }
}

#[async_trait]
impl Leases for MongoLeases {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> PortResult<Option<Lease>> {
        let (version, record): (u64, Record) = self.records.load(name).await?.unwrap_or_default();
        let is_held = is_pending(from_millis(record.expires_at), time, self.clock.now());
        if is_held && record.holder != holder {
            return Ok(None);
        }
        let token = record.token + u64::from(!is_held);
        let taken = Record { holder: holder.to_owned(), token, expires_at: self.end(time) };
        let is_ours = self.records.replace(name, version, &taken).await?;
        Ok(is_ours.then(|| Lease { name: name.to_owned(), holder: holder.to_owned(), token }))
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> PortResult<bool> {
        self.change(lease, self.end(time)).await
    }

    async fn release(&self, lease: &Lease) -> PortResult<()> {
        self.change(lease, 0).await.map(drop)
    }
}
