//! Moves the collections of fleets in and out as extended-JSON lines, the way `mongoexport` and `mongoimport` do.

use super::per_fleet::{ExportCommand, ImportCommand, PerFleet};
use crate::context::Context;

/// Import or export.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Read documents from a file, one per line, or one JSON array, and merge them with what is stored.
    Import(PerFleet<ImportCommand>),
    /// Write every document of a collection to a file, one per line.
    Export(PerFleet<ExportCommand>),
}

/// Imports or exports.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        Action::Import(arguments) => arguments.run(context).await,
        Action::Export(arguments) => arguments.run(context).await,
    }
}
