//! The commands, one to a file.

mod aside;
mod breakers;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod keys;
pub(crate) mod lambda;
mod lines;
pub(crate) mod lookup;
pub(crate) mod publish;
pub(crate) mod queue;
pub(crate) mod raids;
mod ranks;
pub(crate) mod refresh;
pub(crate) mod rules;
pub(crate) mod run;
mod servers;
pub(crate) mod show;
pub(crate) mod simulate;
pub(crate) mod status;
mod stopping;
pub(crate) mod throttle;
pub(crate) mod unpack;
pub(crate) mod up;
pub(crate) mod upkeep;
pub(crate) mod upstream;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use stint_core::clock::Clock;
use stint_embedded::Embedded;
use stint_host::SystemClock;
use stint_warcraftlogs::config::Settings;

use crate::cli::{Cli, Command};
use crate::output::Output;
use crate::wiring::{BackendSettings, Backends, Choice, Stores};

/// What every command is given.
pub(crate) struct Context {
    /// `STINT_HOME`.
    pub(crate) home: PathBuf,
    /// Where to print.
    pub(crate) output: Output,
    /// What time it is.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Context {
    /// The settings of the environment. An error names the variable.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::from_environment()?)
    }

    /// The stores of a folder that is there already: a command that only looks creates nothing.
    pub(crate) async fn existing_stores(&self) -> anyhow::Result<Stores> {
        ensure!(
            self.is_installed()?,
            "there is nothing of Stint in {}: begin with `stint rules add --help` and `stint up`, or name another \
             folder with --home or STINT_HOME",
            self.home.display()
        );
        self.stores().await
    }

    /// Whether there is anything to look at: a folder that somebody has used, or servers.
    pub(crate) fn is_installed(&self) -> anyhow::Result<bool> {
        Ok(!self.choice()?.has_sqlite() || Embedded::is_at(&self.home))
    }

    /// What stands behind each port, by the settings of the environment.
    pub(crate) fn choice(&self) -> anyhow::Result<Choice> {
        Ok(BackendSettings::from_environment()?.choice())
    }

    /// The fleet's stores, by the settings of the environment. A folder is created if need be.
    pub(crate) async fn stores(&self) -> anyhow::Result<Stores> {
        let backends = self.backends(&BackendSettings::from_environment()?).await?;
        Stores::open(&Settings::from_environment()?, &backends).await
    }

    /// The backends that `settings` choose.
    pub(crate) async fn backends(&self, settings: &BackendSettings) -> anyhow::Result<Backends> {
        Backends::open(settings, &self.home, self.clock.clone()).await
    }
}

/// Runs one command.
pub(crate) async fn run(cli: Cli, output: &Output) -> anyhow::Result<()> {
    let context = Context { home: cli.home.home, output: output.clone(), clock: Arc::new(SystemClock) };
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments, &context).await,
        Command::Up(arguments) => up::run(arguments, &context).await,
        Command::Run(arguments) => run::run(arguments, &context).await,
        Command::Lambda => lambda::run(&context).await,
        Command::Status(arguments) => status::run(arguments, &context).await,
        Command::Keys(arguments) => keys::run(arguments, &context).await,
        Command::Throttle(arguments) => throttle::run(arguments, &context).await,
        Command::Rules(arguments) => rules::run(arguments, &context).await,
        Command::Raids(arguments) => raids::run(arguments, &context).await,
        Command::Queue(arguments) => queue::run(arguments, &context).await,
        Command::Refresh(arguments) => refresh::run(arguments, &context).await,
        Command::Lookup(arguments) => lookup::run(&arguments, &context),
        Command::Unpack(arguments) => unpack::run(&arguments, &context),
        Command::Publish(arguments) => publish::run(arguments, &context).await,
        Command::Data(arguments) => data::run(arguments, &context).await,
        Command::Check(arguments) => upkeep::check::run(&arguments, &context),
        Command::Backup(arguments) => upkeep::backup::run(&arguments, &context),
        Command::Restore(arguments) => upkeep::restore::run(&arguments, &context),
        Command::Upstream(arguments) => upstream::run(arguments, &context).await,
        Command::Show(arguments) => show::run(arguments, &context).await,
        Command::Simulate(arguments) => simulate::run(arguments, &context).await,
        Command::Describe(arguments) => describe::run(&arguments, &context),
    }
}
