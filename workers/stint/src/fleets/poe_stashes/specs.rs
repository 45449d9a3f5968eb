//! The parts of the fleet's description that need no open backend.

use stint_core::ports::QueueSettings;
use stint_core::worker::{QueueTrigger, Worker, WorkerSpec};
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::message::PAGES_QUEUE;
use stint_poe_stashes::watcher::Watcher;

use crate::wiring::{BackendNeeds, OptionalPorts};

/// The workers, in the order in which data flows through them.
pub(super) const WORKERS: [WorkerSpec; 3] = [Follower::SPEC, Indexer::SPEC, Watcher::SPEC];

/// The folder in `STINT_HOME` for pages, if no other place is set.
pub(super) const PAGES_FOLDER: &str = "poe-pages";

/// Returns what the fleet needs of the backends. It has no budget, and its records are kept where its queues are.
pub(super) fn needs() -> BackendNeeds {
    BackendNeeds::of(OptionalPorts::default(), &WORKERS)
}

/// Returns the upstreams without which a worker has nothing to do.
pub(super) fn upstreams_of(worker: &WorkerSpec) -> &'static [&'static str] {
    match worker.name {
        name if name == Follower::SPEC.name => &[PAGES_UPSTREAM],
        name if name == Watcher::SPEC.name => &[HEAD_UPSTREAM],
        _ => &[],
    }
}

/// Returns the settings of one of the fleet's queues.
pub(super) fn queue_settings(settings: &Settings, trigger: QueueTrigger) -> QueueSettings {
    let QueueTrigger { queue, visibility_timeout, max_receives, .. } = trigger;
    let visibility_timeout = if queue == PAGES_QUEUE { settings.visibility() } else { visibility_timeout };
    QueueSettings { visibility_timeout, max_receives }
}
