//! The interface of a fleet. Nothing outside a fleet's own folder knows more about it than these traits.
//!
//! # Why a trait
//! The shared commands (`up`, `run`, `status`, `queue`, …) must work for every fleet, and adding a fleet must not
//! change them. They therefore reach a fleet only through [`Fleet`], and the program has one list of fleets, in
//! `fleets/mod.rs`. The list holds `&'static dyn Fleet`, so a fleet is a value without state; everything that is opened
//! or connected belongs to [`WorkerBuilder`] and [`RunningFleet`], which exist only while a command needs them.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{ArgMatches, Args, Command};
use futures::future::{FutureExt, LocalBoxFuture};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use stint_core::listener::ListenerSpec;
use stint_core::ports::{AlarmRecords, Breakers, QueueSettings, Throttle};
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, WorkerSpec};
use stint_embedded::upkeep::FileSpec;

use super::settings::{FleetSettings, SettingsParser};
use crate::context::Context;
use crate::wiring::{BackendNeeds, Backends, ReportLog};

/// A fleet, as the shared commands use it.
#[async_trait]
pub(crate) trait Fleet: Send + Sync {
    /// The fleet's name, as used by its workers, stores and records.
    fn name(&self) -> &'static str;

    /// A shorter name for use on the command line.
    fn alias(&self) -> &'static str;

    /// The workers, in the order in which data flows through them.
    fn workers(&self) -> &'static [WorkerSpec];

    /// The listeners: workers that hold a connection, and run only where `stint up` runs the fleet.
    fn listeners(&self) -> &'static [ListenerSpec] {
        &[]
    }

    /// The settings of the fleet.
    fn settings(&self) -> SettingsParser;

    /// Returns a required setting that is missing, as a message, or `None` if the fleet can run here.
    fn missing(&self, settings: &FleetSettings) -> Option<String>;

    /// Checks the settings. The error names the setting and the remedy.
    fn check(&self, settings: &FleetSettings) -> Result<(), String>;

    /// What the fleet needs of the backends.
    fn needs(&self) -> BackendNeeds;

    /// The SQLite files that the fleet may create in `STINT_HOME`.
    fn files(&self) -> &'static [FileSpec];

    /// Folders in `STINT_HOME` in which the fleet may create files that never change.
    fn folders(&self) -> &'static [FolderSpec] {
        &[]
    }

    /// The commands that set up a new installation, as text for the user.
    fn setup_commands(&self) -> &'static str;

    /// Returns the settings of one of the fleet's queues.
    fn queue(&self, settings: &FleetSettings, trigger: QueueTrigger) -> QueueSettings;

    /// Returns the upstreams without which a worker has nothing to do.
    fn upstreams_of(&self, worker: &WorkerSpec, settings: &FleetSettings) -> &'static [&'static str];

    /// Returns the throttle of the fleet's workers.
    async fn throttle(&self, _: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
        backends.throttle(None).await
    }

    /// Returns the circuit breakers of the fleet's upstreams.
    fn breakers(&self, _: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Breakers>> {
        backends.breakers()
    }

    /// Returns the records of the fleet's alarms.
    fn alarm_records(&self, _: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn AlarmRecords>> {
        backends.alarm_records()
    }

    /// Returns the builder of the fleet's workers. Nothing is opened until the first worker needs it.
    fn builder<'a>(&self, settings: &'a FleetSettings, backends: &'a Backends) -> Box<dyn WorkerBuilder + 'a>;

    /// Returns the state of the fleet, or `None` if it was never started. `backends` is `None` if this folder was never
    /// used. Creates nothing.
    async fn status(
        &self,
        settings: &FleetSettings,
        backends: Option<&Backends>,
        now: Timestamp,
    ) -> anyhow::Result<Option<FleetStatus>>;

    /// Returns how many messages of a queue are parked until there are points for them.
    async fn parked(&self, _queue: &str, _settings: &FleetSettings, _backends: &Backends) -> anyhow::Result<u64> {
        Ok(0)
    }

    /// Called after all messages of one of the fleet's queues were deleted.
    async fn after_purge(&self, _queue: &str, _settings: &FleetSettings, _backends: &Backends) -> anyhow::Result<()> {
        Ok(())
    }

    /// Runs the whole fleet against a stand-in for its upstream.
    #[cfg(feature = "standins")]
    fn demo(&self) -> Option<ErasedCommand> {
        None
    }

    /// Runs the whole fleet on virtual time.
    #[cfg(feature = "standins")]
    fn simulate(&self) -> Option<ErasedCommand> {
        None
    }

    /// Runs the stand-in for the fleet's upstream alone.
    #[cfg(feature = "standins")]
    fn upstream(&self) -> Option<ErasedCommand> {
        None
    }

    /// Imports and exports the fleet's collections.
    fn collections(&self) -> Option<CollectionCommands> {
        None
    }

    /// The commands that belong to this fleet.
    fn commands(&self) -> Option<ErasedCommand> {
        None
    }
}

/// A folder that a fleet fills with files which never change.
#[derive(Clone, Copy)]
pub(crate) struct FolderSpec {
    /// Its name in `STINT_HOME`.
    pub(crate) name: &'static str,
    /// Reads one of its files, given the path below the folder, to the end. Returns what is wrong with it.
    pub(crate) verify: fn(path: &str, file: File) -> Result<(), String>,
}

/// The arguments of a fleet's command. Their doc comments are its `--help` text.
#[async_trait(?Send)]
pub(crate) trait FleetCommand: Args {
    /// Runs the command; `fleet` is the fleet that it belongs to.
    async fn run(self, fleet: &'static dyn Fleet, context: &Context) -> anyhow::Result<()>;
}

/// A [`FleetCommand`] with its argument type erased.
#[derive(Clone, Copy)]
pub(crate) struct ErasedCommand {
    /// Adds the arguments to a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Parses the arguments and runs the command.
    pub(crate) run:
        for<'a> fn(&'static dyn Fleet, &'a ArgMatches, &'a Context) -> LocalBoxFuture<'a, anyhow::Result<()>>,
}

impl ErasedCommand {
    /// Returns the command for this type of arguments.
    pub(crate) const fn of<A: FleetCommand + 'static>() -> ErasedCommand {
        ErasedCommand {
            augment: A::augment_args,
            run: |fleet, matches, context| {
                async move { A::from_arg_matches(matches)?.run(fleet, context).await }.boxed_local()
            },
        }
    }
}

