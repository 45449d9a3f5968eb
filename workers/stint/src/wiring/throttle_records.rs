//! Stores the throttle state last sent to AWS for each worker in MongoDB, so that neither adapter depends on the other.

use async_trait::async_trait;
use stint_aws::{ThrottleMemory, ThrottleRecord};
use stint_core::ports::PortResult;
use stint_mongo::MongoRecords;

/// The name of the collection.
pub(super) const THROTTLES: &str = "throttles";

/// Stores the state of the throttle on Lambda's event source mappings.
pub(super) struct ThrottleRecords(pub(super) MongoRecords);

#[async_trait]
impl ThrottleMemory for ThrottleRecords {
    async fn load(&self, worker: &str) -> PortResult<ThrottleRecord> {
        let found = self.0.load::<ThrottleRecord>(worker).await?;
        Ok(found.map_or_else(ThrottleRecord::default, |(version, record)| ThrottleRecord { version, ..record }))
    }

    async fn replace(&self, worker: &str, record: &ThrottleRecord) -> PortResult<bool> {
        self.0.replace(worker, record.version, record).await
    }
}
