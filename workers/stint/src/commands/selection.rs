//! Selects the fleets that a read-only command applies to.

use anyhow::ensure;

use crate::context::Context;
use crate::fleets::fleet::Fleet;
use crate::fleets::settings::FleetSettings;
use crate::fleets::{FLEETS, each_once, settings_of};
use crate::wiring::{BackendNeeds, BackendSettings, Backends};

/// The selected fleets, with their settings and the backends behind their ports.
pub(super) struct Selection {
    pub(super) fleets: Vec<&'static dyn Fleet>,
    pub(super) settings: FleetSettings,
    pub(super) backends: Backends,
}

impl Selection {
    /// Returns the fleets in `named`, or all fleets if it is empty. A command that only reads creates nothing, so this
    /// fails unless an installation exists.
    pub(super) async fn existing(named: &[&'static dyn Fleet], context: &Context) -> anyhow::Result<Selection> {
        let backends = BackendSettings::from_environment()?;
        let fleets = fleets(named, &backends);
        ensure!(
            context.is_installed(needs(&fleets).ports)?,
            "{} is not a Stint folder: start with {}, or select another folder with --home or STINT_HOME",
            context.home.display(),
            setup_commands(&fleets)
        );
        Selection::open(fleets, &backends, context).await
    }

    async fn open(
        fleets: Vec<&'static dyn Fleet>,
        backends: &BackendSettings,
        context: &Context,
    ) -> anyhow::Result<Selection> {
        let settings = FleetSettings::from_environment(&settings_of(&fleets))?;
        let backends = context.backends(backends, needs(&fleets)).await?;
        Ok(Selection { fleets, settings, backends })
    }
}

/// Returns the fleets in `named`. If it is empty, returns all fleets for which a backend of each needed kind is set.
pub(super) fn fleets(named: &[&'static dyn Fleet], backends: &BackendSettings) -> Vec<&'static dyn Fleet> {
    if !named.is_empty() {
        return each_once(named);
    }
    let is_there = |fleet: &&'static dyn Fleet| backends.check(fleet.needs().ports, &[]).is_ok();
    let there: Vec<_> = FLEETS.iter().copied().filter(is_there).collect();
    // If no fleet qualifies, the error says what the first one needs.
    if there.is_empty() { FLEETS.to_vec() } else { there }
}

/// Returns what the fleets need of the backends.
pub(super) fn needs(fleets: &[&'static dyn Fleet]) -> BackendNeeds {
    BackendNeeds::of_all(fleets.iter().map(|fleet| fleet.needs()))
}

/// Returns how to start with the first of the fleets.
pub(super) fn setup_commands(fleets: &[&'static dyn Fleet]) -> &'static str {
    fleets.first().map_or("`stint up`", |fleet| fleet.setup_commands())
}
