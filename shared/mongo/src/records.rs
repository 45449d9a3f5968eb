//! Small records with a version, one for each name. A record can only be replaced by a caller that has read its current
//! version.

use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stint_core::ports::{PortError, PortResult};

use crate::connection::Mongo;
use crate::error::{explain, is_duplicate};

/// Records in a collection: `{_id: name, version, record}`, the record as JSON. Used for the values that a throttle was
/// set to.
#[derive(Clone)]
pub struct MongoRecords {
    collection: Collection<Document>,
}

impl MongoRecords {
    /// Returns the records of a collection.
    pub fn new(mongo: &Mongo, collection: &str) -> MongoRecords {
        MongoRecords { collection: mongo.collection(collection) }
    }

    /// Returns the record of that name and its version, from 1. `None` if there is none.
    pub async fn load<T: DeserializeOwned>(&self, name: &str) -> PortResult<Option<(u64, T)>> {
        let what = format!("read the record '{name}'");
        let found = self.collection.find_one(doc! { "_id": name }).await.map_err(|error| explain(&what, &error))?;
        let Some(document) = found else { return Ok(None) };
        let version = document.get("version").and_then(Bson::as_i64).unwrap_or_default().unsigned_abs();
        let text = document.get_str("record").unwrap_or_default();
        let record = serde_json::from_str(text);
        record
            .map(|record| Some((version, record)))
            .map_err(|error| PortError::backend(format!("could not {what}"), error))
    }

    /// Stores `record` with the version after `version`, if `version` is still the stored one (0: no record). Returns
    /// whether it did.
    pub async fn replace<T: Serialize>(&self, name: &str, version: u64, record: &T) -> PortResult<bool> {
        let what = format!("keep the record '{name}'");
        let text =
            serde_json::to_string(record).map_err(|error| PortError::backend(format!("could not {what}"), error))?;
        let document = doc! { "_id": name, "version": (version + 1).cast_signed(), "record": text };
        let kept = if version == 0 {
            self.collection.insert_one(document).await.map(|_| true)
        } else {
            let filter = doc! { "_id": name, "version": version.cast_signed() };
            self.collection.replace_one(filter, document).await.map(|replaced| replaced.matched_count > 0)
        };
        match kept {
            Err(error) if is_duplicate(&error) => Ok(false),
            kept => kept.map_err(|error| explain(&what, &error)),
        }
    }
}
