//! Which backend stands behind which port: the only place that knows both.

mod backends;
mod config;
mod diary;
mod fleet;
mod hosts;
mod plans;
mod poe_stashes;
mod stores;
mod throttle_records;
mod workshop;

use std::time::Duration;

use stint_core::worker::{QueueTrigger, Spec, Worker};
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;

pub(crate) use backends::Backends;
pub(crate) use config::{BackendSettings, Choice, QueueBackend};
pub(crate) use diary::Diary;
pub(crate) use fleet::{Fleet, Installation, function, worker};
pub(crate) use hosts::Hosts;
pub(crate) use plans::{FLEETS, FleetSettings, Plan, files, fleet_names, folders, plan, specs};
pub(crate) use poe_stashes::{PoeStores, index_counts};
pub(crate) use stores::Stores;
pub(crate) use workshop::{git, transport};

/// The workers of the `warcraftlogs` fleet, in the order of the data's way through them.
pub(crate) const WARCRAFTLOGS: [Spec; 6] =
    [Discover::SPEC, Aggregator::SPEC, RankFetcher::SPEC, Refresher::SPEC, Reviver::SPEC, DbGenerator::SPEC];

/// The queue that feeds the rank fetcher.
pub(crate) fn trigger() -> QueueTrigger {
    let queue = RankFetcher::SPEC.queue();
    // The constant above has one; a test below says so.
    queue.unwrap_or(QueueTrigger { queue: "", batch: 0, visibility_timeout: Duration::ZERO, max_receives: 1 })
}

#[cfg(test)]
mod tests {
    use stint_warcraftlogs::message::REFRESH_QUEUE;

    use super::*;

    #[test]
    fn the_rank_fetcher_is_fed_by_its_queue() {
        assert_eq!(trigger().queue, stint_warcraftlogs::message::QUEUE);
    }

    /// The settings of the queues come from one trigger.
    #[test]
    fn the_refresher_treats_its_messages_as_the_rank_fetcher_does() {
        assert_eq!(Refresher::SPEC.queue(), Some(QueueTrigger { queue: REFRESH_QUEUE, ..trigger() }));
    }
}
