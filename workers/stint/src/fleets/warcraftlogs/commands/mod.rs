//! The fleet's own commands, such as `stint wcl rules`.

pub(super) mod data;
pub(super) mod keys;
mod lookup;
mod publish;
mod raids;
mod ranks;
mod refresh;
pub(super) mod rules;
mod servers;
mod show;
mod unpack;

use async_trait::async_trait;

use crate::context::Context;
use crate::fleets::fleet::{Fleet, FleetCommand};

/// Warcraft Logs: its rules, keys, players and databases.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(clap::Subcommand)]
enum Command {
    /// List, add and remove discovery rules.
    Rules(rules::Arguments),
    /// Show the keys' points and resets; pause and resume a key.
    Keys(keys::Arguments),
    /// List raids with their difficulties and partitions.
    Raids(raids::Arguments),
    /// Put a player ahead of the backlog.
    Refresh(refresh::Arguments),
    /// Show what is stored of one player.
    Show(show::Arguments),
    /// Read one player back out of generated databases.
    Lookup(lookup::Arguments),
    /// Write generated databases back into lines of extended JSON.
    Unpack(unpack::Arguments),
    /// Push generated databases to git by hand, or see what would be pushed.
    Publish(publish::Arguments),
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        match self.command {
            Command::Rules(arguments) => rules::run(arguments, context).await,
            Command::Keys(arguments) => keys::run(arguments, context).await,
            Command::Raids(arguments) => raids::run(arguments, context).await,
            Command::Refresh(arguments) => refresh::run(arguments, context).await,
            Command::Show(arguments) => show::run(arguments, context).await,
            Command::Lookup(arguments) => lookup::run(&arguments, context),
            Command::Unpack(arguments) => unpack::run(&arguments, context),
            Command::Publish(arguments) => publish::run(arguments, context).await,
        }
    }
}
