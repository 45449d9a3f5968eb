//! The settings of the installation, common to all fleets.

use std::path::PathBuf;

use clap::Args;

/// The folder in which an installation keeps its state.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Installation")]
pub(crate) struct HomeSettings {
    /// The folder for queues, budgets and players. It is created if it is missing.
    #[arg(long = "home", env = "STINT_HOME", default_value = "./stint-data", global = true)]
    pub(crate) home: PathBuf,
}
