//! Finds queues by name.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use stint_core::ports::Queue;
use stint_core::worker::Spec;

use crate::commands::meant::Meant;
use crate::fleets::fleet::Fleet;
use crate::fleets::{Member, first_fed, members};
use crate::views::queue::QueueView;

/// A queue and the fleet that owns it.
pub(super) struct Found {
    pub(super) fleet: &'static dyn Fleet,
    pub(super) queue: Arc<dyn Queue>,
}

/// Returns the queue that is used when none is named.
pub(super) fn backlog() -> &'static str {
    first_fed().and_then(|member| member.spec.queue()).map_or("the first", |trigger| trigger.queue)
}

/// Returns the fleet whose worker is fed by the queue with this name.
pub(super) fn fleet_of(queue: &str) -> Option<&'static dyn Fleet> {
    let is_fed = |member: &Member| member.spec.queue().is_some_and(|trigger| trigger.queue == queue);
    members().find(is_fed).map(|member| member.fleet)
}

/// Returns all queues of the fleets, each fleet's backlog first.
pub(super) fn queues(meant: &Meant) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for fleet in &meant.fleets {
        for trigger in fleet.workers().iter().filter_map(Spec::queue) {
            let settings = fleet.queue(&meant.settings, trigger);
            found.push(Found { fleet: *fleet, queue: meant.backends.queue(trigger.queue, settings)? });
        }
    }
    Ok(found)
}

impl Found {
    /// Returns the queue with that name, or the backlog if there is no name.
    pub(super) fn named(name: Option<&str>, meant: &Meant) -> anyhow::Result<Found> {
        let all = queues(meant)?;
        let names = all.iter().map(|found| found.queue.name()).collect::<Vec<_>>().join(", ");
        let Some(name) = name else { return all.into_iter().next().context("there are no queues") };
        let named = all.into_iter().find(|found| found.queue.name() == name);
        named.ok_or_else(|| anyhow!("there is no queue '{name}'; there are: {names}"))
    }

    /// Returns the current state of the queue.
    pub(super) async fn view(&self, meant: &Meant) -> anyhow::Result<QueueView> {
        let parked = self.fleet.parked(self.queue.name(), &meant.settings, &meant.backends).await?;
        Ok(QueueView::read(&*self.queue, parked).await?)
    }
}
