//! Commands that each fleet does in its own way, with arguments of its own.

use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::context::Context;
use crate::fleets::FLEETS;
use crate::fleets::fleet::{Action, Fleet};

/// What is done.
pub(crate) trait Kind {
    /// Whether the first fleet that does it is meant where none is named.
    const HAS_DEFAULT: bool;

    /// How a fleet does it, if it does.
    fn of(fleet: &dyn Fleet) -> Option<Action>;

    /// What the fleet's command is called, and what else.
    fn names(fleet: &dyn Fleet) -> (&'static str, &'static str) {
        (fleet.name(), fleet.alias())
    }
}

/// The whole fleet against a stand-in for its upstream.
pub(crate) struct Demo;

impl Kind for Demo {
    const HAS_DEFAULT: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.demo()
    }
}

/// The whole fleet on virtual time.
pub(crate) struct Simulate;

impl Kind for Simulate {
    const HAS_DEFAULT: bool = true;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.simulate()
    }
}

/// The stand-in for an upstream alone.
pub(crate) struct Upstream;

impl Kind for Upstream {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.upstream()
    }
}

/// Documents into a collection.
pub(crate) struct Import;

impl Kind for Import {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.collections().map(|collections| collections.import)
    }
}

/// Documents out of a collection.
pub(crate) struct Export;

impl Kind for Export {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.collections().map(|collections| collections.export)
    }
}

/// The commands that stand under a fleet's name.
pub(crate) struct Own;

impl Kind for Own {
    const HAS_DEFAULT: bool = false;

    fn of(fleet: &dyn Fleet) -> Option<Action> {
        fleet.commands()
    }

    /// They are typed often.
    fn names(fleet: &dyn Fleet) -> (&'static str, &'static str) {
        (fleet.alias(), fleet.name())
    }
}

/// What the fleet that is named is to do.
pub(crate) struct PerFleet<K> {
    fleet: &'static dyn Fleet,
    action: Action,
    matches: ArgMatches,
    kind: PhantomData<K>,
}

impl<K: Kind> PerFleet<K> {
    /// Does it.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        (self.action.run)(self.fleet, &self.matches, context).await
    }

    /// What `matches` say, if they name a fleet that does it.
    pub(crate) fn named(matches: &ArgMatches) -> Option<PerFleet<K>> {
        let (name, matches) = matches.subcommand()?;
        let (fleet, action) = fleets::<K>().find(|(fleet, _)| K::names(*fleet).0 == name)?;
        Some(PerFleet { fleet, action, matches: matches.clone(), kind: PhantomData })
    }

    /// Adds a command for each fleet that does it.
    pub(crate) fn augment(command: Command) -> Command {
        fleets::<K>().fold(command, |command, (fleet, action)| {
            let (name, alias) = K::names(fleet);
            command.subcommand((action.augment)(Command::new(name).visible_alias(alias)))
        })
    }
}

/// The fleets that do it.
fn fleets<K: Kind>() -> impl Iterator<Item = (&'static dyn Fleet, Action)> {
    FLEETS.iter().filter_map(|fleet| Some((*fleet, K::of(*fleet)?)))
}

/// The first of them, where none needs to be named.
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
