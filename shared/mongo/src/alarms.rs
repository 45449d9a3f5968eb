//! Alarms' records on MongoDB.

use async_trait::async_trait;
use mongodb::bson::doc;
use stint_core::ports::{AlarmId, AlarmRecord, AlarmRecords, PortError, PortResult};

use crate::connection::Mongo;
use crate::records::MongoRecords;

/// The collection.
const ALARMS: &str = "alarms";

/// More alarms than an installation has names for.
const MOST: usize = 10_000;

/// The alarms of a database: a document for each.
pub struct MongoAlarms {
    mongo: Mongo,
    records: MongoRecords,
}

impl MongoAlarms {
    /// Returns the alarms of a database.
    pub fn new(mongo: &Mongo) -> MongoAlarms {
        MongoAlarms { mongo: mongo.clone(), records: MongoRecords::new(mongo, ALARMS) }
    }
}

#[async_trait]
impl AlarmRecords for MongoAlarms {
    async fn load(&self, id: &AlarmId) -> PortResult<Option<(u64, AlarmRecord)>> {
        self.records.load(&id.key()).await
    }

    async fn replace(&self, version: u64, record: &AlarmRecord) -> PortResult<bool> {
        self.records.replace(&record.id.key(), version, record).await
    }

    async fn list(&self) -> PortResult<Vec<AlarmRecord>> {
        let found = self.mongo.find(ALARMS, doc! {}, doc! { "_id": 1 }, MOST, "read the alarms").await?;
        let parse = |text: &str| {
            serde_json::from_str(text).map_err(|error| PortError::backend("could not read an alarm (MongoDB)", error))
        };
        found.iter().map(|document| parse(document.get_str("record").unwrap_or_default())).collect()
    }
}
