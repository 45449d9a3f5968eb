//! The chain and the heads as objects, for a fleet whose cloud store is S3.
//!
//! A record is one small object. It is replaced only if it is still the version that was read (`If-Match` with its
//! entity tag, or `If-None-Match` for the first one). So two followers never both hold the chain, and no database is
//! needed beside the bucket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::lock::Mutex;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stint_core::clock::{Clock, after};
use stint_core::ports::{PortError, PortResult};

use super::chain::active_lease_until;
use super::objects::{Objects, failed};
use super::{Chain, ChainStatus, Claim, HeadSamples, HeadStore, Progress, Realm};

/// The chain of one realm, in a bucket.
pub struct ObjectChain {
    store: Arc<dyn ObjectStore>,
    chain: Path,
    heads: Path,
    clock: Arc<dyn Clock>,
    /// The version that this process wrote last, and the claim that it used, so that a write needs no read first. Two
    /// invocations in one process may each have a claim, of which the older one is invalid.
    version: Mutex<Option<(u64, UpdateVersion)>>,
}

/// The object.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    lease: u64,
    leased_until: Option<Timestamp>,
    progress: Progress,
}

impl ObjectChain {
    /// Returns the chain of `realm` beside the pages in `objects`. A folder has no conditional writes: use SQLite
    /// there.
    pub fn new(objects: &Objects, realm: Realm, clock: Arc<dyn Clock>) -> ObjectChain {
        let path = |name: &str| Path::from(format!("chain/{realm}/{name}.json"));
        let store = objects.store().clone();
        ObjectChain { store, chain: path("chain"), heads: path("heads"), clock, version: Mutex::new(None) }
    }

    async fn load<T: DeserializeOwned>(&self, path: &Path) -> PortResult<Option<(T, UpdateVersion)>> {
        let found = match self.store.get(path).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|error| failed("read", path, error))?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(|error| failed("read", path, error))?;
        let document = serde_json::from_slice(&bytes)
            .map_err(|error| PortError::backend(format!("could not parse the record {path}"), error))?;
        Ok(Some((document, version)))
    }

    /// Replaces the record if it is still of that `version`; returns `None` if it is not.
    async fn replace(&self, record: &Record, version: Option<UpdateVersion>) -> PortResult<Option<UpdateVersion>> {
        let mode = version.map_or(PutMode::Create, PutMode::Update);
        let put = self.store.put_opts(&self.chain, payload(record)?, PutOptions::from(mode)).await;
        match put {
            Ok(put) => Ok(Some(UpdateVersion { e_tag: put.e_tag, version: put.version })),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("write", &self.chain, error)),
        }
    }

    /// Writes the record if the claim is still valid. A write whose answer was lost has changed the version, so after a
    /// refusal the record is read, and its lease number shows which claim wrote it.
    async fn put(&self, claim: &Claim, progress: &Progress, leased_until: Option<Timestamp>) -> PortResult<bool> {
        let record = Record { lease: claim.lease, leased_until, progress: progress.clone() };
        let mut version = self.version.lock().await;
        if let Some((_, known)) = version.take_if(|(lease, _)| *lease == claim.lease)
            && let Some(written) = self.replace(&record, Some(known)).await?
        {
            *version = Some((claim.lease, written));
            return Ok(true);
        }
        let Some((current, known)) = self.load::<Record>(&self.chain).await? else { return Ok(false) };
        if current.lease != claim.lease {
            return Ok(false);
        }
        let Some(written) = self.replace(&record, Some(known)).await? else { return Ok(false) };
        *version = Some((claim.lease, written));
        Ok(true)
    }
}

fn payload(document: &(impl Serialize + ?Sized)) -> PortResult<PutPayload> {
    let bytes = serde_json::to_vec(document).map_err(|error| PortError::backend("could not write a record", error))?;
    Ok(bytes.into())
}

#[async_trait]
impl Chain for ObjectChain {
    async fn read(&self) -> PortResult<Option<ChainStatus>> {
        let record = self.load::<Record>(&self.chain).await?;
        Ok(record.map(|(Record { progress, leased_until, .. }, _)| ChainStatus { progress, leased_until }))
    }

    async fn claim(&self, lease: Duration) -> PortResult<Option<Claim>> {
        let (mut record, version) = match self.load::<Record>(&self.chain).await? {
            Some((record, version)) => (record, Some(version)),
            None => (Record::default(), None),
        };
        let now = self.clock.now();
        if active_lease_until(record.leased_until, now, lease).is_some() {
            return Ok(None);
        }
        record.lease += 1;
        record.leased_until = Some(after(now, lease));
        let Some(written) = self.replace(&record, version).await? else { return Ok(None) };
        *self.version.lock().await = Some((record.lease, written));
        Ok(Some(Claim { lease: record.lease, progress: record.progress }))
    }

    async fn write(&self, claim: &Claim, progress: &Progress, lease: Duration) -> PortResult<bool> {
        self.put(claim, progress, Some(after(self.clock.now(), lease))).await
    }

    async fn release(&self, claim: &Claim, progress: &Progress) -> PortResult<bool> {
        self.put(claim, progress, None).await
    }
}

#[async_trait]
impl HeadStore for ObjectChain {
    async fn write(&self, head: &HeadSamples) -> PortResult<()> {
        let put = self.store.put(&self.heads, payload(head)?).await;
        put.map(drop).map_err(|error| failed("write", &self.heads, error))
    }

    async fn read(&self) -> PortResult<HeadSamples> {
        Ok(self.load(&self.heads).await?.map(|(head, _)| head).unwrap_or_default())
    }
}
