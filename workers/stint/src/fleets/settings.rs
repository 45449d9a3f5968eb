//! The settings of all fleets. Only the fleet itself can read the contents of its settings.

use std::any::Any;
use std::sync::Arc;

use clap::{ArgMatches, Args, Command};

/// How a fleet's settings are added to a command line and parsed.
pub(crate) struct SettingsOf {
    /// Adds the settings to a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Parses them.
    read: fn(&ArgMatches) -> Result<Arc<dyn Any + Send + Sync>, clap::Error>,
}

impl SettingsOf {
    /// Returns the settings that are parsed into a `T`.
    pub(crate) const fn of<T: Args + Send + Sync + 'static>() -> SettingsOf {
        SettingsOf { augment: T::augment_args, read: |matches| Ok(Arc::new(T::from_arg_matches(matches)?)) }
    }
}

/// The settings of several fleets.
#[derive(Clone)]
pub(crate) struct FleetSettings(Vec<Arc<dyn Any + Send + Sync>>);

impl FleetSettings {
    /// Wraps the settings of one fleet.
    pub(crate) fn of_one<T: Send + Sync + 'static>(settings: T) -> FleetSettings {
        FleetSettings(vec![Arc::new(settings)])
    }

    /// Parses the settings of each of `fleets` from the command line and the environment.
    pub(crate) fn read(
        fleets: impl Iterator<Item = SettingsOf>,
        matches: &ArgMatches,
    ) -> Result<FleetSettings, clap::Error> {
        fleets.map(|fleet| (fleet.read)(matches)).collect::<Result<_, _>>().map(FleetSettings)
    }

    /// Returns the settings of type `T`.
    ///
    /// # Panics
    /// If these settings were created without the fleet that `T` belongs to. A fleet asks only for its own settings,
    /// and a command passes settings only to fleets whose settings it has parsed.
    pub(crate) fn get<T: 'static>(&self) -> &T {
        let found = self.0.iter().find_map(|settings| settings.downcast_ref());
        // Clap parses the settings of every fleet in the list, and a demo creates those of the fleet that it runs.
        found.unwrap_or_else(|| unreachable!("a fleet is asked without its settings"))
    }
}
