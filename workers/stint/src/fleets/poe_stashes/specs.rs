//! What is known of the fleet before anything is opened.

use stint_core::ports::QueueSettings;
use stint_core::worker::{QueueTrigger, Spec, Worker};
use stint_poe_stashes::config::Settings;
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::guard::{HEAD_UPSTREAM, PAGES_UPSTREAM};
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::message::PAGES_QUEUE;
use stint_poe_stashes::watcher::Watcher;

use crate::wiring::{Needs, Uses};

/// The workers, in the order of the data's way through them.
pub(super) const WORKERS: [Spec; 3] = [Follower::SPEC, Indexer::SPEC, Watcher::SPEC];

/// Where pages are kept if no other place is set, in `STINT_HOME`.
pub(super) const PAGES_FOLDER: &str = "poe-pages";

/// What the fleet needs of the backends: it has no budget, and its records are where its queues are.
pub(super) fn needs() -> Needs {
    Needs::of(Uses::default(), &WORKERS)
}

/// The upstreams without which a worker has nothing to do.
pub(super) fn upstreams_of(worker: &Spec) -> &'static [&'static str] {
    match worker.name {
        name if name == Follower::SPEC.name => &[PAGES_UPSTREAM],
        name if name == Watcher::SPEC.name => &[HEAD_UPSTREAM],
        _ => &[],
    }
}

/// How one of the fleet's queues treats its messages.
pub(super) fn queue_settings(settings: &Settings, trigger: QueueTrigger) -> QueueSettings {
    let QueueTrigger { queue, visibility_timeout, max_receives, .. } = trigger;
    let visibility_timeout = if queue == PAGES_QUEUE { settings.visibility() } else { visibility_timeout };
    QueueSettings { visibility_timeout, max_receives }
}
