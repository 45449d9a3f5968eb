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

/// Returns the throttle of Lambda functions, with its state in MongoDB.
pub(crate) fn steering(backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
    let records = MongoRecords::new(backends.mongo()?, THROTTLES);
    backends.steering(Arc::new(ThrottleRecords { records, named_alone: backends.named_alone.clone() }))
}

/// Stores the state of the throttle on Lambda's event source mappings.
///
/// Earlier versions stored a worker's record under the worker's name alone. Such a record is read until the worker's own is
/// written for the first time.
struct ThrottleRecords {
    records: MongoRecords,
    /// The workers that may have a record under their name alone.
    named_alone: Vec<WorkerId>,
}

#[async_trait]
impl ThrottleMemory for ThrottleRecords {
    async fn load(&self, worker: &WorkerId) -> PortResult<ThrottleRecord> {
        if let Some((version, record)) = self.records.load::<ThrottleRecord>(&worker.to_string()).await? {
            return Ok(ThrottleRecord { version, ..record });
        }
        if !self.named_alone.contains(worker) {
            return Ok(ThrottleRecord::default());
        }
        let before = self.records.load::<ThrottleRecord>(&worker.name).await?;
        // Version 0: the worker's own record is not there yet.
        Ok(before.map_or_else(ThrottleRecord::default, |(_, record)| ThrottleRecord { version: 0, ..record }))
    }

    async fn replace(&self, worker: &WorkerId, record: &ThrottleRecord) -> PortResult<bool> {
        self.records.replace(&worker.to_string(), record.version, record).await
    }
}
