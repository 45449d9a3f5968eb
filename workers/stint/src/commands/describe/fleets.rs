//! Fleets and their workers as data, with times in seconds.

use serde::Serialize;
use stint_core::worker::{Trigger, WorkerSpec};

use crate::fleets::FLEETS;
use crate::time_format::format_duration;

#[derive(Serialize)]
pub(super) struct FleetView {
    pub(super) fleet: &'static str,
    pub(super) workers: Vec<WorkerView>,
    pub(super) queues: Vec<QueueView>,
}

#[derive(Serialize)]
pub(super) struct WorkerView {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) triggers: Vec<TriggerView>,
    pub(super) concurrency: u32,
    pub(super) timeout_seconds: u64,
}

#[derive(Serialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub(super) enum TriggerView {
    Schedule { every_seconds: u64 },
    Wakeup,
    Queue { queue: &'static str },
}

#[derive(Serialize)]
pub(super) struct QueueView {
    pub(super) queue: &'static str,
    pub(super) feeds: &'static str,
    pub(super) batch: usize,
    pub(super) visibility_timeout_seconds: u64,
    pub(super) max_receives: u32,
}

/// Returns the fleets that work today.
pub(super) fn fleets() -> Vec<FleetView> {
    FLEETS.iter().map(|row| fleet(row.name(), row.workers())).collect()
}

fn fleet(fleet: &'static str, workers: &[WorkerSpec]) -> FleetView {
    FleetView {
        fleet,
        workers: workers.iter().map(WorkerView::new).collect(),
        queues: workers.iter().filter_map(QueueView::new).collect(),
    }
}

impl WorkerView {
    fn new(spec: &WorkerSpec) -> WorkerView {
        WorkerView {
            name: spec.name,
            summary: spec.summary,
            triggers: spec.triggers.iter().map(TriggerView::new).collect(),
            concurrency: spec.concurrency,
            timeout_seconds: spec.timeout.as_secs(),
        }
    }
}

impl TriggerView {
    fn new(trigger: &Trigger) -> TriggerView {
        match trigger {
            Trigger::Every { period } => TriggerView::Schedule { every_seconds: period.as_secs() },
            Trigger::Wakeup => TriggerView::Wakeup,
            Trigger::Queue(queue) => TriggerView::Queue { queue: queue.queue },
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            TriggerView::Schedule { every_seconds } => {
                format!("every {}", format_duration(std::time::Duration::from_secs(*every_seconds)))
            }
            TriggerView::Wakeup => "by wake-up".into(),
            TriggerView::Queue { .. } => "by message".into(),
        }
    }
}

impl QueueView {
    fn new(spec: &WorkerSpec) -> Option<QueueView> {
        let queue = spec.queue()?;
        Some(QueueView {
            queue: queue.queue,
            feeds: spec.name,
            batch: queue.batch,
            visibility_timeout_seconds: queue.visibility_timeout.as_secs(),
            max_receives: queue.max_receives,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_fleet_is_described() {
        let fleet = fleets().pop().unwrap();
        assert_eq!((fleet.fleet, fleet.workers[0].name), ("sample", "sampler"));
    }
}
