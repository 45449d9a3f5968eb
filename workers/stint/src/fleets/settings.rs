//! The settings of all fleets. Only the fleet itself can read the contents of its settings.

use std::any::Any;
use std::sync::Arc;

use clap::{ArgMatches, Args, Command};

use crate::settings::SettingsError;

/// How a fleet's settings are added to a command line and parsed.
pub(crate) struct SettingsParser {
    /// Adds the settings to a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Parses them.
    read: fn(&ArgMatches) -> Result<Arc<dyn Any + Send + Sync>, clap::Error>,
}

impl SettingsParser {
    /// Returns the settings that are parsed into a `T`.
    pub(crate) const fn of<T: Args + Send + Sync + 'static>() -> SettingsParser {
        SettingsParser { augment: T::augment_args, read: |matches| Ok(Arc::new(T::from_arg_matches(matches)?)) }
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

    /// Parses the settings of each of `fleets` from the environment. An error names the variable.
    pub(crate) fn from_environment(fleets: &[SettingsParser]) -> Result<FleetSettings, SettingsError> {
        let command = fleets.iter().fold(Command::new("stint"), |command, fleet| (fleet.augment)(command));
        let matches = command.try_get_matches_from(["stint"]).map_err(|error| SettingsError::from(&error))?;
        FleetSettings::read(fleets, &matches)
    }

    /// Takes the settings of each of `fleets` from what was parsed. An error names the variable.
    pub(crate) fn read(fleets: &[SettingsParser], matches: &ArgMatches) -> Result<FleetSettings, SettingsError> {
        let read = fleets.iter().map(|fleet| (fleet.read)(matches)).collect::<Result<_, _>>();
        read.map(FleetSettings).map_err(|error| SettingsError::from(&error))
    }

    /// Returns the settings of type `T`.
    ///
    /// # Panics
    /// If these settings were created without the fleet that `T` belongs to. A fleet asks only for its own settings,
    /// and a command passes settings only to fleets whose settings it has parsed.
    pub(crate) fn get<T: 'static>(&self) -> &T {
        let found = self.0.iter().find_map(|settings| settings.downcast_ref());
        // A command parses the settings of the fleets in use, and a demo creates those of the fleet that it runs.
        found.unwrap_or_else(|| unreachable!("a fleet is asked without its settings"))
    }
}

/// The settings of fleets on a command line, which are taken once it is known which fleets are in use. The settings of other
/// fleets may be wrong.
#[derive(Clone)]
pub(crate) struct UnparsedSettings(pub(super) ArgMatches);

impl UnparsedSettings {
    /// Returns the settings of each of `fleets`. An error names the variable.
    pub(crate) fn parse(&self, fleets: &[SettingsParser]) -> Result<FleetSettings, SettingsError> {
        FleetSettings::read(fleets, &self.0)
    }
}
