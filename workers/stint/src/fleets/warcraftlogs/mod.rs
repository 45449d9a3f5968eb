//! The fleet `warcraftlogs`: discovers players, fetches their ranks under key budgets, and writes Lua databases.

mod commands;
#[cfg(feature = "standins")]
mod demo;
mod drain_state;
mod outages;
mod points;
mod progress;
#[cfg(feature = "standins")]
mod report;
#[cfg(feature = "standins")]
mod simulate;
mod specs;
mod status;
mod stores;
mod up;
#[cfg(feature = "standins")]
mod upstream;
mod workers;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::{QueueSettings, Throttle};
use stint_core::worker::{QueueTrigger, WorkerSpec};
use stint_embedded::upkeep::FileSpec;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::store::SqliteStore;

use super::fleet::{CollectionCommands, ErasedCommand, Fleet, FleetStatus, WorkerBuilder};
use super::settings::{FleetSettings, SettingsParser};
use crate::wiring::{BackendNeeds, Backends};
use commands::data;
use specs::{SETUP_COMMANDS, WORKERS, needs, queue_settings, trigger};

/// The fleet.
pub(super) struct WarcraftLogs;

#[async_trait]
impl Fleet for WarcraftLogs {
    fn name(&self) -> &'static str {
        stint_warcraftlogs::FLEET
    }

    fn alias(&self) -> &'static str {
        "wcl"
    }

    fn workers(&self) -> &'static [WorkerSpec] {
        &WORKERS
    }

    fn settings(&self) -> SettingsParser {
        SettingsParser::of::<Settings>()
    }

    fn missing(&self, settings: &FleetSettings) -> Option<String> {
        let missing = "WCL_KEYS is not set: the rank fetcher needs at least one API key, as id:secret";
        settings.get::<Settings>().wcl_keys.is_empty().then(|| missing.to_owned())
    }

    fn check(&self, settings: &FleetSettings) -> Result<(), String> {
        settings.get::<Settings>().check()
    }

    fn needs(&self) -> BackendNeeds {
        needs()
    }

    fn files(&self) -> &'static [FileSpec] {
        &SqliteStore::FILES
    }

    fn setup_commands(&self) -> &'static str {
        SETUP_COMMANDS
    }

    fn queue(&self, settings: &FleetSettings, _: QueueTrigger) -> QueueSettings {
        queue_settings(settings.get())
    }

    fn upstreams_of(&self, worker: &WorkerSpec, settings: &FleetSettings) -> &'static [&'static str] {
        outages::upstreams_of(worker, settings.get())
    }

    async fn throttle(&self, settings: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
        stores::throttle(settings.get(), backends).await
    }

    fn builder<'a>(&self, settings: &'a FleetSettings, backends: &'a Backends) -> Box<dyn WorkerBuilder + 'a> {
        Box::new(workers::Workers::new(settings.get(), backends))
    }

    async fn status(
        &self,
        settings: &FleetSettings,
        backends: Option<&Backends>,
        now: Timestamp,
    ) -> anyhow::Result<Option<FleetStatus>> {
        status::read_status(settings.get(), backends, now).await.map(Some)
    }

    async fn parked(&self, queue: &str, settings: &FleetSettings, backends: &Backends) -> anyhow::Result<u64> {
        let pool = backends.read_only_pool(settings.get::<Settings>().ledger()).await?;
        Ok(pool.count_parked(queue).await?)
    }

    /// Otherwise the purged players would count as queued for two weeks. Players that are parked may be queued twice.
    async fn after_purge(&self, queue: &str, _: &FleetSettings, backends: &Backends) -> anyhow::Result<()> {
        if queue == trigger().queue {
            stores::Collections::open(backends).await?.discovers.forget_queued().await?;
        }
        Ok(())
    }

    #[cfg(feature = "standins")]
    fn demo(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<demo::Arguments>())
    }

    #[cfg(feature = "standins")]
    fn simulate(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<simulate::Arguments>())
    }

    #[cfg(feature = "standins")]
    fn upstream(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<upstream::Arguments>())
    }

    fn collections(&self) -> Option<CollectionCommands> {
        Some(CollectionCommands {
            import: ErasedCommand::of::<data::Import>(),
            export: ErasedCommand::of::<data::Export>(),
        })
    }

    fn commands(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<commands::Arguments>())
    }
}
