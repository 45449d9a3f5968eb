//! Commands that each fleet implements differently, with its own arguments.

use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::context::Context;
use crate::fleets::FLEETS;
use crate::fleets::fleet::{ErasedCommand, Fleet};

/// A kind of command.
pub(crate) trait CommandKind {
    /// Whether the first fleet that supports the command is used when none is named.
    const FLEET_IS_OPTIONAL: bool;

    /// Returns the fleet's implementation, if it has one.
    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand>;

    /// Returns the name and the alias of the fleet's subcommand.
    fn names(fleet: &dyn Fleet) -> (&'static str, &'static str) {
        (fleet.name(), fleet.alias())
    }
}

/// Runs the whole fleet against a stand-in for its upstream.
#[cfg(feature = "standins")]
pub(crate) struct DemoCommand;

#[cfg(feature = "standins")]
impl CommandKind for DemoCommand {
    const FLEET_IS_OPTIONAL: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.demo()
    }
}

/// Runs the whole fleet on virtual time.
#[cfg(feature = "standins")]
pub(crate) struct SimulateCommand;

#[cfg(feature = "standins")]
impl CommandKind for SimulateCommand {
    const FLEET_IS_OPTIONAL: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.simulate()
    }
}

/// Runs the stand-in for an upstream alone.
#[cfg(feature = "standins")]
pub(crate) struct UpstreamCommand;

#[cfg(feature = "standins")]
impl CommandKind for UpstreamCommand {
    const FLEET_IS_OPTIONAL: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.upstream()
    }
}

/// Imports documents into a collection.
pub(crate) struct ImportCommand;

impl CommandKind for ImportCommand {
    const FLEET_IS_OPTIONAL: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.collections().map(|collections| collections.import)
    }
}

/// Exports documents from a collection.
pub(crate) struct ExportCommand;

impl CommandKind for ExportCommand {
    const FLEET_IS_OPTIONAL: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.collections().map(|collections| collections.export)
    }
}

/// The commands that belong to one fleet.
pub(crate) struct OwnCommands;

impl CommandKind for OwnCommands {
    const FLEET_IS_OPTIONAL: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<ErasedCommand> {
        fleet.commands()
    }

    /// The alias comes first, because these commands are typed often.
    fn names(fleet: &dyn Fleet) -> (&'static str, &'static str) {
        (fleet.alias(), fleet.name())
    }
}

/// A fleet, and the command that it is to run.
pub(crate) struct PerFleet<K> {
    fleet: &'static dyn Fleet,
    erased: ErasedCommand,
    matches: ArgMatches,
    kind: PhantomData<K>,
}

impl<K: CommandKind> PerFleet<K> {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        (self.erased.run)(self.fleet, &self.matches, context).await
    }

    /// Returns the command that `matches` selects, if they name a fleet that supports it.
    pub(crate) fn from_subcommand(matches: &ArgMatches) -> Option<PerFleet<K>> {
        let (name, matches) = matches.subcommand()?;
        let (fleet, erased) = fleets::<K>().find(|(fleet, _)| K::names(*fleet).0 == name)?;
        Some(PerFleet { fleet, erased, matches: matches.clone(), kind: PhantomData })
    }

    /// Adds a subcommand for each fleet that supports the command.
    pub(crate) fn augment(command: Command) -> Command {
        fleets::<K>().fold(command, |command, (fleet, erased)| {
            let (name, alias) = K::names(fleet);
            command.subcommand((erased.augment)(Command::new(name).visible_alias(alias)))
        })
    }
}

/// Returns the fleets that support the command.
fn fleets<K: CommandKind>() -> impl Iterator<Item = (&'static dyn Fleet, ErasedCommand)> {
    FLEETS.iter().filter_map(|fleet| Some((*fleet, K::of(*fleet)?)))
}

/// Returns the first of them, if no fleet needs to be named.
fn default<K: CommandKind>() -> Option<(&'static dyn Fleet, ErasedCommand)> {
    fleets::<K>().next().filter(|_| K::FLEET_IS_OPTIONAL)
}

impl<K: CommandKind> Args for PerFleet<K> {
    fn augment_args(command: Command) -> Command {
        let command = command.subcommand_value_name("FLEET").subcommand_help_heading("Fleets");
        PerFleet::<K>::augment(match default::<K>() {
            Some((_, erased)) => {
                (erased.augment)(command).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
            }
            None => command.subcommand_required(true).arg_required_else_help(true),
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        PerFleet::<K>::augment_args(command)
    }
}

impl<K: CommandKind> FromArgMatches for PerFleet<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<PerFleet<K>, clap::Error> {
        let unnamed = || {
            let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
            let (fleet, erased) = default::<K>().ok_or_else(missing)?;
            Ok(PerFleet { fleet, erased, matches: matches.clone(), kind: PhantomData })
        };
        PerFleet::from_subcommand(matches).map_or_else(unnamed, Ok)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = PerFleet::from_arg_matches(matches)?;
        Ok(())
    }
}
