//! What the `poe-stashes` fleet keeps, and how its workers are built.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use stint_core::ports::{Queue, QueueSettings};
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Spec, Worker};
use stint_http::ReqwestTransport;
use stint_poe_stashes::client::Api;
use stint_poe_stashes::config::{Blobs, Settings};
use stint_poe_stashes::follower::{Follower, FollowerPorts, FollowerSettings};
use stint_poe_stashes::indexer::{Indexer, IndexerSettings};
use stint_poe_stashes::message::PAGES_QUEUE;
use stint_poe_stashes::store::{
    Chain, Heads, Index, IndexCounts, ObjectChain, Objects, Pages, SqliteChain, SqliteIndex,
};
use stint_poe_stashes::watcher::{Watcher, WatcherSettings};
use tokio::sync::OnceCell;

use super::backends::Backends;

/// Where pages are kept if no other place is set, in `STINT_HOME`.
pub(super) const PAGES_FOLDER: &str = "poe-pages";

/// What the fleet keeps.
#[derive(Clone)]
pub(crate) struct PoeStores {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) heads: Arc<dyn Heads>,
    pub(crate) pages: Arc<dyn Pages>,
    /// The chain's message.
    pub(crate) baton: Arc<dyn Queue>,
    /// Pages that are stored and wait for a consumer.
    pub(crate) stored: Arc<dyn Queue>,
}

impl PoeStores {
    /// All of them. Who shares a queue shares the chain: where queues are SQS, its record is in the bucket of the pages.
    pub(crate) fn open(settings: &Settings, backends: &Backends) -> anyhow::Result<PoeStores> {
        let (realm, clock) = (settings.poe_realm, backends.clock.clone());
        let objects = objects(settings, backends)?;
        let shared = backends.has_shared_queues();
        let (chain, heads): (Arc<dyn Chain>, Arc<dyn Heads>) = match &settings.poe_blobs {
            Some(Blobs::S3 { .. }) if shared => both(ObjectChain::new(&objects, realm, clock)),
            _ if shared => bail!(
                "POE_BLOBS is not a bucket: where queues are SQS, the chain's record must be where all who share them \
                 find it: s3://bucket/prefix"
            ),
            _ => both(SqliteChain::open(backends.embedded()?, realm, clock)?),
        };
        Ok(PoeStores {
            chain,
            heads,
            pages: Arc::new(objects),
            baton: queue(settings, backends, Follower::SPEC)?,
            stored: queue(settings, backends, Indexer::SPEC)?,
        })
    }

    /// The same, if the fleet was ever started here: who only looks creates nothing.
    pub(crate) fn existing(settings: &Settings, backends: &Backends) -> anyhow::Result<Option<PoeStores>> {
        let is_here = backends.home.join("poe-chain.db").is_file();
        let is_shared = backends.has_shared_queues() && matches!(settings.poe_blobs, Some(Blobs::S3 { .. }));
        (is_here || is_shared).then(|| PoeStores::open(settings, backends)).transpose()
    }
}

/// How much the indexer has in its tables, if it ever ran here.
pub(crate) async fn index_counts(backends: &Backends) -> anyhow::Result<Option<IndexCounts>> {
    if !backends.home.join("poe-index.db").is_file() {
        return Ok(None);
    }
    Ok(Some(SqliteIndex::open(backends.embedded()?)?.counts().await?))
}

fn both<S: Chain + Heads + 'static>(store: S) -> (Arc<dyn Chain>, Arc<dyn Heads>) {
    let store = Arc::new(store);
    (store.clone(), store)
}

fn queue(settings: &Settings, backends: &Backends, spec: Spec) -> anyhow::Result<Arc<dyn Queue>> {
    let trigger = spec.queue().with_context(|| format!("no queue feeds {}", spec.name))?;
    backends.queue(trigger.queue, queue_settings(settings, trigger))
}

/// How one of the fleet's queues treats its messages.
pub(super) fn queue_settings(settings: &Settings, trigger: QueueTrigger) -> QueueSettings {
    let QueueTrigger { queue, visibility_timeout, max_receives, .. } = trigger;
    let visibility_timeout = if queue == PAGES_QUEUE { settings.visibility() } else { visibility_timeout };
    QueueSettings { visibility_timeout, max_receives }
}

fn objects(settings: &Settings, backends: &Backends) -> anyhow::Result<Objects> {
    Ok(match &settings.poe_blobs {
        Some(Blobs::S3 { bucket, prefix }) => Objects::in_s3(bucket, prefix)?,
        Some(Blobs::Folder(folder)) => Objects::in_folder(folder)?,
        None => Objects::in_folder(&backends.home.join(PAGES_FOLDER))?,
    })
}

/// The upstream, as all workers of a process share it.
fn api(settings: &Settings, backends: &Backends) -> anyhow::Result<Api> {
    let agent = settings.user_agent().map_err(|error| anyhow!(error))?;
    let transport = ReqwestTransport::new(&agent).context("POE_CONTACT")?;
    Api::new(settings, Arc::new(transport), &backends.breakers()?, backends.clock.clone())
        .map_err(|error| anyhow!(error))
}

/// Where the workers of the fleet are built.
pub(super) struct PoeWorkshop<'a> {
    settings: &'a Settings,
    backends: &'a Backends,
    /// One for all workers: the upstream counts the requests of the address.
    api: OnceCell<Arc<Api>>,
    stores: OnceCell<PoeStores>,
}

impl<'a> PoeWorkshop<'a> {
    pub(super) fn new(settings: &'a Settings, backends: &'a Backends) -> PoeWorkshop<'a> {
        PoeWorkshop { settings, backends, api: OnceCell::new(), stores: OnceCell::new() }
    }

    /// Adds a worker.
    pub(super) async fn add(&self, registry: Registry, spec: &Spec) -> anyhow::Result<Registry> {
        let settings = self.settings;
        let PoeStores { chain, heads, pages, baton, stored } = self.stores().await?;
        Ok(match spec.name {
            name if name == Follower::SPEC.name => {
                let ports = FollowerPorts { api: self.api().await?, chain, pages, baton, stored };
                registry.with(Follower::new(ports, FollowerSettings::from(settings)))
            }
            name if name == Watcher::SPEC.name => {
                let watcher = WatcherSettings { realm: settings.poe_realm, alarm: settings.lag_alarm() };
                registry.with(Watcher::new(self.api().await?, chain, heads, baton, watcher))
            }
            name if name == Indexer::SPEC.name => {
                let (max_page, event_retention) = (settings.poe_max_body as usize, settings.event_retention());
                let index: Arc<dyn Index> = Arc::new(SqliteIndex::open(self.backends.embedded()?)?);
                registry.with(Indexer::new(pages, index, IndexerSettings { max_page, event_retention }))
            }
            unknown => bail!("there is no way to build the worker {unknown}"),
        })
    }

    pub(super) async fn api(&self) -> anyhow::Result<Arc<Api>> {
        let api = self.api.get_or_try_init(async || api(self.settings, self.backends).map(Arc::new));
        api.await.cloned()
    }

    pub(super) async fn stores(&self) -> anyhow::Result<PoeStores> {
        self.stores.get_or_try_init(async || PoeStores::open(self.settings, self.backends)).await.cloned()
    }
}
