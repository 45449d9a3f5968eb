//! The stores and queues of the fleet.

use std::sync::Arc;

use anyhow::{Context, bail};
#[cfg(feature = "aws")]
use async_trait::async_trait;
#[cfg(feature = "aws")]
use stint_aws::{ThrottleMemory, ThrottleRecord};
#[cfg(feature = "aws")]
use stint_core::ports::PortResult;
#[cfg(feature = "aws")]
use stint_core::ports::Throttle;
use stint_core::ports::{AlarmRecords, Breakers, Queue};
#[cfg(feature = "aws")]
use stint_core::worker::WorkerId;
use stint_core::worker::{Worker, WorkerSpec};
use stint_poe_stashes::config::{Blobs, Settings};
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::store::{
    Chain, HeadStore, Index, IndexCounts, ObjectChain, ObjectRecords, Objects, Pages, SqliteChain, SqliteIndex,
};

use super::specs::{PAGES_FOLDER, queue_settings};
use crate::wiring::Backends;

/// The stores and queues of the fleet.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) heads: Arc<dyn HeadStore>,
    pub(crate) pages: Arc<dyn Pages>,
    /// The queue of the chain's continuation message.
    pub(crate) chain_queue: Arc<dyn Queue>,
    /// The queue of stored pages that wait for a consumer.
    pub(crate) stored: Arc<dyn Queue>,
}

impl Stores {
    /// Opens all of them. Processes that share a queue share the chain: with queues on SQS, the chain's record is in
    /// the bucket of the pages.
    pub(crate) fn open(settings: &Settings, backends: &Backends) -> anyhow::Result<Stores> {
        let (realm, clock) = (settings.poe_realm, backends.clock.clone());
        let objects = objects(settings, backends)?;
        let shared = backends.has_shared_queues();
        let (chain, heads): (Arc<dyn Chain>, Arc<dyn HeadStore>) = match &settings.poe_blobs {
            Some(Blobs::S3 { .. }) if shared => both(ObjectChain::new(&objects, realm, clock)),
            _ if shared => bail!(
                "POE_BLOBS is not a bucket: with SQS queues, the chain's record must be in a bucket that all processes share: s3://bucket/prefix"
            ),
            _ => both(SqliteChain::open(backends.embedded()?, realm, clock)?),
        };
        Ok(Stores {
            chain,
            heads,
            pages: Arc::new(objects),
            chain_queue: queue(settings, backends, Follower::SPEC)?,
            stored: queue(settings, backends, Indexer::SPEC)?,
        })
    }

    /// Opens all of them if the fleet was ever started here. A read-only command creates nothing.
    pub(crate) fn existing(settings: &Settings, backends: &Backends) -> anyhow::Result<Option<Stores>> {
        let is_here = backends.home.join("poe-chain.db").is_file();
        let is_shared = backends.has_shared_queues() && matches!(settings.poe_blobs, Some(Blobs::S3 { .. }));
        (is_here || is_shared).then(|| Stores::open(settings, backends)).transpose()
    }
}

/// Returns how much the indexer has in its tables, if it ever ran here.
pub(crate) async fn index_counts(backends: &Backends) -> anyhow::Result<Option<IndexCounts>> {
    if !backends.home.join("poe-index.db").is_file() {
        return Ok(None);
    }
    Ok(Some(SqliteIndex::open(&backends.folder()?)?.counts().await?))
}

/// Returns the throttle of the fleet's workers. For Lambda functions its state is kept in the bucket of the pages.
#[cfg(feature = "aws")]
pub(super) async fn throttle(settings: &Settings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
    match records(settings, backends, "throttles")? {
        Some(records) if backends.steers_functions() => backends.steering(Arc::new(ThrottleRecords(records)), None),
        None if backends.steers_functions() => {
            bail!(
                "POE_BLOBS must name a bucket, such as s3://BUCKET/PREFIX: the state of the throttles of functions is stored there"
            )
        }
        _ => backends.throttle(None).await,
    }
}

/// Returns the breakers of the upstreams. They are kept in the bucket if nothing is kept in `STINT_HOME`.
pub(super) fn breakers(settings: &Settings, backends: &Backends) -> anyhow::Result<Arc<dyn Breakers>> {
    match records(settings, backends, "breakers")? {
        Some(records) if backends.is_without_files() => Ok(Arc::new(records)),
        _ => backends.breakers(),
    }
}

/// Returns the records of the fleet's alarms, likewise.
pub(super) fn alarm_records(settings: &Settings, backends: &Backends) -> anyhow::Result<Arc<dyn AlarmRecords>> {
    match records(settings, backends, "alarms")? {
        Some(records) if backends.is_without_files() => Ok(Arc::new(records)),
        _ => backends.alarm_records(),
    }
}

/// Opens records in the bucket of the pages, where all processes that share a queue find them.
fn records(settings: &Settings, backends: &Backends, kind: &'static str) -> anyhow::Result<Option<ObjectRecords>> {
    match &settings.poe_blobs {
        Some(Blobs::S3 { bucket, prefix }) if backends.has_shared_queues() => {
            Ok(Some(ObjectRecords::new(&Objects::in_s3(bucket, prefix)?, kind)))
        }
        _ => Ok(None),
    }
}

/// What AWS was last told of each worker's throttle, by the worker's name alone: no other fleet uses the prefix in the
/// bucket.
#[cfg(feature = "aws")]
struct ThrottleRecords(ObjectRecords);

#[cfg(feature = "aws")]
#[async_trait]
impl ThrottleMemory for ThrottleRecords {
    async fn load(&self, worker: &WorkerId) -> PortResult<ThrottleRecord> {
        let found = self.0.load::<ThrottleRecord>(&worker.name).await?;
        Ok(found.map_or_else(ThrottleRecord::default, |(version, record)| ThrottleRecord { version, ..record }))
    }

    async fn replace(&self, worker: &WorkerId, record: &ThrottleRecord) -> PortResult<bool> {
        self.0.replace(&worker.name, record.version, record).await
    }
}

fn both<S: Chain + HeadStore + 'static>(store: S) -> (Arc<dyn Chain>, Arc<dyn HeadStore>) {
    let store = Arc::new(store);
    (store.clone(), store)
}

fn queue(settings: &Settings, backends: &Backends, spec: WorkerSpec) -> anyhow::Result<Arc<dyn Queue>> {
    let trigger = spec.queue().with_context(|| format!("no queue feeds {}", spec.name))?;
    backends.queue(trigger.queue, queue_settings(settings, trigger))
}

fn objects(settings: &Settings, backends: &Backends) -> anyhow::Result<Objects> {
    Ok(match &settings.poe_blobs {
        Some(Blobs::S3 { bucket, prefix }) => Objects::in_s3(bucket, prefix)?,
        Some(Blobs::Folder(folder)) => Objects::in_folder(folder)?,
        None => Objects::in_folder(&backends.home.join(PAGES_FOLDER))?,
    })
}
