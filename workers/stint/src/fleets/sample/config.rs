//! The settings of the fleet that only tests have.

use clap::Args;

/// Its settings.
#[derive(Args, Clone, Debug)]
#[group(id = "sample")]
#[command(next_help_heading = "Settings of the sample fleet")]
pub(super) struct Settings {
    /// Where samples are taken, which is needed.
    #[arg(long, env = "SAMPLE_PLACE")]
    pub(super) sample_place: Option<String>,
}
