//! What a fleet is to the rest of the program. Nothing outside a fleet's own folder knows more of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{ArgMatches, Args, Command};
use futures::future::{FutureExt, LocalBoxFuture};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use stint_core::ports::{Breakers, QueueSettings, Throttle};
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Spec};
use stint_embedded::upkeep::FileSpec;

use super::settings::{FleetSettings, SettingsOf};
use crate::context::Context;
use crate::wiring::{Backends, Diary, Needs};

/// A fleet, as the shared commands see it.
#[async_trait]
pub(crate) trait Fleet: Send + Sync {
    /// The name that its workers, its stores and its records have.
    fn name(&self) -> &'static str;

    /// A shorter name for the command line.
    fn alias(&self) -> &'static str;

    /// Its workers, in the order of the data's way.
    fn workers(&self) -> &'static [Spec];

    /// Its settings.
    fn settings(&self) -> SettingsOf;

    /// What must be set before it can run here, if something is missing.
    fn missing(&self, settings: &FleetSettings) -> Option<String>;

    /// Checks what is set: an error names the setting, and the remedy.
    fn check(&self, settings: &FleetSettings) -> Result<(), String>;

    /// What it needs of the backends.
    fn needs(&self) -> Needs;

    /// The files of SQLite that it may keep in `STINT_HOME`.
    fn files(&self) -> &'static [FileSpec];

    /// Folders in `STINT_HOME` that it may fill with files which never change.
    fn folders(&self) -> &'static [&'static str] {
        &[]
    }

    /// The commands that an installation of it begins with, in words.
    fn beginning(&self) -> &'static str;

    /// How one of its queues treats its messages.
    fn queue(&self, settings: &FleetSettings, trigger: QueueTrigger) -> QueueSettings;

    /// The upstreams without which a worker has nothing to do.
    fn upstreams_of(&self, worker: &Spec, settings: &FleetSettings) -> &'static [&'static str];

    /// What steers its workers.
    async fn throttle(&self, _: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Throttle>> {
        backends.throttle().await
    }

    /// What is known of its upstreams' health.
    fn breakers(&self, _: &FleetSettings, backends: &Backends) -> anyhow::Result<Arc<dyn Breakers>> {
        backends.breakers()
    }

    /// Where its workers are built. Nothing is opened before the first of them needs it.
    fn open<'a>(&self, settings: &'a FleetSettings, backends: &'a Backends) -> Box<dyn Workshop + 'a>;

    /// How it stands; `None` where it was never started. Without `backends` nothing was ever done here. Nothing is created.
    async fn status(
        &self,
        settings: &FleetSettings,
        backends: Option<&Backends>,
        now: Timestamp,
    ) -> anyhow::Result<Option<Standing>>;

    /// How many messages of a queue are kept elsewhere until there are points for them.
    async fn parked(&self, _queue: &str, _settings: &FleetSettings, _backends: &Backends) -> anyhow::Result<u64> {
        Ok(0)
    }

    /// Everything that waited in a queue of its was deleted.
    async fn purged(&self, _queue: &str, _settings: &FleetSettings, _backends: &Backends) -> anyhow::Result<()> {
        Ok(())
    }

    /// The whole fleet against a stand-in for its upstream.
    fn demo(&self) -> Option<Action> {
        None
    }

    /// The whole fleet on virtual time.
    fn simulate(&self) -> Option<Action> {
        None
    }

    /// The stand-in for its upstream alone.
    fn upstream(&self) -> Option<Action> {
        None
    }

    /// How its collections are moved in and out.
    fn collections(&self) -> Option<Collections> {
        None
    }

    /// The commands that stand under its name.
    fn commands(&self) -> Option<Action> {
        None
    }
}

/// Arguments that say what a fleet is to do. Their text is the command's.
#[async_trait(?Send)]
pub(crate) trait Act: Args {
    /// Does it; `fleet` is the one whose command it is.
    async fn run(self, fleet: &'static dyn Fleet, context: &Context) -> anyhow::Result<()>;
}

/// The same, whatever the arguments.
#[derive(Clone, Copy)]
pub(crate) struct Action {
    /// Adds the arguments to a command.
    pub(crate) augment: fn(Command) -> Command,
    /// Reads the arguments, and does what they say.
    pub(crate) run:
        for<'a> fn(&'static dyn Fleet, &'a ArgMatches, &'a Context) -> LocalBoxFuture<'a, anyhow::Result<()>>,
}

impl Action {
    /// What arguments of this kind say.
    pub(crate) const fn of<A: Act + 'static>() -> Action {
        Action {
            augment: A::augment_args,
            run: |fleet, matches, context| {
                async move { A::from_arg_matches(matches)?.run(fleet, context).await }.boxed_local()
            },
        }
    }
}

/// How the collections of a fleet are moved.
#[derive(Clone, Copy)]
pub(crate) struct Collections {
    /// Reads documents from a file.
    pub(crate) import: Action,
    /// Writes documents to a file.
    pub(crate) export: Action,
}

/// Where the workers of a fleet are built, each with the ports that it needs and no others. What a process has one of, such
/// as a connection to the upstream, all of them share.
#[async_trait]
pub(crate) trait Workshop: Send + Sync {
    /// Adds a worker.
    async fn add(&self, registry: Registry, spec: &Spec) -> anyhow::Result<Registry>;

    /// The fleet while its workers run here.
    async fn running(&self, diary: &Diary, context: &Context) -> anyhow::Result<Box<dyn Running>>;
}

/// What a fleet is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// There is something to do.
    UnderWay,
    /// Nothing is left to do.
    Done,
    /// Nothing more will be done, for this reason, and not because all is done.
    Stopped(String),
}

/// A fleet while it runs here.
#[async_trait(?Send)]
pub(crate) trait Running {
    /// Sets it going. Its schedules are set already.
    async fn start(&self, context: &Context) -> anyhow::Result<()>;

    /// Says what it is about to do, and what is missing.
    async fn say_what_happens(&self, context: &Context) -> anyhow::Result<()>;

    /// Shows what it does.
    async fn look(&mut self, now: Timestamp) -> anyhow::Result<()>;

    /// Returns what it is at, as of the last look. Called only with `--until-drained`.
    async fn work(&mut self, now: Timestamp) -> anyhow::Result<Work>;

    /// Ends the showing.
    fn finish(&mut self);
}

/// How a fleet stands.
pub(crate) struct Standing {
    /// Whether it was ever set up. One that was not is shown where there is no other: it says how to begin.
    pub(crate) is_set_up: bool,
    document: Box<RawValue>,
    /// The same in words.
    pub(crate) words: String,
}

impl Standing {
    /// What `status` says, and what `write` makes of it.
    pub(crate) fn new<T: Serialize>(
        status: &T,
        is_set_up: bool,
        write: impl FnOnce(&T, &mut String) -> fmt::Result,
    ) -> anyhow::Result<Standing> {
        let mut words = String::new();
        write(status, &mut words)?;
        Ok(Standing { is_set_up, document: to_raw_value(status)?, words })
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}
