//! The settings of the sample fleet.

use clap::Args;

/// The settings of the sample fleet.
#[derive(Args, Clone, Debug)]
#[group(id = "sample")]
#[command(next_help_heading = "Settings of the sample fleet")]
pub(super) struct Settings {
    /// Where samples are taken. Required.
    #[arg(long, env = "SAMPLE_PLACE")]
    pub(super) sample_place: Option<String>,
}
