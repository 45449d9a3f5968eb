//! The parts of the fleet's description that need no open backend.

use std::time::Duration;

use stint_core::ports::QueueSettings;
use stint_core::worker::{QueueTrigger, Worker, WorkerSpec};
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;
use stint_warcraftlogs::reviver::Reviver;

use crate::wiring::{BackendNeeds, OptionalPorts};

/// The workers, in the order in which data flows through them.
pub(super) const WORKERS: [WorkerSpec; 6] =
    [Discover::SPEC, Aggregator::SPEC, RankFetcher::SPEC, Refresher::SPEC, Reviver::SPEC, DbGenerator::SPEC];

/// The commands that set up a new installation.
pub(super) const SETUP_COMMANDS: &str = "`stint wcl rules add --help` and `stint up`";

/// Returns what the fleet needs of the backends.
pub(super) fn needs() -> BackendNeeds {
    let ports = OptionalPorts { key_pool: true, stores: true, records: true, wakeups: true };
    BackendNeeds::of(ports, &WORKERS).with_earlier_records(&WORKERS)
}

/// Returns the trigger of the rank fetcher's queue.
pub(super) fn trigger() -> QueueTrigger {
    let queue = RankFetcher::SPEC.queue();
    // The worker's specification has a queue trigger; a test below checks it.
    queue.unwrap_or(QueueTrigger { queue: "", batch: 0, visibility_timeout: Duration::ZERO, max_receives: 1 })
}

/// Returns the settings of the fleet's queues.
pub(super) fn queue_settings(settings: &Settings) -> QueueSettings {
    let visibility_timeout = Duration::from_secs(settings.wcl_visibility_seconds);
    QueueSettings { visibility_timeout, max_receives: trigger().max_receives }
}

#[cfg(test)]
mod tests {
    use stint_warcraftlogs::message::REFRESH_QUEUE;

    use super::*;

    #[test]
    fn the_rank_fetcher_is_fed_by_its_queue() {
        assert_eq!(trigger().queue, stint_warcraftlogs::message::QUEUE);
    }

    /// The settings of both queues come from one trigger.
    #[test]
    fn the_refresher_treats_its_messages_as_the_rank_fetcher_does() {
        assert_eq!(Refresher::SPEC.queue(), Some(QueueTrigger { queue: REFRESH_QUEUE, ..trigger() }));
    }
}
