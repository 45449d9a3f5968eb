//! What AWS was last told of each worker's throttle, kept in MongoDB: neither adapter knows the other.

use async_trait::async_trait;
use stint_aws::{ThrottleMemory, ThrottleRecord};
use stint_core::ports::PortResult;
use stint_mongo::MongoRecords;

/// The collection.
pub(super) const THROTTLES: &str = "throttles";

/// The memory of the throttle on Lambda's event source mappings.
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
