//! Which fleets a command is about that looks at what is there.

use anyhow::ensure;

use crate::context::Context;
use crate::fleets::FLEETS;
use crate::fleets::fleet::Fleet;
use crate::fleets::settings::FleetSettings;
use crate::settings::from_environment;
use crate::wiring::{BackendSettings, Backends, Needs};

/// The fleets that are meant, with their settings, and what stands behind their ports.
pub(super) struct Meant {
    pub(super) fleets: Vec<&'static dyn Fleet>,
    pub(super) settings: FleetSettings,
    pub(super) backends: Backends,
}

impl Meant {
    /// The fleets that are `named`; without names, all. A command that only looks creates nothing, so that there must be
    /// something already.
    pub(super) async fn installed(named: &[&'static dyn Fleet], context: &Context) -> anyhow::Result<Meant> {
        let backends = BackendSettings::from_environment()?;
        let fleets = fleets(named, &backends);
        ensure!(
            context.is_installed()?,
            "there is nothing of Stint in {}: begin with {}, or name another folder with --home or STINT_HOME",
            context.home.display(),
            beginning(&fleets)
        );
        Meant::open(fleets, &backends, context).await
    }

    async fn open(
        fleets: Vec<&'static dyn Fleet>,
        backends: &BackendSettings,
        context: &Context,
    ) -> anyhow::Result<Meant> {
        let needs = Needs::of_all(fleets.iter().map(|fleet| fleet.needs()));
        let backends = context.backends(backends, needs).await?;
        Ok(Meant { fleets, settings: from_environment()?, backends })
    }
}

/// Those that are `named`; without names, all for which there is a backend of each kind that they need.
pub(super) fn fleets(named: &[&'static dyn Fleet], backends: &BackendSettings) -> Vec<&'static dyn Fleet> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let is_there = |fleet: &&'static dyn Fleet| backends.check(fleet.needs().uses, &[]).is_ok();
    let there: Vec<_> = FLEETS.iter().copied().filter(is_there).collect();
    // With none of them, the error says what the first of them needs.
    if there.is_empty() { FLEETS.to_vec() } else { there }
}

/// How the first of them begins.
pub(super) fn beginning(fleets: &[&'static dyn Fleet]) -> &'static str {
    fleets.first().map_or("`stint up`", |fleet| fleet.beginning())
}
