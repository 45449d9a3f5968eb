//! Imports and exports the fleet's collections as extended-JSON lines, like `mongoexport` and `mongoimport`.

mod batch;
mod documents;
mod export;
mod extended;
mod import;
mod raidlogs;
mod unknown;

use clap::ValueEnum;
use serde::Serialize;

pub(in crate::fleets::warcraftlogs) use export::Export;
pub(in crate::fleets::warcraftlogs) use import::Import;

/// What can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Collection {
    /// Players and their ranks.
    Players,
    /// Players that were discovered and not yet queued.
    Discovers,
    /// Discovery rules.
    DiscoverySchedules,
    /// Players that will never have ranks, and why.
    Dropped,
}

impl Collection {
    fn name(self) -> &'static str {
        match self {
            Collection::Players => "players",
            Collection::Discovers => "discovers",
            Collection::DiscoverySchedules => "discovery_schedules",
            Collection::Dropped => "dropped",
        }
    }
}
