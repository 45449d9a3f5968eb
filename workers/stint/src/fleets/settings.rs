//! The settings of fleets, each of which only its fleet can read.

use std::any::Any;
use std::sync::Arc;

use clap::{ArgMatches, Args, Command};

/// How a fleet's settings are told to the parser of the command line, and read from what it has found.
pub(crate) struct SettingsOf {
    /// Adds the settings to a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Reads them.
    read: fn(&ArgMatches) -> Result<Arc<dyn Any + Send + Sync>, clap::Error>,
}

impl SettingsOf {
    /// Those of a struct.
    pub(crate) const fn of<T: Args + Send + Sync + 'static>() -> SettingsOf {
        SettingsOf { augment: T::augment_args, read: |matches| Ok(Arc::new(T::from_arg_matches(matches)?)) }
    }
}

/// The settings of several fleets.
#[derive(Clone)]
pub(crate) struct FleetSettings(Vec<Arc<dyn Any + Send + Sync>>);

impl FleetSettings {
    /// Those of one fleet alone.
    pub(crate) fn of_one<T: Send + Sync + 'static>(settings: T) -> FleetSettings {
        FleetSettings(vec![Arc::new(settings)])
    }

    /// Those of each of `fleets`, as the command line and the environment have them.
    pub(crate) fn read(
        fleets: impl Iterator<Item = SettingsOf>,
        matches: &ArgMatches,
    ) -> Result<FleetSettings, clap::Error> {
        fleets.map(|fleet| (fleet.read)(matches)).collect::<Result<_, _>>().map(FleetSettings)
    }

    /// Those of the fleet whose settings are a `T`.
    ///
    /// # Panics
    /// If they were made without that fleet. A fleet asks only for its own, and a command asks only the fleets whose
    /// settings it has read.
    pub(crate) fn get<T: 'static>(&self) -> &T {
        let found = self.0.iter().find_map(|settings| settings.downcast_ref());
        // The parser reads the settings of every fleet of the list, and a demo makes those of the fleet that it runs.
        found.unwrap_or_else(|| unreachable!("a fleet is asked without its settings"))
    }
}
