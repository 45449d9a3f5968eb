//! A fleet that only tests have: what a new fleet must be, and no more.

mod config;

use std::fmt::Write;
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use stint_core::ports::QueueSettings;
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Spec, Trigger};
use stint_embedded::upkeep::FileSpec;

use super::fleet::{Fleet, Running, Standing, Workshop};
use super::settings::{FleetSettings, SettingsOf};
use crate::context::Context;
use crate::wiring::{Backends, Diary, Needs, Uses};
use config::Settings;

const WORKERS: [Spec; 1] = [Spec {
    fleet: "sample",
    name: "sampler",
    summary: "takes samples",
    triggers: &[Trigger::Every { period: Duration::from_secs(60) }],
    concurrency: 2,
    timeout: Duration::from_secs(30),
}];

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

    fn workers(&self) -> &'static [Spec] {
        &WORKERS
    }

    fn settings(&self) -> SettingsOf {
        SettingsOf::of::<Settings>()
    }

    fn missing(&self, settings: &FleetSettings) -> Option<String> {
        let place = &settings.get::<Settings>().sample_place;
        place.is_none().then(|| "SAMPLE_PLACE is not set".to_owned())
    }

    fn check(&self, _: &FleetSettings) -> Result<(), String> {
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs::of(Uses::default(), &WORKERS)
    }

    fn files(&self) -> &'static [FileSpec] {
        &[]
    }

    fn beginning(&self) -> &'static str {
        "`stint up sample`"
    }

    fn queue(
        &self,
        _: &FleetSettings,
        QueueTrigger { visibility_timeout, max_receives, .. }: QueueTrigger,
    ) -> QueueSettings {
        QueueSettings { visibility_timeout, max_receives }
    }

    fn upstreams_of(&self, _: &Spec, _: &FleetSettings) -> &'static [&'static str] {
        &[]
    }

    fn open<'a>(&self, _: &'a FleetSettings, _: &'a Backends) -> Box<dyn Workshop + 'a> {
        Box::new(Nothing)
    }

    async fn status(&self, _: &FleetSettings, _: Option<&Backends>, _: Timestamp) -> anyhow::Result<Option<Standing>> {
        let status = json!({ "fleet": "sample", "samples": 3 });
        Standing::new(&status, true, |_, text| write!(text, "three samples")).map(Some)
    }
}

/// Its worker is never built.
struct Nothing;

#[async_trait]
impl Workshop for Nothing {
    async fn add(&self, _: Registry, spec: &Spec) -> anyhow::Result<Registry> {
        bail!("there is no worker {} in this fleet", spec.name)
    }

    async fn running(&self, _: &Diary, _: &Context) -> anyhow::Result<Box<dyn Running>> {
        bail!("this fleet does not run")
    }
}
