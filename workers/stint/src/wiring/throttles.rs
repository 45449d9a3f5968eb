//! Stores the throttle state last sent to AWS for each worker in MongoDB, so that neither adapter depends on the other.

use std::sync::Arc;

use async_trait::async_trait;
use stint_aws::{ThrottleMemory, ThrottleRecord};
use stint_core::ports::{PortResult, Throttle};
use stint_core::worker::WorkerId;
use stint_mongo::MongoRecords;

use super::backends::Backends;

/// The name of the collection.
const THROTTLES: &str = "throttles";

/// Returns the throttle of Lambda functions, with its state in MongoDB. The function of `reserved` is throttled by its
/// reserved concurrency.
pub(crate) fn steering(backends: &Backends, reserved: Option<&WorkerId>) -> anyhow::Result<Arc<dyn Throttle>> {
    let records = MongoRecords::new(backends.mongo()?, THROTTLES);
    let memory = ThrottleRecords { records, unqualified: backends.unqualified.clone() };
    backends.steering(Arc::new(memory), reserved)
}

/// Stores the state of the throttle on Lambda's event source mappings, a record for each worker.
///
/// Earlier versions knew a worker by its name alone, and its record keeps that name: a function of an earlier version that
/// still runs, or runs again after a rollback, must find what this one has told the same mapping.
struct ThrottleRecords {
    records: MongoRecords,
    /// The workers whose record has their name alone.
    unqualified: Vec<WorkerId>,
}

impl ThrottleRecords {
    /// Returns the id of a worker's record. A name alone has no slash, so that no two workers share a record.
    fn id(&self, worker: &WorkerId) -> String {
        if self.unqualified.contains(worker) { worker.name.to_string() } else { worker.to_string() }
    }
}

#[async_trait]
impl ThrottleMemory for ThrottleRecords {
    async fn load(&self, worker: &WorkerId) -> PortResult<ThrottleRecord> {
        let found = self.records.load::<ThrottleRecord>(&self.id(worker)).await?;
        Ok(found.map_or_else(ThrottleRecord::default, |(version, record)| ThrottleRecord { version, ..record }))
    }

    async fn replace(&self, worker: &WorkerId, record: &ThrottleRecord) -> PortResult<bool> {
        self.records.replace(&self.id(worker), record.version, record).await
    }
}