/// How the collections of a fleet are imported and exported.
#[derive(Clone, Copy)]
pub(crate) struct CollectionCommands {
    /// Reads documents from a file.
    pub(crate) import: ErasedCommand,
    /// Writes documents to a file.
    pub(crate) export: ErasedCommand,
}

/// Builds the workers of a fleet, each with only the ports that it needs. Objects that exist once per process, such as
/// the connection to an upstream, are shared among the workers.
#[async_trait]
pub(crate) trait WorkerBuilder: Send + Sync {
    /// Builds a worker and adds it to `registry`.
    async fn build_into(&self, registry: Registry, spec: &WorkerSpec) -> anyhow::Result<Registry>;

    /// Builds a listener and adds it to `registry`. Called only for the fleet's own listeners.
    async fn build_listener_into(&self, registry: Registry, spec: &ListenerSpec) -> anyhow::Result<Registry> {
        let _ = registry;
        anyhow::bail!("there is no listener {} in this fleet", spec.name)
    }

    /// Returns the fleet as it is observed while its workers run in this process.
    async fn running(&self, report_log: &ReportLog, context: &Context) -> anyhow::Result<Box<dyn RunningFleet>>;
}

/// Whether a fleet has work left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkState {
    /// There is work left.
    Working,
    /// No work is left.
    Done,
    /// Work is left, but no more will be done, for this reason.
    Stopped(String),
}

/// A fleet while its workers run in this process.
#[async_trait(?Send)]
pub(crate) trait RunningFleet {
    /// Starts the fleet. Its schedules are set already.
    async fn start(&self, context: &Context) -> anyhow::Result<()>;

    /// Prints what the fleet is about to do, and what is missing.
    async fn print_plan(&self, context: &Context) -> anyhow::Result<()>;

    /// Reads the current state, and shows the progress.
    async fn observe(&mut self, now: Timestamp) -> anyhow::Result<()>;

    /// Returns whether work is left, as last observed. Called only with `--until-drained`.
    async fn work_state(&mut self, now: Timestamp) -> anyhow::Result<WorkState>;

    /// Ends the display of progress.
    fn close_display(&mut self);
}

/// The state of a fleet.
pub(crate) struct FleetStatus {
    /// Whether the fleet was ever set up. A fleet that was not is shown only if no other is, with hints on how to
    /// begin.
    pub(crate) is_set_up: bool,
    document: Box<RawValue>,
    /// The state as text.
    pub(crate) text: String,
}

impl FleetStatus {
    /// Creates the state from `status`; `write` formats it as text.
    pub(crate) fn new<T: Serialize>(
        status: &T,
        is_set_up: bool,
        write: impl FnOnce(&T, &mut String) -> fmt::Result,
    ) -> anyhow::Result<FleetStatus> {
        let mut text = String::new();
        write(status, &mut text)?;
        Ok(FleetStatus { is_set_up, document: to_raw_value(status)?, text })
    }
}

impl Serialize for FleetStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}
