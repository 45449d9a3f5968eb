//! Builds the fleet's workers.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use async_trait::async_trait;
use stint_core::registry::Registry;
use stint_core::worker::{Worker, WorkerSpec};
use stint_http::ReqwestTransport;
use stint_poe_stashes::FLEET;
use stint_poe_stashes::client::Api;
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::follower::{Follower, FollowerPorts, FollowerSettings};
use stint_poe_stashes::indexer::{Indexer, IndexerSettings};
use stint_poe_stashes::store::{Index, SqliteIndex};
use stint_poe_stashes::watcher::{Watcher, WatcherSettings};
use tokio::sync::OnceCell;

use super::stores::{Stores, alarm_records, breakers};
use super::up::RunningPoeStashes;
use crate::context::Context;
use crate::fleets::fleet::{self, RunningFleet};
use crate::wiring::{Backends, ReportLog};

/// Returns the client of the upstream, which all workers of a process share.
fn api(settings: &Settings, backends: &Backends) -> anyhow::Result<Api> {
    let agent = settings.user_agent().map_err(|error| anyhow!(error))?;
    let transport = ReqwestTransport::new(&agent).context("POE_CONTACT")?;
    let (breakers, records) = (breakers(settings, backends)?, alarm_records(settings, backends)?);
    let breakers = backends.alarming(breakers, records, FLEET);
    Api::new(settings, Arc::new(transport), &breakers, backends.clock.clone()).map_err(|error| anyhow!(error))
}

/// Builds the workers of the fleet.
pub(super) struct Workers<'a> {
    settings: &'a Settings,
    backends: &'a Backends,
    /// One client for all workers, because the upstream counts the requests per address.
    api: OnceCell<Arc<Api>>,
    stores: OnceCell<Stores>,
}

impl<'a> Workers<'a> {
    pub(super) fn new(settings: &'a Settings, backends: &'a Backends) -> Workers<'a> {
        Workers { settings, backends, api: OnceCell::new(), stores: OnceCell::new() }
    }

    pub(super) async fn api(&self) -> anyhow::Result<Arc<Api>> {
        let api = self.api.get_or_try_init(async || api(self.settings, self.backends).map(Arc::new));
        api.await.cloned()
    }

    pub(super) async fn stores(&self) -> anyhow::Result<Stores> {
        self.stores.get_or_try_init(async || Stores::open(self.settings, self.backends)).await.cloned()
    }
}

#[async_trait]
impl fleet::WorkerBuilder for Workers<'_> {
    async fn build_into(&self, registry: Registry, spec: &WorkerSpec) -> anyhow::Result<Registry> {
        let settings = self.settings;
        let Stores { chain, heads, pages, chain_queue, stored } = self.stores().await?;
        Ok(match spec.name {
            name if name == Follower::SPEC.name => {
                let ports = FollowerPorts { api: self.api().await?, chain, pages, chain_queue, stored };
                registry.with(Follower::new(ports, FollowerSettings::from(settings)))
            }
            name if name == Watcher::SPEC.name => {
                let watcher = WatcherSettings { realm: settings.poe_realm, alarm: settings.lag_alarm() };
                registry.with(Watcher::new(self.api().await?, chain, heads, chain_queue, watcher))
            }
            name if name == Indexer::SPEC.name => {
                let (max_page, event_retention) = (settings.poe_max_body as usize, settings.event_retention());
                let index: Arc<dyn Index> = Arc::new(SqliteIndex::open(&self.backends.folder()?)?);
                registry.with(Indexer::new(pages, index, IndexerSettings { max_page, event_retention }))
            }
            unknown => bail!("unknown worker {unknown}"),
        })
    }

    async fn running(&self, _: &ReportLog, context: &Context) -> anyhow::Result<Box<dyn RunningFleet>> {
        let (stores, api, wakeups) = (self.stores().await?, self.api().await?, self.backends.wakeups()?);
        Ok(Box::new(RunningPoeStashes::new(stores, api, wakeups, self.settings, context)))
    }
}
