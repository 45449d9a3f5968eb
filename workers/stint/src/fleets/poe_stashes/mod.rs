//! The fleet `poe-stashes`: the public stash river, followed page by page, stored and handed on.

#[cfg(feature = "standins")]
mod demo;
mod pages;
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
#[cfg(feature = "aws")]
use stint_core::ports::Throttle;
use stint_core::ports::{AlarmRecords, Breakers, QueueSettings};
use stint_core::worker::{QueueTrigger, WorkerSpec};
use stint_embedded::upkeep::FileSpec;
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::store::{SqliteChain, SqliteIndex};

use super::fleet::{ErasedCommand, Fleet, FleetStatus, FolderSpec, WorkerBuilder};
use super::settings::{FleetSettings, SettingsParser};
use crate::wiring::{BackendNeeds, Backends};
use specs::{PAGES_FOLDER, WORKERS};

/// The fleet.
pub(super) struct PoeStashes;

#[async_trait]
impl Fleet for PoeStashes {
    fn name(&self) -> &'static str {
        stint_poe_stashes::FLEET
    }

    fn alias(&self) -> &'static str {
        "poe"
    }

    fn workers(&self) -> &'static [WorkerSpec] {
        &WORKERS
    }

    fn settings(&self) -> SettingsParser {
        SettingsParser::of::<Settings>()
    }

    fn missing(&self, settings: &FleetSettings) -> Option<String> {
        let settings = settings.get::<Settings>();
        settings.client().map(drop).and_then(|()| settings.user_agent().map(drop)).err()
    }

    fn check(&self, settings: &FleetSettings) -> Result<(), String> {
        settings.get::<Settings>().check()
    }

    fn needs(&self) -> BackendNeeds {
        specs::needs()
    }

    fn files(&self) -> &'static [FileSpec] {
        &[SqliteChain::SPEC, SqliteIndex::SPEC]
    }

    fn folders(&self) -> &'static [FolderSpec] {
        &[FolderSpec { name: PAGES_FOLDER, verify: pages::verify }]
    }

    fn setup_commands(&self) -> &'static str {
        "`stint up poe --help` and `stint up poe`"
    }

    fn queue(&self, settings: &FleetSettings, trigger: QueueTrigger) -> QueueSettings {
        specs::queue_settings(settings.get(), trigger)
    }

    fn upstreams_of(&self, worker: &WorkerSpec, _: &FleetSettings) -> &'static [&'static str] {
        specs::upstreams_of(worker)
    }

    #[cfg(feature = "aws")]
    async fn throttle(&self, settings: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
        stores::throttle(settings.get(), backends).await
    }

    fn alarm_records(&self, settings: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn AlarmRecords>> {
        stores::alarm_records(settings.get(), backends)
    }

    fn breakers(&self, settings: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Breakers>> {
        stores::breakers(settings.get(), backends)
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
        match backends {
            Some(backends) => status::read_status(settings.get(), backends, now).await,
            None => Ok(None),
        }
    }

    #[cfg(feature = "standins")]
    fn demo(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<demo::Arguments>())
    }

    #[cfg(feature = "standins")]
    fn upstream(&self) -> Option<ErasedCommand> {
        Some(ErasedCommand::of::<upstream::Arguments>())
    }
}
