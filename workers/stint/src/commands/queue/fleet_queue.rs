//! Finds queues by name.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use stint_core::ports::Queue;
use stint_core::worker::WorkerSpec;

use crate::commands::selection::Selection;
use crate::fleets::fleet::Fleet;
use crate::fleets::{FleetWorker, all_workers, first_queue_worker};
use crate::views::queue::QueueView;

/// A queue and the fleet that owns it.
pub(super) struct FleetQueue {
    pub(super) fleet: &'static dyn Fleet,
    pub(super) queue: Arc<dyn Queue>,
}

/// Returns the queue that is used when none is named.
pub(super) fn backlog() -> &'static str {
    first_queue_worker().and_then(|worker| worker.spec.queue()).map_or("the first", |trigger| trigger.queue)
}

/// Returns the fleet whose worker is fed by the queue with this name.
pub(super) fn fleet_of(queue: &str) -> Option<&'static dyn Fleet> {
    let is_fed = |worker: &FleetWorker| worker.spec.queue().is_some_and(|trigger| trigger.queue == queue);
    all_workers().find(is_fed).map(|worker| worker.fleet)
}

/// Returns all queues of the fleets, each fleet's backlog first.
pub(super) fn queues(selection: &Selection) -> anyhow::Result<Vec<FleetQueue>> {
    let mut queues = Vec::new();
    for fleet in &selection.fleets {
        for trigger in fleet.workers().iter().filter_map(WorkerSpec::queue) {
            let settings = fleet.queue(&selection.settings, trigger);
            queues.push(FleetQueue { fleet: *fleet, queue: selection.backends.queue(trigger.queue, settings)? });
        }
    }
    Ok(queues)
}

impl FleetQueue {
    /// Returns the queue with that name, or the backlog if there is no name.
    pub(super) fn find(name: Option<&str>, selection: &Selection) -> anyhow::Result<FleetQueue> {
        let all = queues(selection)?;
        let names = all.iter().map(|fleet_queue| fleet_queue.queue.name()).collect::<Vec<_>>().join(", ");
        let Some(name) = name else { return all.into_iter().next().context("there are no queues") };
        let named = all.into_iter().find(|fleet_queue| fleet_queue.queue.name() == name);
        named.ok_or_else(|| anyhow!("there is no queue '{name}'; there are: {names}"))
    }

    /// Returns the current state of the queue.
    pub(super) async fn view(&self, selection: &Selection) -> anyhow::Result<QueueView> {
        let parked = self.fleet.parked(self.queue.name(), &selection.settings, &selection.backends).await?;
        Ok(QueueView::read(&*self.queue, parked).await?)
    }
}
