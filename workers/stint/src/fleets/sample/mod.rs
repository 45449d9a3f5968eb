//! The smallest possible fleet, which only exists in tests. `docs/adding-a-worker.md` and `docs/adding-a-fleet.md` quote it.

mod api;
mod config;
mod ear;
mod sampler;
mod store;

use std::fmt::Write;
use std::sync::Arc;

use anyhow::bail;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use stint_core::listener::{Listener, ListenerSpec};
use stint_core::ports::QueueSettings;
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Worker, WorkerSpec};
use stint_embedded::upkeep::FileSpec;

use super::fleet::{Fleet, FleetStatus, RunningFleet, WorkerBuilder};
use super::settings::{FleetSettings, SettingsParser};
use crate::context::Context;
use crate::wiring::{BackendNeeds, Backends, OptionalPorts, ReportLog};
use api::Api;
use config::Settings;
use ear::{Ear, Silence};
use sampler::Sampler;
use store::MemorySamples;

/// The workers, in the order in which data flows through them.
const WORKERS: [WorkerSpec; 2] = [Sampler::SPEC, Api::SPEC];

/// The listeners.
const LISTENERS: [ListenerSpec; 1] = [Ear::SPEC];

/// The fleet.
pub(super) struct Sample;

#[async_trait]
impl Fleet for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn alias(&self) -> &'static str {
        "smp"
    }

    fn workers(&self) -> &'static [WorkerSpec] {
        &WORKERS
    }

    fn listeners(&self) -> &'static [ListenerSpec] {
        &LISTENERS
    }

    fn settings(&self) -> SettingsParser {
        SettingsParser::of::<Settings>()
    }

    fn missing(&self, settings: &FleetSettings) -> Option<String> {
        let place = &settings.get::<Settings>().sample_place;
        place.is_none().then(|| "SAMPLE_PLACE is not set".to_owned())
    }

    fn check(&self, _: &FleetSettings) -> Result<(), String> {
        Ok(())
    }

    fn needs(&self) -> BackendNeeds {
        BackendNeeds::of(OptionalPorts::default(), &WORKERS)
    }

    fn files(&self) -> &'static [FileSpec] {
        &[]
    }

    fn setup_commands(&self) -> &'static str {
        "`stint up sample`"
    }

    fn queue(
        &self,
        _: &FleetSettings,
        QueueTrigger { visibility_timeout, max_receives, .. }: QueueTrigger,
    ) -> QueueSettings {
        QueueSettings { visibility_timeout, max_receives }
    }

    fn upstreams_of(&self, _: &WorkerSpec, _: &FleetSettings) -> &'static [&'static str] {
        &[]
    }

    fn builder<'a>(&self, _: &'a FleetSettings, _: &'a Backends) -> Box<dyn WorkerBuilder + 'a> {
        Box::new(Workers::default())
    }

    async fn status(
        &self,
        _: &FleetSettings,
        _: Option<&Backends>,
        _: Timestamp,
    ) -> anyhow::Result<Option<FleetStatus>> {
        let status = json!({ "fleet": "sample", "samples": 3 });
        FleetStatus::new(&status, true, |_, text| write!(text, "three samples")).map(Some)
    }
}

/// Builds the workers. They share what exists once per process, such as a store.
#[derive(Default)]
struct Workers {
    samples: Arc<MemorySamples>,
}

#[async_trait]
impl WorkerBuilder for Workers {
    async fn build_into(&self, registry: Registry, spec: &WorkerSpec) -> anyhow::Result<Registry> {
        match spec.name {
            name if name == Sampler::SPEC.name => Ok(registry.with(Sampler::new(self.samples.clone()))),
            name if name == Api::SPEC.name => Ok(registry.with(Api::new(self.samples.clone()))),
            name => bail!("there is no worker {name} in this fleet"),
        }
    }

    async fn build_listener_into(&self, registry: Registry, spec: &ListenerSpec) -> anyhow::Result<Registry> {
        match spec.name {
            name if name == Ear::SPEC.name => {
                Ok(registry.with_listener(Ear::new(Arc::new(Silence), self.samples.clone())))
            }
            name => bail!("there is no listener {name} in this fleet"),
        }
    }

    async fn running(&self, _: &ReportLog, _: &Context) -> anyhow::Result<Box<dyn RunningFleet>> {
        bail!("this fleet does not run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_worker_is_built() {
        let workers = Workers::default();
        for spec in &WORKERS {
            let registry = workers.build_into(Registry::new(), spec).await.unwrap();
            assert!(registry.find(&spec.id()).is_some(), "{spec:?}");
        }
        for spec in &LISTENERS {
            let registry = workers.build_listener_into(Registry::new(), spec).await.unwrap();
            assert_eq!(registry.listeners()[0].spec(), *spec);
        }
    }
}
