//! Small records with a version, one for each name. A record can only be replaced by a caller that has read its current
//! version.
//!
//! Callers count versions. After a rollback another process may write the same version again, so a process also remembers
//! the random revision that it has read or written, and replaces only the record that has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::{Bson, Document, doc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stint_core::ports::{PortError, PortResult};

use crate::connection::Mongo;
use crate::guarded::{Revision, WriteOutcome};

/// Records in a collection: `{_id: name, version, revision, earlier, record}`, the record as JSON. Used for the values
/// that a throttle was set to, and for circuit breakers. Records of earlier versions lack `revision` and `earlier`.
#[derive(Clone)]
pub struct MongoRecords {
    mongo: Mongo,
    collection: String,
    /// What this process has last seen of each record.
    seen: Arc<Mutex<BTreeMap<String, (u64, Revision)>>>,
}

impl MongoRecords {
    /// Returns the records of a collection.
    pub fn new(mongo: &Mongo, collection: &str) -> MongoRecords {
        MongoRecords { mongo: mongo.clone(), collection: collection.to_owned(), seen: Arc::default() }
    }

    /// Returns the record of that name and its version, from 1. `None` if there is none.
    pub async fn load<T: DeserializeOwned>(&self, name: &str) -> PortResult<Option<(u64, T)>> {
        let what = format!("read the record '{name}'");
        let found = self.mongo.find_one(&self.collection, doc! { "_id": name }, &what).await?;
        let Some(document) = found else { return Ok(None) };
        let version = document.get("version").and_then(Bson::as_i64).unwrap_or_default().unsigned_abs();
        let record = serde_json::from_str(document.get_str("record").unwrap_or_default())
            .map_err(|error| PortError::backend(format!("could not {what}"), error))?;
        self.seen().insert(name.to_owned(), (version, Revision::of(&document)));
        Ok(Some((version, record)))
    }

    /// Stores `record` with the version after `version`, if `version` is still the stored one (0: no record). Returns
    /// whether it did.
    pub async fn replace<T: Serialize>(&self, name: &str, version: u64, record: &T) -> PortResult<bool> {
        let what = format!("keep the record '{name}'");
        let text =
            serde_json::to_string(record).map_err(|error| PortError::backend(format!("could not {what}"), error))?;
        let seen = self.seen().get(name).filter(|(seen, _)| *seen == version).map(|(_, revision)| revision.clone());
        let base = (version > 0).then(|| base(version, seen.as_ref()));
        let revision = Revision::after(seen.as_ref())?;
        let mut document = doc! { "_id": name, "version": (version + 1).cast_signed(), "record": text };
        document.extend(revision.fields());
        match self.mongo.replace(&self.collection, base.as_ref(), document, &revision, &what).await {
            WriteOutcome::Replaced => {
                self.seen().insert(name.to_owned(), (version + 1, revision));
                Ok(true)
            }
            WriteOutcome::Conflict => Ok(false),
            WriteOutcome::Unknown(error) => Err(error),
        }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Revision)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the record that a caller has read.
fn base(version: u64, seen: Option<&Revision>) -> Document {
    let mut base = doc! { "version": version.cast_signed() };
    if let Some(seen) = seen {
        base.insert("revision", seen.value());
    }
    base
}
