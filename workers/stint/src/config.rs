//! The settings of the installation, whatever the fleet.

use std::path::PathBuf;

use clap::Args;

/// Where an installation keeps its state.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Installation")]
pub(crate) struct HomeSettings {
    /// The folder that keeps queues, budgets and players. It is created when it is missing.
    #[arg(long = "home", env = "STINT_HOME", default_value = "./stint-data", global = true)]
    pub(crate) home: PathBuf,
}
