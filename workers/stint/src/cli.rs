//! The command line.

use clap::{Parser, Subcommand};
use stint_host::config::LogSettings;

use crate::commands::{
    data, demo, describe, keys, lookup, queue, refresh, rules, run, simulate, status, throttle, up, upstream,
};
use crate::config::HomeSettings;

/// Collects from rationed APIs, and spends every point its keys are allotted, not one more.
#[derive(Parser)]
#[command(name = "stint", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object on stdout, and nothing else there.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) home: HomeSettings,

    #[command(flatten)]
    pub(crate) log: LogSettings,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a whole fleet against its stand-in upstream, from discovery to Lua databases.
    Demo(demo::Arguments),
    /// Run fleets here until Ctrl-C.
    Up(up::Arguments),
    /// Run one worker once, by hand.
    Run(run::Arguments),
    /// Show what runs, what waits, and why.
    Status(status::Arguments),
    /// Show the keys' points and resets; pause and resume a key.
    Keys(keys::Arguments),
    /// Show and set how many invocations of a worker may run at once.
    Throttle(throttle::Arguments),
    /// List, add and remove discovery rules.
    Rules(rules::Arguments),
    /// Look into queues and their dead letters.
    Queue(queue::Arguments),
    /// Put a player ahead of the backlog.
    Refresh(refresh::Arguments),
    /// Run a whole fleet on virtual time: will it fit, when is it done, what expires, what does it cost.
    Simulate(simulate::Arguments),
    /// Read one player back out of generated databases.
    Lookup(lookup::Arguments),
    /// Move a collection in or out as extended-JSON lines.
    Data(data::Arguments),
    /// Run a stand-in upstream alone.
    Upstream(upstream::Arguments),
    /// Describe every fleet, worker, trigger and setting.
    Describe(describe::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
