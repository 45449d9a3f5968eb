//! The host's settings.

use clap::{Args, ValueEnum};

/// How much is logged, and in which form.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogSettings {
    /// What is logged: a level, or levels by module as in `info,stint_host=debug`.
    #[arg(long, env = "STINT_LOG", default_value = "warn", global = true, hide_short_help = true)]
    pub log: String,

    /// The form of a log line on stderr.
    #[arg(long, env = "STINT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true, hide_short_help = true)]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}
