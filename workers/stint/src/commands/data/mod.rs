//! Moves collections in and out as extended-JSON lines, the way `mongoexport` and `mongoimport` do.

mod batch;
mod documents;
mod export;
mod extended;
mod import;
mod raidlogs;
mod unknown;

use clap::ValueEnum;
use serde::Serialize;

use super::Context;

/// Out or in.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Read documents from a file, one to a line, or one JSON array; what is there already is merged.
    Import(import::Import),
    /// Write every document of a collection to a file, one to a line.
    Export(export::Export),
}

/// What can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Collection {
    /// Players and their ranks.
    Players,
    /// Players that were discovered and not yet queued.
    Discovers,
    /// Discovery rules.
    DiscoverySchedules,
    /// Players that will never have ranks, and why.
    Dropped,
}

impl Collection {
    fn name(self) -> &'static str {
        match self {
            Collection::Players => "players",
            Collection::Discovers => "discovers",
            Collection::DiscoverySchedules => "discovery_schedules",
            Collection::Dropped => "dropped",
        }
    }
}

/// Imports or exports.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        Action::Import(arguments) => import::run(&arguments, context).await,
        Action::Export(arguments) => export::run(&arguments, context).await,
    }
}
