//! The only list of fleets. A new fleet is a folder and a row in this list.

#[cfg(feature = "standins")]
mod demo_folder;
pub(crate) mod fleet;
#[cfg(feature = "poe-stashes")]
mod poe_stashes;
#[cfg(test)]
mod sample;
#[cfg(feature = "standins")]
mod serve;
pub(crate) mod settings;
#[cfg(feature = "warcraftlogs")]
mod warcraftlogs;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use stint_core::worker::WorkerSpec;
use stint_embedded::Embedded;
use stint_embedded::upkeep::FileSpec;

use crate::built::built_without;
use fleet::{Fleet, FolderSpec};
use settings::{SettingsParser, UnparsedSettings};

/// Declares the fleets of this build and the names of the others, from rows of a feature, an alias and a fleet.
macro_rules! fleets {
    ($($feature:literal, $alias:literal => $fleet:expr;)+) => {
        /// The fleets. If a command names none, the first fleet that supports the command is used.
        pub(crate) static FLEETS: &[&dyn Fleet] = &[
            $(#[cfg(feature = $feature)] &$fleet,)+
            #[cfg(test)]
            &sample::Sample,
        ];

        /// The names and aliases of the fleets that this program was built without.
        const ABSENT: &[(&str, &str)] = &[$(#[cfg(not(feature = $feature))] ($feature, $alias),)+];

        #[cfg(not(any($(feature = $feature),+)))]
        compile_error!(concat!("a program has at least one fleet, which is a feature:" $(, " ", $feature)+));
    };
}

fleets! {
    "warcraftlogs", "wcl" => warcraftlogs::WarcraftLogs;
    "poe-stashes", "poe" => poe_stashes::PoeStashes;
}

/// Returns the fleet with that name or alias.
pub(crate) fn find_fleet(name: &str) -> Option<&'static dyn Fleet> {
    FLEETS.iter().copied().find(|fleet| fleet.name() == name || fleet.alias() == name)
}

/// The same, as a value parser for clap.
pub(crate) fn parse_fleet(name: &str) -> Result<&'static dyn Fleet, String> {
    find_fleet(name).ok_or_else(|| {
        not_built(name).unwrap_or_else(|| {
            let names = FLEETS.iter().map(|fleet| fleet.name()).collect::<Vec<_>>().join(", ");
            format!("there is no fleet '{name}'; the available fleets are {names}")
        })
    })
}

/// Says so, if `name` is one of the fleets that this program was built without.
pub(crate) fn not_built(name: &str) -> Option<String> {
    absent(name, ABSENT)
}

/// Says so, if `name` is one of the `fleets` that a program was built without.
fn absent(name: &str, fleets: &[(&str, &str)]) -> Option<String> {
    let (fleet, _) = fleets.iter().find(|(fleet, alias)| name == *fleet || name == *alias)?;
    Some(built_without(&format!("the fleet {fleet}"), fleet))
}

/// Returns the SQLite files that an installation may have: those of every fleet, and those that all fleets share.
pub(crate) fn files() -> Vec<FileSpec> {
    Embedded::FILES.into_iter().chain(FLEETS.iter().flat_map(|fleet| fleet.files().iter().copied())).collect()
}

/// Returns the folders in `STINT_HOME` in which fleets may create files that never change.
pub(crate) fn folders() -> impl Iterator<Item = &'static FolderSpec> {
    FLEETS.iter().flat_map(|fleet| fleet.folders())
}

/// A worker and the fleet that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct FleetWorker {
    pub(crate) fleet: &'static dyn Fleet,
    pub(crate) spec: &'static WorkerSpec,
}

impl FleetWorker {
    /// Returns the worker as written on the command line.
    pub(crate) fn short_name(&self) -> String {
        format!("{}/{}", self.fleet.alias(), self.spec.name)
    }
}

/// Returns the first worker that is fed by a queue. Its queue is used when a command names none.
pub(crate) fn first_queue_worker() -> Option<FleetWorker> {
    all_workers().find(|worker| worker.spec.queue().is_some())
}

