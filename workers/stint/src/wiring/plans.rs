//! The fleets, in one table: what the commands must know of each. A new fleet is a new row.

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use futures::FutureExt;
use futures::future::BoxFuture;
use stint_core::ports::QueueSettings;
use stint_core::registry::Registry;
use stint_core::worker::{QueueTrigger, Spec, Worker};
use stint_embedded::Embedded;
use stint_embedded::upkeep::FileSpec;
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::store::{SqliteChain, SqliteIndex};
use stint_poe_stashes::watcher::Watcher;
use stint_warcraftlogs::config::SettingsError;
use stint_warcraftlogs::store::SqliteStore;

use super::WARCRAFTLOGS;
use super::backends::Backends;
use super::poe_stashes::{self, PoeWorkshop};
use super::stores::queue_settings;
use super::workshop::Workshop;

/// The workers of the `poe-stashes` fleet, in the order of the data's way through them.
const POE_STASHES: [Spec; 3] = [Follower::SPEC, Indexer::SPEC, Watcher::SPEC];

/// The settings of all fleets.
#[derive(Args, Clone, Debug)]
pub(crate) struct FleetSettings {
    #[command(flatten)]
    pub(crate) warcraftlogs: stint_warcraftlogs::config::Settings,

    #[command(flatten)]
    pub(crate) poe_stashes: stint_poe_stashes::config::Settings,
}

/// The settings alone, for reading them from the environment.
#[derive(Parser)]
struct FleetsAlone {
    #[command(flatten)]
    fleets: FleetSettings,
}

impl FleetSettings {
    /// The settings of the environment. An error names the variable.
    pub(crate) fn from_environment() -> Result<FleetSettings, SettingsError> {
        let parsed = FleetsAlone::try_parse_from(["stint"]);
        parsed.map(|parsed| parsed.fleets).map_err(|error| SettingsError::from(&error))
    }

    /// The defaults of all settings, whatever the environment says.
    pub(crate) fn defaults() -> Result<FleetSettings, SettingsError> {
        let command = FleetsAlone::command().mut_args(|argument| argument.env(None::<&str>));
        let parsed = command.try_get_matches_from(["stint"]);
        let parsed = parsed.and_then(|mut matches| FleetsAlone::from_arg_matches_mut(&mut matches));
        parsed.map(|parsed| parsed.fleets).map_err(|error| SettingsError::from(&error))
    }
}

/// A fleet, as the commands see it.
pub(crate) struct Plan {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its workers, in the order of the data's way.
    pub(crate) workers: &'static [Spec],
    /// Folders in `STINT_HOME` that it may fill with files which never change.
    folders: &'static [&'static str],
    /// The files of SQLite that it may keep.
    files: &'static [FileSpec],
    /// What must be set before it can run here, if something is missing.
    pub(crate) missing: fn(&FleetSettings) -> Option<String>,
    /// Checks what is set: an error names the setting, and the remedy.
    pub(crate) check: fn(&FleetSettings) -> Result<(), String>,
    /// How a queue of its treats its messages.
    pub(super) queue: fn(&FleetSettings, QueueTrigger) -> QueueSettings,
    /// Adds one of its workers.
    pub(super) add: for<'a> fn(&'a Workshops<'a>, Registry, &'a Spec) -> BoxFuture<'a, anyhow::Result<Registry>>,
}

/// Those that work today.
pub(crate) static FLEETS: [Plan; 2] = [
    Plan {
        name: stint_warcraftlogs::FLEET,
        workers: &WARCRAFTLOGS,
        folders: &[],
        files: &SqliteStore::FILES,
        missing: |settings| {
            let missing = "WCL_KEYS is not set: the rank fetcher needs at least one API key, as id:secret";
            settings.warcraftlogs.wcl_keys.is_empty().then(|| missing.to_owned())
        },
        check: |settings| settings.warcraftlogs.check(),
        queue: |settings, _| queue_settings(&settings.warcraftlogs),
        add: |shops, registry, spec| shops.warcraftlogs.add(registry, spec).boxed(),
    },
    Plan {
        name: stint_poe_stashes::FLEET,
        workers: &POE_STASHES,
        folders: &[poe_stashes::PAGES_FOLDER],
        files: &[SqliteChain::SPEC, SqliteIndex::SPEC],
        missing: |settings| {
            let settings = &settings.poe_stashes;
            settings.client().map(drop).and_then(|()| settings.user_agent().map(drop)).err()
        },
        check: |settings| settings.poe_stashes.check(),
        queue: |settings, trigger| poe_stashes::queue_settings(&settings.poe_stashes, trigger),
        add: |shops, registry, spec| shops.poe_stashes.add(registry, spec).boxed(),
    },
];

/// The fleet of that name.
pub(crate) fn plan(name: &str) -> Option<&'static Plan> {
    FLEETS.iter().find(|plan| plan.name == name)
}

/// The files of SQLite that an installation may have: those of every fleet, and those that all of them share.
pub(crate) fn files() -> Vec<FileSpec> {
    Embedded::FILES.into_iter().chain(FLEETS.iter().flat_map(|plan| plan.files.iter().copied())).collect()
}

/// The folders that fleets may fill in `STINT_HOME` with files which never change.
pub(crate) fn folders() -> impl Iterator<Item = &'static str> {
    FLEETS.iter().flat_map(|plan| plan.folders.iter().copied())
}

/// The names of all fleets, for errors.
pub(crate) fn fleet_names() -> String {
    FLEETS.iter().map(|plan| plan.name).collect::<Vec<_>>().join(", ")
}

/// All workers of all fleets. Their names are unique: throttles and wake-ups know a worker by its name alone.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    FLEETS.iter().flat_map(|plan| plan.workers)
}

/// Where the workers of a process are built, each with the ports that it needs and no others.
pub(crate) struct Workshops<'a> {
    pub(super) settings: &'a FleetSettings,
    pub(super) backends: &'a Backends,
    pub(super) warcraftlogs: Workshop<'a>,
    pub(super) poe_stashes: PoeWorkshop<'a>,
}

impl<'a> Workshops<'a> {
    /// Nothing is opened before the first worker needs it.
    pub(crate) fn new(settings: &'a FleetSettings, backends: &'a Backends) -> Workshops<'a> {
        Workshops {
            settings,
            backends,
            warcraftlogs: Workshop::new(&settings.warcraftlogs, backends),
            poe_stashes: PoeWorkshop::new(&settings.poe_stashes, backends),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn workers_and_queues_are_known_by_their_names_alone() {
        let (workers, queues): (Vec<&str>, Vec<&str>) = (
            specs().map(|spec| spec.name).collect(),
            specs().filter_map(Spec::queue).map(|queue| queue.queue).collect(),
        );
        for names in [workers, queues] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
        assert!(FLEETS.iter().all(|plan| plan.workers.iter().all(|spec| spec.fleet == plan.name)));
    }
}
