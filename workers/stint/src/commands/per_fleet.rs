//! Commands that each fleet implements differently, with its own arguments.

use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::context::Context;
use crate::fleets::FLEETS;
use crate::fleets::fleet::{Action, Fleet};

/// A kind of command.
pub(crate) trait Kind {
    /// Whether the first fleet that supports the command is used when none is named.
    const HAS_DEFAULT: bool;

    /// Returns the fleet's implementation, if it has one.
    fn of(fleet: &dyn Fleet) -> Option<Action>;

    /// Returns the name and the alias of the fleet's subcommand.
    fn names(fleet: &dyn Fleet) -> (&'static str, &'static str) {
        (fleet.name(), fleet.alias())
    }
}

/// Runs the whole fleet against a stand-in for its upstream.
#[cfg(feature = "standins")]
pub(crate) struct Demo;

#[cfg(feature = "standins")]
impl Kind for Demo {
    const HAS_DEFAULT: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.demo()
    }
}

/// Runs the whole fleet on virtual time.
#[cfg(feature = "standins")]
pub(crate) struct Simulate;

#[cfg(feature = "standins")]
impl Kind for Simulate {
    const HAS_DEFAULT: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.simulate()
    }
}

/// Runs the stand-in for an upstream alone.
#[cfg(feature = "standins")]
pub(crate) struct Upstream;

#[cfg(feature = "standins")]
impl Kind for Upstream {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.upstream()
    }
}

/// Imports documents into a collection.
pub(crate) struct Import;

impl Kind for Import {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.collections().map(|collections| collections.import)
    }
}

/// Exports documents from a collection.
pub(crate) struct Export;

impl Kind for Export {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.collections().map(|collections| collections.export)
    }
}

/// The commands that belong to one fleet.
pub(crate) struct Own;

impl Kind for Own {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
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
    action: Action,
    matches: ArgMatches,
    kind: PhantomData<K>,
}

impl<K: Kind> PerFleet<K> {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        (self.action.run)(self.fleet, &self.matches, context).await
    }

    /// Returns the command that `matches` selects, if they name a fleet that supports it.
    pub(crate) fn named(matches: &ArgMatches) -> Option<PerFleet<K>> {
        let (name, matches) = matches.subcommand()?;
        let (fleet, action) = fleets::<K>().find(|(fleet, _)| K::names(*fleet).0 == name)?;
        Some(PerFleet { fleet, action, matches: matches.clone(), kind: PhantomData })
    }

    /// Adds a subcommand for each fleet that supports the command.
    pub(crate) fn augment(command: Command) -> Command {
        fleets::<K>().fold(command, |command, (fleet, action)| {
            let (name, alias) = K::names(fleet);
            command.subcommand((action.augment)(Command::new(name).visible_alias(alias)))
        })
    }
}

/// Returns the fleets that support the command.
fn fleets<K: Kind>() -> impl Iterator<Item = (&'static dyn Fleet, Action)> {
    FLEETS.iter().filter_map(|fleet| Some((*fleet, K::of(*fleet)?)))
}

/// Returns the first of them, if no fleet needs to be named.
fn default<K: Kind>() -> Option<(&'static dyn Fleet, Action)> {
    fleets::<K>().next().filter(|_| K::HAS_DEFAULT)
}

impl<K: Kind> Args for PerFleet<K> {
    fn augment_args(command: Command) -> Command {
        let command = command.subcommand_value_name("FLEET").subcommand_help_heading("Fleets");
        PerFleet::<K>::augment(match default::<K>() {
            Some((_, action)) => {
                (action.augment)(command).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
            }
            None => command.subcommand_required(true).arg_required_else_help(true),
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        PerFleet::<K>::augment_args(command)
    }
}

impl<K: Kind> FromArgMatches for PerFleet<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<PerFleet<K>, clap::Error> {
        let unnamed = || {
            let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
            let (fleet, action) = default::<K>().ok_or_else(missing)?;
            Ok(PerFleet { fleet, action, matches: matches.clone(), kind: PhantomData })
        };
        PerFleet::named(matches).map_or_else(unnamed, Ok)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = PerFleet::from_arg_matches(matches)?;
        Ok(())
    }
}