/// All workers of all fleets.
pub(crate) fn all_workers() -> impl Iterator<Item = FleetWorker> {
    FLEETS.iter().flat_map(|fleet| fleet.workers().iter().map(|spec| FleetWorker { fleet: *fleet, spec }))
}

/// Returns the worker written as `FLEET/WORKER`.
pub(crate) fn parse_worker(name: &str) -> Result<FleetWorker, String> {
    let named = name.split_once('/').and_then(|(fleet, name)| {
        let fleet = find_fleet(fleet)?;
        all_workers().find(|worker| worker.fleet.name() == fleet.name() && worker.spec.name == name)
    });
    named.ok_or_else(|| {
        if let Some(error) = listener_error(name) {
            return error;
        }
        let fleet = name.split_once('/').map_or(name, |(fleet, _)| fleet);
        not_built(fleet).unwrap_or_else(|| {
            let known: Vec<String> = all_workers().map(|worker| worker.short_name()).collect();
            format!("there is no worker '{name}'; there are {}", known.join(", "))
        })
    })
}

/// Says so, if `name` names a listener.
pub(crate) fn listener_error(name: &str) -> Option<String> {
    let (fleet, listener) = name.split_once('/')?;
    let spec = find_fleet(fleet)?.listeners().iter().find(|spec| spec.name == listener)?;
    Some(format!(
        "{} is a listener, which holds a connection and has no Lambda form: `stint up {}` runs it, on a machine or as a container task",
        spec.id(),
        spec.fleet
    ))
}

/// Returns the fleets in `named` in the order of [`FLEETS`], each once.
pub(crate) fn each_once(named: &[&'static dyn Fleet]) -> Vec<&'static dyn Fleet> {
    let is_named = |fleet: &&'static dyn Fleet| named.iter().any(|named| named.name() == fleet.name());
    FLEETS.iter().copied().filter(is_named).collect()
}

/// Returns how the settings of `fleets` are parsed.
pub(crate) fn settings_of(fleets: &[&'static dyn Fleet]) -> Vec<SettingsParser> {
    fleets.iter().map(|fleet| fleet.settings()).collect()
}

impl Args for UnparsedSettings {
    fn augment_args(command: Command) -> Command {
        FLEETS.iter().fold(command, |command, fleet| (fleet.settings().augment)(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        UnparsedSettings::augment_args(command)
    }
}

impl FromArgMatches for UnparsedSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<UnparsedSettings, clap::Error> {
        Ok(UnparsedSettings(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = UnparsedSettings::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_queues_are_unique_and_those_of_workers_in_their_fleet() {
        let queues = all_workers().filter_map(|worker| worker.spec.queue()).map(|queue| queue.queue.to_owned());
        let workers = all_workers().map(|worker| worker.spec.id().to_string());
        for names in [workers.collect::<Vec<String>>(), queues.collect()] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
        assert!(all_workers().all(|worker| worker.spec.fleet == worker.fleet.name()));
    }

    #[test]
    fn a_fleet_that_was_not_built_is_an_error_that_names_its_feature() {
        let fleets = [("nhl-stats", "nhl")];
        for name in ["nhl-stats", "nhl"] {
            let expected = "this program was built without the fleet nhl-stats: build it with --features nhl-stats";
            assert_eq!(absent(name, &fleets).unwrap(), expected);
        }
        assert_eq!(absent("nhl-stat", &fleets), None);
    }

    #[test]
    fn a_fleet_is_named_by_its_name_and_by_its_alias() {
        for known in FLEETS {
            for name in [known.name(), known.alias()] {
                assert_eq!(find_fleet(name).unwrap().name(), known.name());
                let worker = &known.workers()[0];
                let found = parse_worker(&format!("{name}/{}", worker.name)).unwrap();
                assert_eq!((found.fleet.name(), found.spec.name), (known.name(), worker.name));
            }
        }
        let error = parse_worker("smp/ear").err().unwrap();
        assert!(
            error.starts_with("sample/ear is a listener, which holds a connection and has no Lambda form"),
            "{error}"
        );
        let error = parse_worker("discover").err().unwrap();
        assert!(error.starts_with("there is no worker 'discover'; there are "), "{error}");
    }
}
