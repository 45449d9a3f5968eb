//! The command line.

use std::ffi::OsString;
use std::path::Path;

use clap::{Parser, Subcommand};
use stint_host::config::{LogSettings, TelemetrySettings};

use crate::commands::{
    data, demo, describe, keys, lambda, lookup, publish, queue, raids, refresh, rules, run, show, simulate, status,
    throttle, unpack, up, upkeep, upstream,
};
use crate::config::HomeSettings;

/// What the program is called in Lambda's package.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-provided.html>
const BOOTSTRAP: &str = "bootstrap";

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

    #[command(flatten)]
    pub(crate) telemetry: TelemetrySettings,

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
    /// Run one worker as a function of AWS Lambda: what `bootstrap` does in the package.
    #[command(after_help = lambda::HELP)]
    Lambda,
    /// Show what runs, what waits, and why.
    Status(status::Arguments),
    /// Show the keys' points and resets; pause and resume a key.
    Keys(keys::Arguments),
    /// Show and set how many invocations of a worker may run at once.
    Throttle(throttle::Arguments),
    /// List, add and remove discovery rules.
    Rules(rules::Arguments),
    /// List raids with their difficulties and partitions.
    Raids(raids::Arguments),
    /// Look into queues and their dead letters.
    Queue(queue::Arguments),
    /// Put a player ahead of the backlog.
    Refresh(refresh::Arguments),
    /// Show what is stored of one player.
    Show(show::Arguments),
    /// Run a whole fleet on virtual time: will it fit, when is it done, what expires, what does it cost.
    Simulate(simulate::Arguments),
    /// Read one player back out of generated databases.
    Lookup(lookup::Arguments),
    /// Write generated databases back into lines of extended JSON.
    Unpack(unpack::Arguments),
    /// Push generated databases to git by hand, or see what would be pushed.
    Publish(publish::Arguments),
    /// Move a collection in or out as extended-JSON lines.
    Data(data::Arguments),
    /// Check the files of the folder, and repair them.
    Check(upkeep::check::Arguments),
    /// Copy everything that the folder keeps, while fleets run.
    Backup(upkeep::backup::Arguments),
    /// Go back to a backup.
    Restore(upkeep::restore::Arguments),
    /// Run a stand-in upstream alone.
    Upstream(upstream::Arguments),
    /// Describe every fleet, worker, trigger and setting.
    Describe(describe::Arguments),
}

impl Command {
    /// Whether it does work that is measured. The others only look and set, and a simulation's numbers are nobody's.
    fn is_measured(&self) -> bool {
        matches!(self, Command::Demo(_) | Command::Up(_) | Command::Run(_) | Command::Lambda)
    }
}

impl Cli {
    /// Whether Lambda runs this: it exports at the end of each invocation, and is frozen between two.
    pub(crate) fn is_function(&self) -> bool {
        matches!(self.command, Command::Lambda)
    }

    /// Where the metrics and traces of this command go, if it makes any.
    pub(crate) fn exports(&self) -> Option<&TelemetrySettings> {
        Some(&self.telemetry).filter(|_| self.command.is_measured())
    }

    /// The command line. Lambda starts the package's `bootstrap` without one.
    pub(crate) fn read() -> Cli {
        let mut arguments: Vec<OsString> = std::env::args_os().collect();
        let name = arguments.first().and_then(|program| Path::new(program).file_name());
        if name.is_some_and(|name| name == BOOTSTRAP) && arguments.len() == 1 {
            arguments.push("lambda".into());
        }
        Cli::parse_from(arguments)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
