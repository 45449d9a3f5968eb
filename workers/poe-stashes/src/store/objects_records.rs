//! Small versioned records in the bucket of the pages, for what all processes that share the fleet's queues must find:
//! a fleet whose cloud store is S3 needs no database for them.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stint_core::circuit::Circuit;
use stint_core::ports::{AlarmId, AlarmRecord, AlarmRecords, Breakers, PortError, PortResult};

use super::objects::{Objects, failed};

/// Records of one kind: an object for each name, `{version, record}`, replaced only if it is still the version that was
/// read.
#[derive(Clone)]
pub struct ObjectRecords {
    store: Arc<dyn ObjectStore>,
    kind: &'static str,
}

/// The content of an object.
#[derive(Serialize, Deserialize)]
struct StoredRecord {
    version: u64,
    /// Identifies the write, so that a write whose answer was lost can be recognised.
    write: u64,
    record: Value,
}

impl ObjectRecords {
    /// Returns the records of a kind beside the pages in `objects`. A folder has no conditional writes: use SQLite
    /// there.
    pub fn new(objects: &Objects, kind: &'static str) -> ObjectRecords {
        ObjectRecords { store: objects.store().clone(), kind }
    }

    /// Returns the record of that name and its version, from 1. `None` if there is none.
    pub async fn load<T: DeserializeOwned>(&self, name: &str) -> PortResult<Option<(u64, T)>> {
        let path = self.path(name);
        let Some((stored, _)) = self.read(&path).await? else { return Ok(None) };
        let record = serde_json::from_value(stored.record).map_err(|error| invalid(&path, error))?;
        Ok(Some((stored.version, record)))
    }

    /// Stores `record` with the version after `version`, if `version` is still the stored one (0: no record). Returns
    /// whether it did.
    pub async fn replace<T: Serialize + Sync>(&self, name: &str, version: u64, record: &T) -> PortResult<bool> {
        let path = self.path(name);
        let unwritable = |error| PortError::backend(format!("could not write the record {path}"), error);
        let write = getrandom::u64().map_err(|error| PortError::backend("could not read random bytes", error))?;
        let stored =
            StoredRecord { version: version + 1, write, record: serde_json::to_value(record).map_err(unwritable)? };
        let mode = match self.read(&path).await? {
            None if version == 0 => PutMode::Create,
            Some((known, place)) if known.version == version => PutMode::Update(place),
            _ => return Ok(false),
        };
        let bytes = serde_json::to_vec(&stored).map_err(unwritable)?;
        match self.store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. }) => {
                let found = self.read(&path).await?;
                Ok(found.is_some_and(|(found, _)| (found.version, found.write) == (stored.version, stored.write)))
            }
            Err(error) => Err(failed("write", &path, error)),
        }
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}.json", self.kind))
    }

    async fn read(&self, path: &Path) -> PortResult<Option<(StoredRecord, UpdateVersion)>> {
        let found = match self.store.get(path).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|error| failed("read", path, error))?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(|error| failed("read", path, error))?;
        let stored = serde_json::from_slice(&bytes).map_err(|error| invalid(path, error))?;
        Ok(Some((stored, version)))
    }
}

fn invalid(path: &Path, error: serde_json::Error) -> PortError {
    PortError::backend(format!("could not parse the record {path}"), error)
}

#[async_trait]
impl AlarmRecords for ObjectRecords {
    async fn load(&self, id: &AlarmId) -> PortResult<Option<(u64, AlarmRecord)>> {
        ObjectRecords::load(self, &id.key()).await
    }

    async fn replace(&self, version: u64, record: &AlarmRecord) -> PortResult<bool> {
        ObjectRecords::replace(self, &record.id.key(), version, record).await
    }

    async fn list(&self) -> PortResult<Vec<AlarmRecord>> {
        let folder = Path::from(self.kind);
        let failed = |error| failed("list", &folder, error);
        let paths: Vec<Path> =
            self.store.list(Some(&folder)).map_ok(|found| found.location).try_collect().await.map_err(failed)?;
        let mut records = Vec::new();
        for path in paths {
            // One that was deleted meanwhile is none.
            if let Some((stored, _)) = self.read(&path).await? {
                records.push(serde_json::from_value(stored.record).map_err(|error| invalid(&path, error))?);
            }
        }
        Ok(records)
    }
}

#[async_trait]
impl Breakers for ObjectRecords {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        Ok(ObjectRecords::load(self, upstream).await?.unwrap_or_default())
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        ObjectRecords::replace(self, upstream, version, circuit).await
    }
}
