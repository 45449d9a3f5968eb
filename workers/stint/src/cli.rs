//! The command line.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use stint_host::SystemClock;
use stint_host::config::{LogSettings, TelemetrySettings};

use crate::built::{Clouds, built_without, built_without_cloud};
#[cfg(feature = "standins")]
use crate::commands::per_fleet::{DemoCommand, SimulateCommand, UpstreamCommand};
use crate::commands::per_fleet::{OwnCommands, PerFleet};
use crate::commands::{data, describe, lambda, queue, run, status, throttle, up, upkeep};
use crate::config::HomeSettings;
use crate::context::Context;
use crate::fleets::{find_fleet, not_built};
use crate::help;
use crate::output::Output;

/// The program's name in a Lambda package.
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
pub(crate) enum Command {
    Shared(Box<Shared>),
    /// A command of one fleet.
    Own(PerFleet<OwnCommands>),
}

/// The commands that all fleets share.
#[derive(Subcommand)]
pub(crate) enum Shared {
    #[cfg(feature = "standins")]
    /// Run a whole fleet on this machine against a stand-in for its upstream.
    Demo(PerFleet<DemoCommand>),
    /// Run fleets here until Ctrl-C.
    Up(up::Arguments),
    /// Run one worker once, by hand.
    Run(run::Arguments),
    /// Run one worker as a function of AWS Lambda: what `bootstrap` does in the package.
    #[command(after_help = lambda::HELP)]
    Lambda,
    /// Show what runs, what waits, and why.
    Status(status::Arguments),
    /// Show and set how many invocations of a worker may run at once.
    Throttle(throttle::Arguments),
    /// Show queues and their messages; redrive or purge dead letters.
    Queue(queue::Arguments),
    /// Import or export a collection as lines of extended JSON.
    Data(data::Arguments),
    /// Check the files of the folder, and repair them.
    Check(upkeep::check::Arguments),
    /// Copy everything in the folder, while fleets run.
    Backup(upkeep::backup::Arguments),
    /// Restore a backup.
    Restore(upkeep::restore::Arguments),
    #[cfg(feature = "standins")]
    /// Run a whole fleet on virtual time: will it fit, when is it done, what expires, what does it cost.
    Simulate(PerFleet<SimulateCommand>),
    #[cfg(feature = "standins")]
    /// Run a stand-in upstream alone.
    Upstream(PerFleet<UpstreamCommand>),
    /// Describe every fleet, worker, trigger and setting.
    Describe(describe::Arguments),
}

impl Command {
    /// Returns whether this command does work that is measured. The other commands only read or set, and a simulation's
    /// numbers describe no real call.
    fn is_measured(&self) -> bool {
        let Command::Shared(shared) = self else { return false };
        match **shared {
            #[cfg(feature = "standins")]
            Shared::Demo(_) => true,
            Shared::Up(_) | Shared::Run(_) | Shared::Lambda => true,
            _ => false,
        }
    }
}

impl Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        PerFleet::<OwnCommands>::augment(Shared::augment_subcommands(command))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Command::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Shared::has_subcommand(name) || find_fleet(name).is_some()
    }
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Command, clap::Error> {
        match PerFleet::from_subcommand(matches) {
            Some(own) => Ok(Command::Own(own)),
            None => Shared::from_arg_matches(matches).map(Box::new).map(Command::Shared),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Command::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Cli {
    /// Returns whether Lambda runs this command. A function exports at the end of each invocation, because it is frozen
    /// between two.
    pub(crate) fn is_function(&self) -> bool {
        matches!(&self.command, Command::Shared(shared) if matches!(**shared, Shared::Lambda))
    }

    /// Returns where this command's metrics and traces are sent, if it makes any.
    pub(crate) fn telemetry_settings(&self) -> Option<&TelemetrySettings> {
        Some(&self.telemetry).filter(|_| self.command.is_measured())
    }

    /// Parses the command line. Lambda starts the package's `bootstrap` without arguments.
    pub(crate) fn read() -> Cli {
        let mut arguments: Vec<OsString> = std::env::args_os().collect();
        let name = arguments.first().and_then(|program| Path::new(program).file_name());
        if name.is_some_and(|name| name == BOOTSTRAP) && arguments.len() == 1 {
            arguments.push("lambda".into());
        }
        let mut command = help::of_named_fleets(Cli::command(), &arguments);
        let matches = command.try_get_matches_from_mut(arguments).unwrap_or_else(|error| unknown(error).exit());
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// Returns the error of an invalid command line. If a build with one more feature would know the word, the error names that
/// feature.
fn unknown(error: clap::Error) -> clap::Error {
    let kinds = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let words = kinds.into_iter().filter_map(|kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    });
    let missing = words.filter_map(missing).next();
    missing.map_or(error, |text| clap::Error::raw(ErrorKind::InvalidSubcommand, text + "\n"))
}

/// How to get a program that knows this command or fleet, if a feature brings it.
fn missing(word: &str) -> Option<String> {
    let needs_standins = !cfg!(feature = "standins") && ["demo", "simulate", "upstream"].contains(&word);
    let is_cloud = |built: bool, flag: &str| !built && word.starts_with(flag);
    if needs_standins {
        Some(built_without("stand-ins for upstreams", "standins"))
    } else if is_cloud(Clouds::HERE.aws, "--aws-") {
        Some(built_without_cloud("AWS", "aws"))
    } else if is_cloud(Clouds::HERE.mongo, "--mongodb-") {
        Some(built_without_cloud("MongoDB", "mongodb"))
    } else {
        not_built(word)
    }
}

/// Runs one command.
pub(crate) async fn run(cli: Cli, output: &Output) -> anyhow::Result<()> {
    let context = Context { home: cli.home.home, output: output.clone(), clock: Arc::new(SystemClock) };
    match cli.command {
        Command::Own(own) => own.run(&context).await,
        Command::Shared(shared) => run_shared(*shared, &context).await,
    }
}

async fn run_shared(command: Shared, context: &Context) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "standins")]
        Shared::Demo(demo) => demo.run(context).await,
        Shared::Up(arguments) => up::run(arguments, context).await,
        Shared::Run(arguments) => run::run(arguments, context).await,
        Shared::Lambda => lambda::run(context).await,
        Shared::Status(arguments) => status::run(arguments, context).await,
        Shared::Throttle(arguments) => throttle::run(arguments, context).await,
        Shared::Queue(arguments) => queue::run(arguments, context).await,
        Shared::Data(arguments) => data::run(arguments, context).await,
        Shared::Check(arguments) => upkeep::check::run(&arguments, context),
        Shared::Backup(arguments) => upkeep::backup::run(&arguments, context),
        Shared::Restore(arguments) => upkeep::restore::run(&arguments, context),
        #[cfg(feature = "standins")]
        Shared::Simulate(simulate) => simulate.run(context).await,
        #[cfg(feature = "standins")]
        Shared::Upstream(upstream) => upstream.run(context).await,
        Shared::Describe(arguments) => describe::run(&arguments, context),
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
